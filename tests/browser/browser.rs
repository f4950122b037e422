//! A Chromium of the test's own, driven through its driver.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, Locator, elements::Element, wd::Capabilities};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::eventually;

/// Names the driver, in place of the one on the `PATH`.
const DRIVER_VARIABLE: &str = "CHROMEDRIVER";
/// `off` leaves these tests out.
const SWITCH_VARIABLE: &str = "BROWSER_TESTS";

/// How long the page may take to show something.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser window and the driver that steers it. Both end with the test.
pub struct Browser {
    pub client: Client,
    session_url: String,
    driver: Child,
    downloads: TempDir,
}

/// A line of the browser's console.
#[derive(Debug)]
pub struct ConsoleLine {
    pub source: String,
    pub message: String,
}

impl Browser {
    /// Opens a window. `None` when these tests are switched off.
    ///
    /// # Panics
    /// When there is no driver, with a word about what to do.
    pub async fn open() -> Option<Self> {
        if env::var(SWITCH_VARIABLE).is_ok_and(|value| value == "off") {
            eprintln!("{SWITCH_VARIABLE}=off: this test of the web page is left out");
            return None;
        }
        let (driver, url) = start_driver();
        let downloads = tempfile::tempdir().unwrap();
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(downloads.path()))
            .connect(&url)
            .await
            .expect("Chromium starts");
        let session = client.session_id().await.unwrap().unwrap();
        let session_url = format!("{url}/session/{session}");
        Some(Self { client, session_url, driver, downloads })
    }

    pub async fn find(&self, selector: &str) -> Element {
        self.client.find(Locator::Css(selector)).await.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    /// The text that is shown there; empty while it is hidden.
    pub async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.unwrap()
    }

    /// Whether there is such an element and it can be seen.
    pub async fn is_shown(&self, selector: &str) -> bool {
        let found = self.client.find_all(Locator::Css(selector)).await.unwrap();
        // It may be replaced between the two questions.
        let Some(element) = found.first() else { return false };
        element.is_displayed().await.unwrap_or(false)
    }

    pub async fn attribute(&self, selector: &str, name: &str) -> Option<String> {
        self.find(selector).await.attr(name).await.unwrap()
    }

    pub async fn type_into(&self, selector: &str, text: &str) {
        self.find(selector).await.send_keys(text).await.unwrap();
    }

    pub async fn click(&self, selector: &str) {
        self.shown(selector).await;
        self.find(selector).await.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Waits until something is shown.
    pub async fn shown(&self, selector: &str) {
        eventually(&format!("{selector} is shown"), PATIENCE, async || self.is_shown(selector).await).await;
    }

    /// Waits until nothing is shown there any more.
    pub async fn gone(&self, selector: &str) {
        eventually(&format!("{selector} is gone"), PATIENCE, async || !self.is_shown(selector).await).await;
    }

    /// Waits until the text shown there contains `words`.
    pub async fn says(&self, selector: &str, words: &str) {
        let script = "return document.querySelector(arguments[0])?.innerText ?? ''";
        eventually(&format!("{selector} says {words}"), PATIENCE, async || {
            let text = self.client.execute(script, vec![json!(selector)]).await.unwrap();
            text.as_str().unwrap().contains(words)
        })
        .await;
    }

    /// What a script gives back.
    pub async fn evaluate(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap()
    }

    /// The `id` of what has the keyboard's focus.
    pub async fn focused(&self) -> String {
        self.evaluate("return document.activeElement.id").await.as_str().unwrap().to_owned()
    }

    /// Makes the window look like that of a device that is so wide, in CSS pixels.
    pub async fn resize(&self, width: u32, height: u32, mobile: bool) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 2, "mobile": mobile });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// What the user prefers, as the style sheet may ask: `("prefers-color-scheme", "dark")`.
    pub async fn prefer(&self, feature: &str, value: &str) {
        let features = json!({ "features": [{ "name": feature, "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.ask("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// Everything the console has said since the last call.
    pub async fn console(&self) -> Vec<ConsoleLine> {
        let lines = self.ask("se/log", json!({ "type": "browser" })).await;
        let text = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let lines = lines.as_array().unwrap().iter();
        lines.map(|line| ConsoleLine { source: text(line, "source"), message: text(line, "message") }).collect()
    }

    /// Fails the test if anything went wrong in the page. The browser reports refused requests as well;
    /// those whose line contains one of `expected` are fine.
    pub async fn assert_no_errors(&self, expected: &[&str]) {
        let lines = self.console().await;
        let is_expected =
            |line: &ConsoleLine| line.source == "network" && expected.iter().any(|part| line.message.contains(part));
        let unexpected: Vec<_> = lines.iter().filter(|line| !is_expected(line)).collect();
        assert!(unexpected.is_empty(), "the console says {unexpected:?}");
    }

    /// The addresses of everything the page has fetched since the last call.
    pub async fn requested(&self) -> Vec<String> {
        let entries = self.ask("se/log", json!({ "type": "performance" })).await;
        let entries = entries.as_array().unwrap().iter();
        let messages = entries.map(|entry| serde_json::from_str(entry["message"].as_str().unwrap()).unwrap());
        let requests = messages.filter_map(|message: Value| {
            let message = &message["message"];
            let is_request = message["method"] == "Network.requestWillBeSent";
            is_request.then(|| message["params"]["request"]["url"].as_str().unwrap().to_owned())
        });
        requests.collect()
    }

    /// Waits for a file with text that the page has handed out, and reads it.
    pub async fn downloaded(&self, name: &str) -> String {
        String::from_utf8(self.downloaded_bytes(name).await).unwrap()
    }

    /// Waits for a file that the page has handed out, and reads it.
    pub async fn downloaded_bytes(&self, name: &str) -> Vec<u8> {
        let path = self.downloads.path().join(name);
        eventually(&format!("{name} is downloaded"), PATIENCE, async || path.exists()).await;
        std::fs::read(path).unwrap()
    }

    /// Stores a picture of the window.
    pub async fn take_picture(&self, path: &Path) {
        std::fs::write(path, self.client.screenshot().await.unwrap()).unwrap();
    }

    /// Commands of Chromium's driver beyond those that all browsers have.
    async fn ask(&self, command: &str, body: Value) -> Value {
        let url = format!("{}/{command}", self.session_url);
        let answer = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
        let mut answer: Value = answer.json().await.unwrap();
        assert!(answer["value"]["error"].is_null(), "{command}: {answer}");
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends Chromium, which would outlive its driver. On a thread of its own: this one may be part of a runtime.
        let session = self.session_url.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(reqwest::Client::new().delete(session).send()).is_ok()
        })
        .join()
        .ok();
        self.driver.kill().ok();
        self.driver.wait().ok();
    }
}

fn start_driver() -> (Child, String) {
    let program = env::var_os(DRIVER_VARIABLE).map_or_else(|| PathBuf::from("chromedriver"), PathBuf::from);
    let mut driver = Command::new(&program)
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "{} does not start ({error}). Install Debian's chromium and chromium-driver, name a driver in \
                 {DRIVER_VARIABLE}, or set {SWITCH_VARIABLE}=off to leave the tests of the web page out",
                program.display()
            )
        });
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = lines.find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse::<u16>().ok()
    });
    // Or it would be stuck once the pipe is full.
    std::thread::spawn(move || lines.for_each(drop));
    let port = port.expect("the driver says which port it has taken");
    (driver, format!("http://127.0.0.1:{port}"))
}

fn capabilities(downloads: &Path) -> Capabilities {
    let arguments = [
        "--headless=new",
        // Its sandbox works neither for root nor in most containers, and the only page opened is our own.
        "--no-sandbox",
        "--window-size=1100,900",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
    ];
    let capabilities = json!({
        "browserName": "chrome",
        "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        "goog:chromeOptions": {
            "args": arguments,
            "prefs": { "download.default_directory": downloads, "download.prompt_for_download": false },
        },
    });
    capabilities.as_object().unwrap().clone()
}
