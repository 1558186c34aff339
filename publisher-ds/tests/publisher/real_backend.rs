//! The real backend, where nodes enrol: its process, its command line, its API.

use crate::certificates::Authority;
use crate::process::Home;
use crate::waiting::until;
use free_ports::free_port;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const API_TOKEN: &str = "a-token-for-the-tests";

pub struct RealBackend {
    folder: tempfile::TempDir,
    pub authority: Authority,
    pub ingest_port: u16,
    api_port: u16,
    process: Option<Child>,
}

impl RealBackend {
    /// Starts one whose certificates hold for so many seconds.
    pub fn start(certificate_seconds: u64) -> Self {
        let mut backend = Self::prepare(certificate_seconds);
        backend.run();
        backend
    }

    /// All but the process.
    pub fn prepare(certificate_seconds: u64) -> Self {
        let [ingest_port, api_port, admin_port] = [(); 3].map(|()| free_port());
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let path = |name: &str| folder.path().join(name);
        let server = authority.server("localhost");
        fs::write(path("ca.crt"), authority.certificate()).unwrap();
        fs::write(path("tls.crt"), &server.certificate).unwrap();
        fs::write(path("tls.key"), &server.key).unwrap();
        fs::write(path("token"), API_TOKEN).unwrap();
        let config = json!({
            "admin": { "listen": format!("127.0.0.1:{admin_port}") },
            "ingest": {
                "listen": format!("127.0.0.1:{ingest_port}"),
                "certificate_file": path("tls.crt"),
                "key_file": path("tls.key"),
                "client_ca_file": path("ca.crt"),
            },
            "api": {
                "listen": format!("127.0.0.1:{api_port}"),
                "token_file": path("token"),
            },
            "enrolment": { "enabled": true, "certificate_seconds": certificate_seconds },
            "store": { "directory": path("store") },
        });
        fs::write(path("backend.yaml"), config.to_string()).unwrap();
        Self { folder, authority, ingest_port, api_port, process: None }
    }

    /// Starts the process and waits until it serves.
    pub fn run(&mut self) {
        let log = self.folder.path().join("log");
        let log = File::options().create(true).append(true).open(log).unwrap();
        let process = Command::new(program())
            .arg("--config")
            .arg(self.folder.path().join("backend.yaml"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.process = Some(process.unwrap());
        let (ingest, api) = (("127.0.0.1", self.ingest_port), ("127.0.0.1", self.api_port));
        until(
            "the backend serves",
            || TcpStream::connect(ingest).is_ok() && TcpStream::connect(api).is_ok(),
            || self.log(),
        );
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// `backend enrolment …`
    pub fn command(&self, arguments: &[&str]) -> String {
        let done = Command::new(program())
            .arg("enrolment")
            .args(arguments)
            .arg("--config")
            .arg(self.folder.path().join("backend.yaml"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{arguments:?}: {said}\n{}", self.log());
        String::from_utf8(done.stdout).unwrap()
    }

    /// A bootstrap token for the cluster `test`.
    pub fn token(&self) -> String {
        self.command(&["tokens", "create", "--cluster", "test"])
    }

    /// The certificates that were issued, the newest first.
    pub fn certificates(&self) -> Vec<Value> {
        self.all("/api/v1/enrolments")
    }

    /// How many of them are of this kind.
    pub fn count(&self, kind: &str) -> usize {
        self.certificates().iter().filter(|one| one["kind"] == kind).count()
    }

    /// All items of a list.
    pub fn all(&self, path: &str) -> Vec<Value> {
        let (mut items, mut next) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}?limit=1000{next}"));
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => return items,
            }
        }
    }

    fn get(&self, path: &str) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.api_port)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {API_TOKEN}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {answer}"))
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Puts into a publisher's home what it needs to enrol here.
    pub fn lead(&self, home: &Home, token: &str) {
        fs::write(home.path("ca.crt"), self.authority.certificate()).unwrap();
        fs::write(home.path("bootstrap-token"), token).unwrap();
        home.configure(&format!("https://localhost:{}", self.ingest_port), "64MiB");
        let section = format!(
            "enrolment: {{ enabled: true, cluster: test, token_file: {}, directory: {} }}\n",
            home.path("bootstrap-token").display(),
            home.path("state").display(),
        );
        let file = home.path("publisher-ds.yaml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text + &section).unwrap();
    }
}

impl Drop for RealBackend {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the backend's log:\n{}", self.log());
        }
    }
}

/// The backend that was built beside this publisher.
fn program() -> PathBuf {
    if let Some(program) = std::env::var_os("DEFENDER_BACKEND") {
        return program.into();
    }
    let beside = Path::new(env!("CARGO_BIN_EXE_publisher-ds")).with_file_name("backend");
    assert!(beside.exists(), "no {}: run `cargo build --package backend` first", beside.display());
    beside
}
