//! The sensor's own binary, running on this node.

use crate::expect::{Exec, exec_of, outline, wait_for};
use crate::publisher::Publisher;
use event_model::{Record, SensorStatus};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use tempfile::TempDir;

const RULES: &str = "\
- rule: Shell in a container
  desc: A shell began in a container.
  condition: evt.type = execve and container.id != host and proc.name in (sh, bash)
  output: A shell in a container (command=%proc.cmdline container=%container.name pod=%k8s.pod.name)
  priority: WARNING
  tags: [T1059]
";

/// Files of a test: configuration, rules, socket, log.
pub struct Node {
    pub folder: TempDir,
    pub admin_port: u16,
    pub cri_sockets: Vec<PathBuf>,
    pub docker_sockets: Vec<PathBuf>,
    /// The key `kernel` of the configuration.
    pub kernel: Value,
    /// Further keys of the configuration.
    pub more: Map<String, Value>,
}

impl Node {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let rules = folder.path().join("rules");
        std::fs::create_dir(&rules).expect("a directory");
        std::fs::write(rules.join("shell.yaml"), RULES).expect("a rule file");
        let admin_port = free_ports::free_port();
        Self {
            folder,
            admin_port,
            cri_sockets: vec![],
            docker_sockets: vec![],
            kernel: json!({}),
            more: Map::new(),
        }
    }

    /// Its sensor sends each alert, however often it was raised.
    pub fn send_each_alert(&mut self) {
        self.more.insert("alerts".to_owned(), json!({ "repeat_seconds": 0, "per_minute": 0 }));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn publisher(&self) -> Publisher {
        Publisher::start(&self.path("publisher.sock"))
    }

    fn configuration(&self) -> Value {
        let mut configuration = json!({
            "node": { "name": "node-1" },
            "publisher": { "socket": self.path("publisher.sock") },
            "rules": { "paths": [self.path("rules")] },
            "container_runtimes": {
                "cri_sockets": self.cri_sockets,
                "docker_sockets": self.docker_sockets,
            },
            "kernel": self.kernel,
            "log": { "level": "info,collector_ds=debug", "format": "text" },
            "admin": { "listen": format!("127.0.0.1:{}", self.admin_port) },
        });
        for (key, value) in &self.more {
            configuration[key] = value.clone();
        }
        configuration
    }

    /// The sensor, set up but not started.
    pub fn command(&self) -> Command {
        let file = self.path("collector-ds.yaml");
        std::fs::write(&file, self.configuration().to_string()).expect("the configuration");
        let mut command = Command::new(env!("CARGO_BIN_EXE_collector-ds"));
        command.arg("--config").arg(file).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(self.open_log());
        command
    }

    /// The file that the sensor logs to, emptied.
    pub fn open_log(&self) -> File {
        File::create(self.path("log")).expect("a log")
    }

    /// Starts the sensor; it need not be at work yet.
    pub fn start(&self) -> Running {
        Running(self.command().process_group(0).spawn().expect("the sensor starts"))
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The answer of the sensor's admin server.
    pub fn ask(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.admin_port)).ok()?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }
}

/// A sensor process. It is killed when dropped.
pub struct Running(pub Child);

impl Running {
    pub fn terminate(&mut self) -> ExitStatus {
        let pid = i32::try_from(self.0.id()).expect("a process id");
        let pid = nix::unistd::Pid::from_raw(pid);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("it runs");
        self.wait()
    }

    pub fn wait(&mut self) -> ExitStatus {
        wait_for("the sensor's end", || self.0.try_wait().expect("a child"), String::new)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A sensor at work, and the publisher that hears it.
pub struct Sensor {
    pub node: Node,
    pub publisher: Publisher,
    pub process: Running,
}

impl Sensor {
    /// On a node whose containers nobody knows by name.
    pub fn start() -> Self {
        Self::start_on(Node::new())
    }

    /// Starts the sensor, and waits until its probes are at work.
    pub fn start_on(node: Node) -> Self {
        let publisher = node.publisher();
        let process = node.start();
        let sensor = Self { node, publisher, process };
        sensor.expect("the sensor's status", |records| {
            status(records).filter(|status| !status.probes.is_empty())
        });
        sensor
    }

    /// What `look` sees in all records so far.
    pub fn look<T>(&self, look: impl FnOnce(&[Record]) -> T) -> T {
        self.publisher.look(look)
    }

    /// Waits until `find` finds what it looks for among the records.
    pub fn expect<T>(&self, what: &str, find: impl Fn(&[Record]) -> Option<T>) -> T {
        let instead = || format!("{}\nlog:\n{}", self.look(outline), self.node.log());
        wait_for(what, || self.look(&find), instead)
    }

    /// Waits until the sensor tells this line of its metrics. What it counts need not be counted when a record of another processor's came.
    pub fn expect_metric(&self, line: &str) {
        let metrics = || self.node.ask("/metrics").unwrap_or_default();
        let is_told = || metrics().lines().any(|told| told == line).then_some(());
        wait_for(line, is_told, || format!("{}\nlog:\n{}", metrics(), self.node.log()));
    }

    /// Waits for an exec with these very arguments.
    pub fn expect_exec(&self, arguments: &[&str]) -> Exec {
        self.expect(&format!("an exec of {arguments:?}"), |records| exec_of(records, arguments))
    }
}

/// What the sensor last said of itself.
pub fn status(records: &[Record]) -> Option<SensorStatus> {
    records.iter().rev().find_map(|record| match record {
        Record::SensorStatus(status) => Some(SensorStatus::clone(status)),
        _ => None,
    })
}

/// A word that no other test uses.
pub fn unique(word: &str) -> String {
    let now = event_model::Timestamp::now().0;
    format!("{word}-{}-{now}", std::process::id())
}
