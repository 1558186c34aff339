//! A replica: the program, its publisher, its way to the API server.

use crate::poll::poll;
use crate::publisher::Publisher;
use crate::road::Road;
use api_server::{ApiServer, TOKEN};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// How long things last, in seconds.
#[derive(Clone, Copy)]
pub struct Durations {
    pub lease: u32,
    pub renew_deadline: u32,
    pub retry: u32,
}

pub const SHORT: Durations = Durations { lease: 3, renew_deadline: 2, retry: 1 };

pub struct Replica {
    /// Its pod's name.
    pub name: &'static str,
    pub publisher: Publisher,
    pub road: Road,
    node: String,
    durations: Durations,
    running: Running,
    folder: TempDir,
}

/// A process, killed when the test leaves it behind.
struct Running {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Replica {
    pub async fn start(
        server: &ApiServer,
        name: &'static str,
        node: &str,
        durations: Durations,
    ) -> Self {
        let (publisher, road) = (Publisher::start(), Road::build(server.address()).await);
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = server.kubeconfig(TOKEN);
        let (here, there) = (server.address().to_string(), road.address().to_string());
        let kubeconfig = kubeconfig.replace(&here, &there);
        std::fs::write(folder.path().join("kubeconfig"), kubeconfig).unwrap();
        let running = Running::start(&mut command(name, node, durations, &publisher, &folder));
        Self { name, publisher, road, node: node.to_owned(), durations, running, folder }
    }

    /// Starts the program again, where it has ended.
    pub fn start_again(&mut self) {
        let mut command =
            command(self.name, &self.node, self.durations, &self.publisher, &self.folder);
        self.running = Running::start(&mut command);
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.running.child.id()).unwrap()), signal).unwrap();
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        self.running.child.kill().unwrap();
        self.running.child.wait().unwrap();
    }

    /// SIGTERM, and waits for the end.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        let log = Arc::clone(&self.running.log);
        poll("end of the program", || {
            self.running.child.try_wait().unwrap().ok_or_else(|| log.lock().unwrap().clone())
        })
        .await
    }

    pub fn log(&self) -> String {
        self.running.log.lock().unwrap().clone()
    }

    /// Waits for a line of the log that has `words`.
    pub async fn expect_log(&self, words: &str) {
        poll(&format!("line with {words:?} in the log of {}", self.name), || {
            let log = self.log();
            if log.contains(words) { Ok(()) } else { Err(log) }
        })
        .await;
    }

    /// Waits until /readyz says yes and has `words`.
    pub async fn expect_ready(&self, words: &str) {
        self.expect_readiness("200 OK", words).await;
    }

    /// Waits until /readyz says no and has `words`.
    pub async fn expect_unready(&self, words: &str) {
        self.expect_readiness("503 ", words).await;
    }

    async fn expect_readiness(&self, status: &str, words: &str) {
        poll(&format!("{status} with {words:?} of {}", self.name), || {
            let answer = self.ask("/readyz");
            let is_it = answer.contains(status) && answer.contains(words);
            if is_it { Ok(()) } else { Err(answer) }
        })
        .await;
    }

    /// Waits until its metrics have this line.
    pub async fn expect_metric(&self, line: &str) {
        poll(line, || {
            let metrics = self.ask("/metrics");
            if metrics.lines().any(|told| told == line) { Ok(()) } else { Err(metrics) }
        })
        .await;
    }

    fn ask(&self, path: &str) -> String {
        let log = self.log();
        let admin = log.split_once("\"admin\":\"").and_then(|(_, rest)| rest.split('"').next());
        let Some(mut connection) = admin.and_then(|admin| TcpStream::connect(admin).ok()) else {
            return "nobody listens".to_owned();
        };
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        let mut answer = String::new();
        let asked = connection.write_all(request.as_bytes());
        match asked.and_then(|()| connection.read_to_string(&mut answer)) {
            Ok(_) => answer,
            Err(error) => error.to_string(),
        }
    }
}

fn command(
    name: &str,
    node: &str,
    durations: Durations,
    publisher: &Publisher,
    folder: &TempDir,
) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_collector-misc"));
    command
        .env("DEFENDER_ADMIN__LISTEN", "127.0.0.1:0")
        .env("DEFENDER_LOG__FORMAT", "json")
        .env("DEFENDER_NODE__NAME", node)
        .env("DEFENDER_PUBLISHER__SOCKET", publisher.socket())
        .env("DEFENDER_KUBERNETES__KUBECONFIG", folder.path().join("kubeconfig"))
        .env("DEFENDER_LEADERSHIP__ENABLED", "true")
        .env("DEFENDER_LEADERSHIP__POD", name)
        .env("DEFENDER_LEADERSHIP__LEASE_SECONDS", durations.lease.to_string())
        .env("DEFENDER_LEADERSHIP__RENEW_DEADLINE_SECONDS", durations.renew_deadline.to_string())
        .env("DEFENDER_LEADERSHIP__RETRY_SECONDS", durations.retry.to_string());
    command
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let gathered = Arc::clone(&log);
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                gathered.lock().unwrap().extend([line.as_str(), "\n"]);
            }
        });
        Self { child, log }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
