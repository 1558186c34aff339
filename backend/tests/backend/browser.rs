//! A real browser, driven over the WebDriver protocol.

use crate::running::Backend;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Chromium without a window. Dropping it ends it.
pub struct Browser {
    driver: Child,
    session: String,
    http: reqwest::Client,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one. Debian's chromium-driver has what it takes; without it the page would go untested.
    pub async fn start(backend: &Backend) -> Self {
        let port = free_ports::free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts: apt-get install chromium-driver");
        let profile = tempfile::tempdir().unwrap();
        let http = backend.http.clone();
        let server = format!("http://127.0.0.1:{port}");
        wait_for_driver(&http, &server).await;
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ];
        let mut arguments: Vec<_> = arguments.map(str::to_owned).into();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let options = json!({ "args": arguments });
        let wanted =
            json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let answer = http.post(format!("{server}/session")).json(&wanted).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let id = answer["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("{answer:#}"));
        let session = format!("{server}/session/{id}");
        Self { driver, session, http, _profile: profile }
    }

    async fn command(&self, path: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}/{path}", self.session)).json(&body);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert!(answer["value"]["error"].is_null(), "{path} {body}: {answer:#}");
        answer["value"].clone()
    }

    pub async fn open(&self, url: &str) {
        self.command("url", json!({ "url": url })).await;
    }

    /// The value of a JavaScript expression on the page.
    pub async fn value(&self, expression: &str) -> Value {
        let body = json!({ "script": format!("return {expression}"), "args": [] });
        self.command("execute/sync", body).await
    }

    /// Waits until an expression on the page is true.
    pub async fn wait_for(&self, expression: &str) {
        let deadline = Instant::now() + Duration::from_mins(2);
        while self.value(expression).await != true {
            if Instant::now() > deadline {
                let text = self.value("document.body.innerText").await;
                panic!(
                    "{expression} is still not true; the page says:\n{}",
                    text.as_str().unwrap_or_default()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What a reader prefers, and the size of the window in pixels.
    pub async fn look(&self, scheme: &str, width: u32, height: u32) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// A picture of the page, where `DEFENDER_PICTURES` names a folder for it.
    pub async fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("DEFENDER_PICTURES") else { return };
        let answer = self.devtools("Page.captureScreenshot", json!({ "format": "png" })).await;
        let png = decode_base64(answer["data"].as_str().unwrap());
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), png).unwrap();
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.command("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }
}

async fn wait_for_driver(http: &reqwest::Client, server: &str) {
    let deadline = Instant::now() + Duration::from_mins(2);
    while http.get(format!("{server}/status")).send().await.is_err() {
        assert!(Instant::now() < deadline, "chromedriver does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn decode_base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'=').map(value).collect();
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for group in digits.chunks(4) {
        let joined = group.iter().fold(0_u32, |joined, digit| joined << 6 | u32::from(*digit));
        let joined = joined << (6 * (4 - group.len()));
        bytes.extend(&joined.to_be_bytes()[1..group.len()]);
    }
    bytes
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ending the session ends the browser; the driver alone would leave it behind.
        let _ = Command::new("curl")
            .args(["-s", "-X", "DELETE", &self.session])
            .stdout(Stdio::null())
            .status();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
