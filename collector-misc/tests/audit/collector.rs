//! The program, with its files, killed when the test leaves it behind.

use crate::authority::{Authority, Identity};
use crate::caller::Caller;
use crate::publisher::{Publisher, poll};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

pub const TOKEN: &str = "c2VjcmV0IG9mIGEgdGVzdA==";

/// A rule about requests that a test can match.
const RULE: &str = "- {rule: Marked, desc: D., condition: ka.uri startswith /marked, output: '%ka.uri', priority: NOTICE, source: k8s_audit}\n";

/// What a collector is configured to.
pub struct Setup {
    folder: TempDir,
    authority: Authority,
    rules: PathBuf,
    more: String,
}

pub struct Collector {
    child: Child,
    log: Arc<Mutex<String>>,
    pub address: SocketAddr,
    setup: Setup,
}

impl Setup {
    /// With a certificate of its own, mutual TLS, a token, and one rule.
    pub fn new() -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let rules = folder.path().join("rules");
        fs::create_dir(&rules).unwrap();
        fs::write(rules.join("rules.yaml"), RULE).unwrap();
        let setup = Self { folder, authority, rules, more: String::new() };
        setup.write_certificate(&setup.authority.receiver());
        setup.write_client_ca(&setup.authority.pem);
        setup.write_token(TOKEN);
        setup
    }

    /// With the rules that we ship, and each alert sent.
    pub fn with_our_rules() -> Self {
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
        let more = "alerts: { repeat_seconds: 0, per_minute: 0 }\n".to_owned();
        Self { rules, more, ..Self::new() }
    }

    /// With these lines of configuration.
    pub fn with(self, more: &str) -> Self {
        Self { more: format!("{}{more}\n", self.more), ..self }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write_certificate(&self, identity: &Identity) {
        fs::write(self.path("tls.key"), &identity.key).unwrap();
        fs::write(self.path("tls.crt"), &identity.certificate).unwrap();
    }

    pub fn write_client_ca(&self, pem: &str) {
        fs::write(self.path("ca.crt"), pem).unwrap();
    }

    pub fn write_token(&self, token: &str) {
        fs::write(self.path("token"), token).unwrap();
    }

    pub fn rules(&self) -> &Path {
        &self.rules
    }

    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    fn configuration(&self, publisher: &Publisher) -> PathBuf {
        let kubeconfig = "apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: test}}]
clusters: [{name: test, cluster: {server: \"http://127.0.0.1:1\"}}]
users: [{name: test, user: {token: none}}]
";
        fs::write(self.path("kubeconfig"), kubeconfig).unwrap();
        let text = format!(
            "node: {{ name: worker-1 }}
admin: {{ listen: 127.0.0.1:0 }}
log: {{ format: json }}
publisher: {{ socket: {socket}, queue_bytes: 8MiB }}
kubernetes: {{ kubeconfig: {kubeconfig} }}
rules: {{ paths: [{rules}] }}
audit:
  listen: 127.0.0.1:0
  certificate_file: {certificate}
  key_file: {key}
  client_ca_file: {ca}
  token_file: {token}
{more}",
            socket = publisher.socket().display(),
            kubeconfig = self.path("kubeconfig").display(),
            rules = self.rules.display(),
            certificate = self.path("tls.crt").display(),
            key = self.path("tls.key").display(),
            ca = self.path("ca.crt").display(),
            token = self.path("token").display(),
            more = self.more,
        );
        let path = self.path("collector-misc.yaml");
        fs::write(&path, text).unwrap();
        path
    }
}

impl Collector {
    pub async fn start(setup: Setup, publisher: &Publisher) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_collector-misc"))
            .arg("--config")
            .arg(setup.configuration(publisher))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let gathered = Arc::clone(&log);
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                gathered.lock().unwrap().extend([line.as_str(), "\n"]);
            }
        });
        let address = logged(&log, "audit").await.parse().unwrap();
        Self { child, log, address, setup }
    }

    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// An API server with a certificate.
    pub fn api_server(&self) -> Caller {
        let authority = self.setup.authority();
        Caller::new(self.address, &authority.pem).with_certificate(&authority.api_server())
    }

    /// Somebody who shows nothing.
    pub fn stranger(&self) -> Caller {
        Caller::new(self.address, &self.setup.authority().pem)
    }

    /// An API server with a token.
    pub fn with_token(&self, token: &str) -> Caller {
        self.stranger().with_token(token)
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub async fn expect_log(&self, words: &str) {
        poll(words, || {
            let log = self.log();
            if log.contains(words) { Ok(()) } else { Err(log) }
        })
        .await;
    }

    pub async fn expect_metric(&self, line: &str) {
        let admin = logged(&self.log, "admin").await;
        poll(line, || {
            let metrics = metrics(&admin);
            let is_there = metrics.lines().any(|told| told == line);
            let near = || {
                metrics
                    .lines()
                    .filter(|told| told.contains("_audit_"))
                    .collect::<Vec<_>>()
                    .join("\n")
            };
            if is_there { Ok(()) } else { Err(near()) }
        })
        .await;
    }

    /// Memory that it has in use, in MiB: what of the program's file is mapped is not in it.
    pub fn anonymous_memory(&self) -> u64 {
        self.status("RssAnon:")
    }

    /// The most memory that it ever had, in MiB.
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, key: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }

    /// Sends SIGKILL, and starts it again as it was, at another address.
    pub async fn kill_and_restart(mut self, publisher: &Publisher) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let fresh = Setup::new();
        let setup = std::mem::replace(&mut self.setup, fresh);
        Self::start(setup, publisher).await
    }

    /// Asks it to end, and waits.
    pub fn terminate(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::SIGTERM).unwrap();
        assert!(self.child.wait().unwrap().success(), "{}", self.log());
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The value of a key of the log.
async fn logged(log: &Arc<Mutex<String>>, key: &str) -> String {
    let begin = format!("\"{key}\":\"");
    poll(&begin, || {
        let log = log.lock().unwrap().clone();
        let value =
            log.split_once(&begin).and_then(|(_, rest)| rest.split('"').next().map(str::to_owned));
        value.ok_or(log)
    })
    .await
}

fn metrics(admin: &str) -> String {
    let mut connection = TcpStream::connect(admin).unwrap();
    connection.write_all(b"GET /metrics HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}
