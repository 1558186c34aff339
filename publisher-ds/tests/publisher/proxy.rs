//! Proxies as companies run them, each a process of its own: squid, tinyproxy, and mitmproxy, which inspects TLS.

use crate::certificates::Authority;
use crate::waiting::until;
use free_ports::free_port;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

pub const USER: &str = "joe";
pub const PASSWORD: &str = "hunter2-and-no-other";

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A running proxy that knows one user. Killed when it is dropped.
pub struct Proxy {
    pub port: u16,
    folder: TempDir,
    command: Vec<String>,
    process: Option<Child>,
}

impl Proxy {
    pub fn squid() -> Self {
        Self::squid_at(&|port| format!("http_port 127.0.0.1:{port}"), |_| {})
    }

    /// It is spoken to over TLS, and has a certificate of the authority for `localhost`.
    pub fn squid_over_tls(authority: &Authority) -> Self {
        let listen = |port| format!("https_port 127.0.0.1:{port} tls-cert=tls.pem");
        let pair = authority.server("localhost");
        Self::squid_at(&listen, |folder| {
            fs::write(folder.join("tls.pem"), format!("{}{}", pair.certificate, pair.key)).unwrap();
        })
    }

    fn squid_at(listen: &dyn Fn(u16) -> String, prepare: impl FnOnce(&Path)) -> Self {
        let (folder, port) = (folder(), free_port());
        prepare(folder.path());
        let hashed = output(Command::new("openssl").args(["passwd", "-apr1", PASSWORD]));
        fs::write(folder.path().join("users"), format!("{USER}:{hashed}\n")).unwrap();
        let configuration = format!(
            "{listen}\n\
             auth_param basic program /usr/lib/squid/basic_ncsa_auth {folder}/users\n\
             auth_param basic children 1\n\
             acl users proxy_auth REQUIRED\n\
             http_access allow users\n\
             http_access deny all\n\
             cache deny all\n\
             cache_mem 8 MB\n\
             access_log stdio:{folder}/log\n\
             cache_log {folder}/cache.log\n\
             coredump_dir {folder}\n\
             pid_filename none\n\
             pinger_enable off\n\
             workers 1\n\
             max_filedescriptors 1024\n\
             visible_hostname test\n",
            listen =
                listen(port).replace("tls.pem", &format!("{}/tls.pem", folder.path().display())),
            folder = folder.path().display(),
        );
        let path = write(&folder, "squid.conf", &configuration);
        Self::start(port, folder, &["/usr/sbin/squid", "-N", "-f", &path])
    }

    /// It connects to this port alone.
    pub fn tinyproxy(allowed: u16) -> Self {
        let (folder, port) = (folder(), free_port());
        let configuration = format!(
            "Port {port}\nListen 127.0.0.1\nTimeout 600\nMaxClients 16\nLogLevel Connect\n\
             LogFile \"{}/log\"\nBasicAuth {USER} {PASSWORD}\nConnectPort {allowed}\n",
            folder.path().display(),
        );
        let path = write(&folder, "tinyproxy.conf", &configuration);
        Self::start(port, folder, &["/usr/bin/tinyproxy", "-d", "-c", &path])
    }

    /// It shakes hands in the place of the backend, whose authority it trusts.
    pub fn mitmproxy(backend: &Authority) -> Self {
        let (folder, port) = (folder(), free_port());
        let program = output(&mut Command::new(format!("{REPOSITORY}/tests/proxies/mitmdump.sh")));
        let trusted = write(&folder, "backend.crt", &backend.certificate());
        let script = format!("{REPOSITORY}/tests/proxies/stream.py");
        let options = [
            format!("confdir={}", folder.path().display()),
            format!("ssl_verify_upstream_trusted_ca={trusted}"),
            format!("proxyauth={USER}:{PASSWORD}"),
            format!("listen_port={port}"),
            "listen_host=127.0.0.1".to_owned(),
            "flow_detail=1".to_owned(),
        ];
        let mut command = vec![program.as_str(), "-s", &script];
        command.extend(options.iter().flat_map(|option| ["--set", option]));
        Self::start(port, folder, &command)
    }

    fn start(port: u16, folder: TempDir, command: &[&str]) -> Self {
        let command = command.iter().map(|&part| part.to_owned()).collect();
        let mut proxy = Self { port, folder, command, process: None };
        proxy.run();
        proxy
    }

    /// Starts it, again after `kill`, and waits until it listens.
    pub fn run(&mut self) {
        let path = self.folder.path().join("output");
        let output = fs::File::options().create(true).append(true).open(path).unwrap();
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).stdin(Stdio::null());
        command.stdout(output.try_clone().unwrap()).stderr(output);
        self.process = Some(command.spawn().unwrap_or_else(|error| {
            panic!("{}: {error}: `cargo xtask test` installs it", self.command[0])
        }));
        until(
            "the proxy listens",
            || TcpStream::connect(("127.0.0.1", self.port)).is_ok(),
            || self.log(),
        );
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// What it logged: the connections that it made among it.
    pub fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        format!("{}{}{}", read("log"), read("cache.log"), read("output"))
    }

    /// The authority that it made for itself: mitmproxy.
    pub fn authority(&self) -> String {
        fs::read_to_string(self.folder.path().join("mitmproxy-ca-cert.pem")).unwrap()
    }

    /// The section `proxy` of a publisher that knows user and password from these files.
    pub fn section(&self, scheme: &str, files: &Path) -> String {
        let path = |name: &str| files.join(name).display().to_string();
        format!(
            "proxy: {{ url: \"{scheme}://localhost:{}\", username_file: {}, password_file: {}, ca_file: {} }}",
            self.port,
            path("proxy-user"),
            path("proxy-password"),
            path("proxy-ca.crt"),
        )
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the proxy's log:\n{}", self.log());
        }
    }
}

/// Where a proxy's user may write, too: squid leaves root behind.
fn folder() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

fn write(folder: &TempDir, name: &str, text: &str) -> String {
    let path: PathBuf = folder.path().join(name);
    fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    path.display().to_string()
}

fn output(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
