//! The program under test, as a process that serves.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{eventually, program};

/// How long the program may take to listen, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Less than the server's patience with an idle connection.
const KEPT_IDLE: Duration = Duration::from_secs(2);

const STATUS: &str = "/api/v1/import.status";

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

    /// Status and body, for comparing both at once.
    pub fn told(&self) -> (u16, &str) {
        (self.status.as_u16(), &self.body)
    }
}

impl Service {
    /// Starts `serve` on a free port, with these settings, and waits until it listens.
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let mut command = program(&["serve"], &[("PORT", "0"), ("RUST_LOG", "info"), ("FETCH_AFTER_IMPORT", "false")]);
        command.envs(settings.iter().copied());
        Self::launch(command).await
    }

    /// Starts a command that serves, and waits until it listens.
    pub async fn launch(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let log = Arc::default();
        collect_lines(process.stdout.take().unwrap(), &log);
        collect_lines(process.stderr.take().unwrap(), &log);
        // The server ends a connection that was idle for five seconds, which a large body on its way to it would not survive.
        let client = Client::builder().pool_idle_timeout(KEPT_IDLE).build().unwrap();
        let mut service = Self { process, log, client, address: String::new() };
        eventually("the service listens", PATIENCE, async || {
            let ended = service.process.try_wait().unwrap();
            assert!(ended.is_none(), "the program ended: {:?}", service.log_lines(""));
            !service.log_lines("listening on ").is_empty()
        })
        .await;
        let line = service.log_lines("listening on ").remove(0);
        let (_, address) = line.split_once("listening on ").unwrap();
        address.trim_matches('"').clone_into(&mut service.address);
        service
    }

    /// The lines written so far, to the log or otherwise, that contain `text`.
    pub fn log_lines(&self, text: &str) -> Vec<String> {
        self.log.lock().unwrap().iter().filter(|line| line.contains(text)).cloned().collect()
    }

    /// Waits for a line that contains `text`.
    pub async fn logged(&self, text: &str) -> String {
        eventually(text, PATIENCE, || async { !self.log_lines(text).is_empty() }).await;
        self.log_lines(text).remove(0)
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.address))
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.expect("the service answers");
        Answer { status: response.status(), headers: response.headers().clone(), body: response.text().await.unwrap() }
    }

    /// `GET path` by nobody in particular.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
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
    pub async fn get_as_admin(&self, path: &str) -> Answer {
        self.get_as("admin", "admin-token", path).await
    }

    /// Ends the program on the spot, as `kill -9` does.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// `import.status` by the user with this token.
    pub async fn status_as(&self, user_id: &str, token: &str) -> Answer {
        self.get_as(user_id, token, STATUS).await
    }

    /// `import.status` as the administrator of a [`super::workspace`].
    pub async fn status(&self) -> Answer {
        self.status_as("admin", "admin-token").await
    }

    /// Waits until `/readyz` says so.
    pub async fn ready(&self) {
        eventually("the service is ready", PATIENCE, || async { self.get("/readyz").await.status == 200 }).await;
    }

    /// A connection of one's own, for requests no HTTP client would send.
    pub async fn connect(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect(self.address.trim_start_matches("http://")).await
    }

    /// Sends these bytes and reads whatever comes back until the service closes the connection.
    pub async fn send_raw(&self, request: &[u8]) -> String {
        let mut connection = self.connect().await.unwrap();
        // The service may close before it has read everything, so neither has to succeed.
        connection.write_all(request).await.ok();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await.ok();
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends the process a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().try_into().unwrap()), signal).unwrap();
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
        // The test runner shows it with the test that failed.
        if std::thread::panicking() {
            for line in self.log_lines("") {
                println!("{line}");
            }
        }
    }
}

fn collect_lines(output: impl Read + Send + 'static, log: &Arc<Mutex<Vec<String>>>) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            log.lock().unwrap().push(line);
        }
    });
}
