//! The publisher's binary, its files, and its admin port.

use crate::certificates::{Authority, Pair};
use crate::waiting::until;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where a publisher lives: directories, certificates, configuration.
pub struct Home {
    directory: tempfile::TempDir,
    admin: SocketAddr,
}

impl Home {
    pub fn new() -> Self {
        let admin = SocketAddr::from(([127, 0, 0, 1], free_ports::free_port()));
        Self { directory: tempfile::tempdir().unwrap(), admin }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn socket(&self) -> PathBuf {
        self.path("run/publisher.sock")
    }

    pub fn spool(&self) -> PathBuf {
        self.path("spool")
    }

    /// Puts all certificate files in their places.
    pub fn trust(&self, authority: &Authority, client: &Pair) {
        fs::write(self.path("ca.crt"), authority.certificate()).unwrap();
        fs::write(self.path("tls.crt"), &client.certificate).unwrap();
        fs::write(self.path("tls.key"), &client.key).unwrap();
    }

    pub fn configure(&self, backend: &str, spool_bytes: &str) {
        self.write_configuration(&self.way_to(backend), spool_bytes, "");
    }

    /// With more keys of `backend` (each `, key: value`) and more sections.
    pub fn configure_further(&self, backend: &str, keys: &str, sections: &str) {
        self.write_configuration(&format!("{}{keys}", self.way_to(backend)), "64MiB", sections);
    }

    /// With a token in the file `token`, and no certificate.
    pub fn configure_token(&self, backend: &str, sections: &str) {
        let (ca, token) = (self.path("ca.crt"), self.path("token"));
        let way = format!(
            "url: \"{backend}\", ca_file: {}, token_file: {}, certificate_file: '', key_file: ''",
            ca.display(),
            token.display()
        );
        self.write_configuration(&way, "64MiB", sections);
    }

    /// `backend` is a URL, or several with `", "` between them.
    fn way_to(&self, backend: &str) -> String {
        format!(
            "url: [\"{backend}\"], ca_file: {ca}, certificate_file: {certificate}, key_file: {key}",
            ca = self.path("ca.crt").display(),
            certificate = self.path("tls.crt").display(),
            key = self.path("tls.key").display(),
        )
    }

    fn write_configuration(&self, way: &str, spool_bytes: &str, sections: &str) {
        let text = format!(
            "node: {{ name: node-1 }}\n\
             admin: {{ listen: \"{admin}\" }}\n\
             listen: {{ socket: {socket}, allowed_uids: [0, {uid}] }}\n\
             spool: {{ directory: {spool}, maximum_bytes: {spool_bytes}, segment_bytes: 1MiB }}\n\
             backend: {{ {way} }}\n{sections}\n",
            admin = self.admin,
            socket = self.socket().display(),
            uid = nix::unistd::geteuid(),
            spool = self.spool().display(),
        );
        fs::write(self.path("publisher-ds.yaml"), text).unwrap();
    }

    /// Adds to what was configured.
    pub fn configure_besides(&self, text: &str) {
        let path = self.path("publisher-ds.yaml");
        let mut configured = fs::read_to_string(&path).unwrap();
        configured.push_str(text);
        fs::write(path, configured).unwrap();
    }

    pub fn start(&self) -> Publisher<'_> {
        self.start_with(|_| ())
    }

    /// Starts it by a command that the caller changed. It names no proxy.
    pub fn start_with(&self, change: impl FnOnce(&mut Command)) -> Publisher<'_> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_publisher-ds"));
        for name in ["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        change(&mut command);
        self.run(command)
    }

    /// Starts it with these variables.
    pub fn start_in(&self, environment: &[(&str, &str)]) -> Publisher<'_> {
        self.start_with(|command| _ = command.envs(environment.iter().copied()))
    }

    /// Starts it where names are looked up in this file, which may change.
    pub fn start_with_hosts(&self, hosts: &Path) -> Publisher<'_> {
        let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
        let mut command = Command::new("unshare");
        if !nix::unistd::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command.args(["--mount", "sh", "-c", script]).arg(hosts);
        command.arg(env!("CARGO_BIN_EXE_publisher-ds"));
        self.run(command)
    }

    fn run(&self, mut command: Command) -> Publisher<'_> {
        let log = File::options().create(true).append(true).open(self.path("log")).unwrap();
        let child = command
            .arg("--config")
            .arg(self.path("publisher-ds.yaml"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Publisher { home: self, child }
    }

    /// What the publisher logged, its end.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// All that the publisher logged.
    pub fn whole_log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// All segment files of a lane.
    pub fn segments(&self, lane: &str) -> Vec<PathBuf> {
        files_with(&self.spool().join(lane), "segment")
    }

    pub fn corrupt_files(&self, lane: &str) -> Vec<PathBuf> {
        files_with(&self.spool().join(lane), "corrupt")
    }
}

fn files_with(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|its| its == extension));
    paths.sort();
    paths
}

/// A running publisher. Killed when it is dropped.
pub struct Publisher<'a> {
    home: &'a Home,
    child: Child,
}

impl Publisher<'_> {
    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and an end in order.
    pub fn stop(mut self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::SIGTERM).unwrap();
        let mut status = None;
        until(
            "the publisher ended",
            || {
                status = self.child.try_wait().unwrap();
                status.is_some()
            },
            || self.home.log(),
        );
        assert!(status.unwrap().success(), "{}", self.home.log());
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Status line and body of `/readyz`; empty while the admin server does not answer.
    pub fn readiness(&self) -> String {
        self.get("/readyz")
    }

    pub fn wait_until_ready(&self) {
        until(
            "the publisher is ready",
            || self.readiness().starts_with("HTTP/1.1 200"),
            || (self.readiness(), self.home.log()),
        );
    }

    /// Waits until some part is not ready for a reason that holds all the words.
    pub fn wait_until_not_ready(&self, words: &[&str]) {
        until(
            &format!("the publisher says {words:?}"),
            || {
                let text = self.readiness();
                text.starts_with("HTTP/1.1 503") && words.iter().all(|word| text.contains(word))
            },
            || (self.readiness(), self.home.log()),
        );
    }

    /// The sum of the metric lines that begin with `name`.
    pub fn metric_sum(&self, name: &str) -> u64 {
        let metrics = self.metrics();
        let lines = metrics.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// The value of a metric line that begins with `name`; 0 where it is not there yet.
    pub fn metric(&self, name: &str) -> u64 {
        let metrics = self.metrics();
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0, |value| value.trim().parse().unwrap())
    }

    fn metrics(&self) -> String {
        let mut metrics = String::new();
        let is_told = || {
            metrics = self.get("/metrics");
            metrics.starts_with("HTTP/1.1 200")
        };
        until("the metrics are told", is_told, || self.home.log());
        metrics
    }

    fn get(&self, path: &str) -> String {
        let ask = || {
            let mut stream = TcpStream::connect_timeout(&self.home.admin, Duration::from_secs(2))?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok::<_, std::io::Error>(answer)
        };
        ask().unwrap_or_default()
    }
}

impl Drop for Publisher<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the publisher's log ends:\n{}", self.home.log());
        }
    }
}
