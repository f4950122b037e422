//! The program under test, as a process of its own.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};
use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::Value;

use super::eventually;

/// How long the program may take to listen, or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running service.
pub struct Service {
    process: Child,
    log: Arc<Mutex<Vec<String>>>,
    client: Client,
    /// `http://host:port`
    pub address: String,
}

/// What the service answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().unwrap())
    }
}

impl Service {
    /// Starts `serve` on a free port, with these settings, and waits until it listens.
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_rocketchat-import"))
            .arg("serve")
            .env_remove("MONGO_URL")
            .env("PORT", "0")
            .env("RUST_LOG", "info")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (output, lines) = (process.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let mut service = Self { process, log, client: Client::new(), address: String::new() };
        eventually("the service listens", PATIENCE, async || !service.log_lines("listening on ").is_empty()).await;
        let line = service.log_lines("listening on ").remove(0);
        let (_, address) = line.split_once("listening on ").unwrap();
        service.address = address.trim_matches('"').to_owned();
        service
    }

    /// The lines logged so far that contain `text`.
    pub fn log_lines(&self, text: &str) -> Vec<String> {
        self.log.lock().unwrap().iter().filter(|line| line.contains(text)).cloned().collect()
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.address))
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.expect("the service answers");
        Answer { status: response.status(), headers: response.headers().clone(), body: response.text().await.unwrap() }
    }

    /// `GET path` by the user with this token.
    pub async fn get_as(&self, user_id: &str, token: &str, path: &str) -> Answer {
        let request = self.request(Method::GET, path).header("X-User-Id", user_id).header("X-Auth-Token", token);
        self.send(request).await
    }

    /// `POST path` by the administrator of a [`super::workspace`], with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let request =
            self.request(Method::POST, path).header("X-User-Id", "admin").header("X-Auth-Token", "admin-token");
        self.send(request.json(body)).await
    }

    /// `GET path` by the administrator of a [`super::workspace`].
    pub async fn get(&self, path: &str) -> Answer {
        self.get_as("admin", "admin-token", path).await
    }

    /// `import.status` as the administrator of a [`super::workspace`].
    pub async fn status(&self) -> Answer {
        self.get_as("admin", "admin-token", "/api/v1/import.status").await
    }

    /// Ends the program on the spot, as `kill -9` does.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks the program to end, as `kill` does.
    pub fn terminate(&self) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        signal::kill(pid, Signal::SIGTERM).unwrap();
    }

    /// Waits for the program to end by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the service ends", PATIENCE, async || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
