//! A backend as a process of its own, and what it takes to talk to it.

use crate::authority::Authority;
use free_ports::free_port;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const PATIENCE: Duration = Duration::from_mins(2);

/// A running backend and all that belongs to it. Dropping it kills the process.
pub struct Backend {
    pub folder: TempDir,
    pub authority: Authority,
    pub ingest_port: u16,
    pub api_port: u16,
    pub admin_port: u16,
    config: Value,
    process: Option<Child>,
    pub http: reqwest::Client,
}

impl Backend {
    /// Starts one with nothing out of the ordinary, and waits until it is ready.
    pub async fn start() -> Self {
        Self::start_with(|_, _| {}).await
    }

    /// Starts one whose configuration was changed.
    pub async fn start_with(change: impl FnOnce(&mut Value, &Path)) -> Self {
        let mut backend = Self::prepare(change);
        backend.run();
        backend.wait_ready().await;
        backend
    }

    /// All but the process.
    pub fn prepare(change: impl FnOnce(&mut Value, &Path)) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let [ingest_port, api_port, admin_port] = [(); 3].map(|()| free_port());
        let authority = Authority::new();
        let path = |name: &str| folder.path().join(name);
        let server = authority.server();
        fs::write(path("ca.crt"), &authority.pem).unwrap();
        fs::write(path("tls.crt"), &server.certificate).unwrap();
        fs::write(path("tls.key"), &server.key).unwrap();
        let mut config = json!({
            "log": { "level": "info,backend=debug", "format": "text" },
            "admin": { "listen": format!("127.0.0.1:{admin_port}") },
            "ingest": {
                "listen": format!("127.0.0.1:{ingest_port}"),
                "certificate_file": path("tls.crt"),
                "key_file": path("tls.key"),
                "client_ca_file": path("ca.crt"),
            },
            "api": { "listen": format!("127.0.0.1:{api_port}") },
            "store": { "directory": path("store") },
        });
        change(&mut config, folder.path());
        let http = reqwest::Client::builder()
            .tls_danger_accept_invalid_certs(true)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { folder, authority, ingest_port, api_port, admin_port, config, process: None, http }
    }

    /// Starts the process, with what it says going to the log file.
    pub fn run(&mut self) {
        let config = self.folder.path().join("backend.yaml");
        // JSON is YAML.
        fs::write(&config, self.config.to_string()).unwrap();
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        let program = std::env::var_os("DEFENDER_BACKEND");
        let process = Command::new(program.unwrap_or(env!("CARGO_BIN_EXE_backend").into()))
            .arg("--config")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
    }

    pub async fn wait_ready(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.readiness().await.0 != 200 {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the backend ended with {ended:?}:\n{}", self.log());
            assert!(Instant::now() < deadline, "the backend is not ready:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the process ends by itself.
    pub fn wait_end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.as_mut().unwrap().try_wait().unwrap() {
                self.process = None;
                return status;
            }
            assert!(Instant::now() < deadline, "the backend does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            process.wait().unwrap();
        }
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
    }

    /// The status of /readyz, and what it says.
    pub async fn readiness(&self) -> (u16, String) {
        let url = format!("http://127.0.0.1:{}/readyz", self.admin_port);
        match self.http.get(url).send().await {
            Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
            Err(error) => (0, error.to_string()),
        }
    }

    pub async fn metrics(&self) -> String {
        let url = format!("http://127.0.0.1:{}/metrics", self.admin_port);
        self.http.get(url).send().await.unwrap().text().await.unwrap()
    }

    /// Waits until a line of the metrics has `part`: an answer to a peer may come before it is counted.
    pub async fn expect_metric(&self, part: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let metrics = self.metrics().await;
            if metrics.contains(part) {
                return;
            }
            assert!(Instant::now() < deadline, "{part} does not come:\n{metrics}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the log has `words`.
    pub async fn expect_log(&self, words: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(words) {
            assert!(Instant::now() < deadline, "expected {words:?} in:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A GET of the API, whatever its status.
    pub async fn answer(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("http://127.0.0.1:{}{path}", self.api_port)).send().await.unwrap()
    }

    /// A GET of the API that succeeds.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.answer(path).await;
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// All items of a paged list.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let first = format!("{path}{joint}limit=1000");
        let (mut items, mut next) = (Vec::new(), first.clone());
        loop {
            let page = self.get(&next).await;
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(cursor) => next = format!("{first}&cursor={cursor}"),
                None => return items,
            }
        }
    }

    /// Processor time that the process has used.
    pub fn cpu_seconds(&self) -> f64 {
        let id = self.process.as_ref().unwrap().id();
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        // utime and stime, in ticks of 10 ms.
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }

    /// Memory that the process has.
    pub fn resident_mebibytes(&self) -> f64 {
        let id = self.process.as_ref().unwrap().id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }

    pub fn store(&self) -> PathBuf {
        self.config["store"]["directory"].as_str().unwrap().into()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- the backend's log ---\n{}", self.log());
        }
    }
}
