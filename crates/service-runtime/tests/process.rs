//! The runtime driven from outside, as init, the kubelet and Prometheus drive it: the process of
//! `examples/courier.rs`, its signals, exit codes, ports and messages.

#![allow(clippy::unwrap_used)] // The lint knows only functions marked #[test] as tests.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_mins(2);

/// A courier process, killed when the test leaves it behind.
struct Courier {
    process: Child,
    log: Arc<Mutex<String>>,
    folder: tempfile::TempDir,
}

fn executable() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let courier = tests.ancestors().nth(2).unwrap().join("examples/courier");
    assert!(courier.exists(), "{} is missing: build the examples", courier.display());
    courier
}

fn command(folder: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(executable());
    command
        .env("DEFENDER_ADMIN__LISTEN", "127.0.0.1:0")
        .env("DEFENDER_COURIER__DIARY", folder.join("diary"))
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Courier {
    fn start(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = command(folder.path(), variables).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let gathered = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = gathered.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { process, log, folder }
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until `look` finds something.
    fn wait_for<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(began.elapsed() < DEADLINE, "no {what}; the log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn wait_for_log(&self, words: &str) {
        self.wait_for(words, |courier| courier.log().contains(words).then_some(()));
    }

    /// The address of the admin server, from the log line that tells it.
    fn admin(&self) -> SocketAddr {
        self.wait_for("admin address", |courier| {
            let log = courier.log();
            let (_, rest) = log.split_once("\"admin\":\"")?;
            rest.split('"').next()?.parse().ok()
        })
    }

    fn diary(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("diary")).unwrap_or_default()
    }

    /// Waits until the courier stands ready.
    fn ready(self) -> Self {
        let admin = self.admin();
        self.wait_for("readiness", |_| {
            get(admin, "/readyz").starts_with("HTTP/1.1 200").then_some(())
        });
        self
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().cast_signed()), signal).unwrap();
    }

    fn end(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < DEADLINE, "it does not end; the log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn converse(address: SocketAddr, request: &[u8]) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    connection.write_all(request).unwrap();
    let mut answer = Vec::new();
    // A server that refuses a request may reset the connection: what came before counts.
    let _ = connection.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(address: SocketAddr, path: &str) -> String {
    converse(address, format!("GET {path} HTTP/1.1\r\nhost: courier\r\n\r\n").as_bytes())
}

/// Runs the courier to its end: exit code, standard output, standard error.
fn run(variables: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path(), variables).args(arguments).output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn sigterm_and_sigint_drain_and_end_with_zero() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut courier = Courier::start(&[]).ready();
        assert_eq!(courier.diary(), "started\n");
        courier.signal(signal);
        assert_eq!(courier.end().code(), Some(0), "{signal}: {}", courier.log());
        assert_eq!(courier.diary(), "drained\n", "{signal}: {}", courier.log());
    }
}

#[test]
fn a_service_that_drains_lives_and_is_not_ready() {
    let courier = Courier::start(&[("DEFENDER_COURIER__BEHAVIOUR", "stuck")]).ready();
    let admin = courier.admin();
    courier.signal(Signal::SIGTERM);
    courier.wait_for_log("shutting down");
    let answer = courier.wait_for("unreadiness", |_| {
        Some(get(admin, "/readyz")).filter(|answer| answer.starts_with("HTTP/1.1 503"))
    });
    assert!(answer.contains("[-]service: shutting down"), "{answer}");
    assert!(get(admin, "/healthz").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_second_signal_ends_at_once() {
    for behaviour in ["stuck", "blocking"] {
        let mut courier = Courier::start(&[("DEFENDER_COURIER__BEHAVIOUR", behaviour)]);
        courier.wait_for("start", |courier| (courier.diary() == "started\n").then_some(()));
        courier.signal(Signal::SIGTERM);
        courier.wait_for_log("a second signal ends at once");
        let began = Instant::now();
        courier.signal(Signal::SIGINT);
        assert_eq!(courier.end().code(), Some(130), "{behaviour}: {}", courier.log());
        assert!(began.elapsed() < Duration::from_secs(2), "{behaviour}: {:?}", began.elapsed());
    }
}

#[test]
fn a_drain_is_bounded_and_names_what_was_stuck() {
    let variables =
        [("DEFENDER_COURIER__BEHAVIOUR", "stuck"), ("DEFENDER_SHUTDOWN__GRACE_SECONDS", "1")];
    let mut courier = Courier::start(&variables).ready();
    courier.signal(Signal::SIGTERM);
    assert_eq!(courier.end().code(), Some(1));
    courier.wait_for_log("still running after 1s of shutdown: courier");
}

#[test]
fn even_a_blocked_runtime_is_ended_in_the_end() {
    let variables =
        [("DEFENDER_COURIER__BEHAVIOUR", "blocking"), ("DEFENDER_SHUTDOWN__GRACE_SECONDS", "1")];
    let mut courier = Courier::start(&variables);
    courier.wait_for("start", |courier| (courier.diary() == "started\n").then_some(()));
    courier.signal(Signal::SIGTERM);
    assert_eq!(courier.end().code(), Some(1));
    courier.wait_for_log("stuck in shutdown");
}

#[test]
fn a_panic_or_an_error_of_a_task_is_logged_and_ends_with_one() {
    for (behaviour, words) in [
        ("panicking", "courier panicked: the courier fell"),
        ("failing", "courier failed: the courier quit"),
    ] {
        let (code, _, log) = run(&[("DEFENDER_COURIER__BEHAVIOUR", behaviour)], &[]);
        assert_eq!(code, Some(1), "{log}");
        assert!(log.contains(words), "{log}");
    }
}

#[test]
fn a_port_in_use_is_told_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, _, log) = run(&[("DEFENDER_ADMIN__LISTEN", &address)], &[]);
    assert_eq!(code, Some(1), "{log}");
    for words in [&address, "Address already in use", "admin.listen", "DEFENDER_ADMIN__LISTEN"] {
        assert!(log.contains(words), "no {words:?} in {log}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_told_by_its_name() {
    let (code, _, log) = run(&[("DEFENDER_COURIER__DIARY", "/proc/version/diary")], &[]);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("cannot write the diary /proc/version/diary: Not a directory"), "{log}");
}

#[test]
fn a_full_standard_output_is_an_error_of_check_config() {
    let folder = tempfile::tempdir().unwrap();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut check = command(folder.path(), &[]);
    let output = check.arg("--check-config").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("cannot print the configuration"), "{log}");
}

#[test]
fn wrong_configuration_is_told_in_plain_text_and_ends_with_two() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("courier.yaml");
    std::fs::write(&file, "courier:\n  behavior: orderly\n").unwrap();
    let (code, _, error) = run(&[], &["--config", file.to_str().unwrap()]);
    assert_eq!(code, Some(2), "{error}");
    let expected = format!(
        "{}:2:3: unknown key courier.behavior; did you mean courier.behaviour?",
        file.display()
    );
    assert!(error.contains(&expected), "{error}");
    let (code, _, error) = run(&[], &["--konfig", "x"]);
    assert_eq!(code, Some(2), "{error}");
}

#[test]
fn check_config_prints_what_holds_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("courier.yaml");
    std::fs::write(&file, "courier: {password: swordfish}\nlog: {level: warn}\n").unwrap();
    let variables = [
        ("DEFENDER_CONFIG", file.to_str().unwrap()),
        ("DEFENDER_COURIER__BEHAVIOUR", "stuck"),
        ("DEFENDER_COURIER__DIARY", "/proc/version/unwritable"),
    ];
    let (code, printed, error) = run(&variables, &["--check-config"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(printed.contains("behaviour: stuck") && printed.contains("level: warn"), "{printed}");
    assert!(!printed.contains("swordfish"), "{printed}");
}

#[test]
fn help_and_version_teach() {
    let (code, help, _) = run(&[], &["--help"]);
    assert_eq!(code, Some(0));
    for words in [
        "Carries nothing",
        "--check-config",
        "DEFENDER_CONFIG",
        "admin.listen",
        "\"127.0.0.1:9198\"",
        "DEFENDER_LOG__LEVEL=debug",
        "/readyz",
        "Exit codes",
    ] {
        assert!(help.contains(words), "no {words:?} in {help}");
    }
    let (code, version, _) = run(&[], &["--version"]);
    assert_eq!(code, Some(0));
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
}

#[test]
fn metrics_follow_the_text_format_of_prometheus() {
    let courier = Courier::start(&[]).ready();
    let answer = get(courier.admin(), "/metrics");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    for line in [
        "# TYPE process_cpu_seconds_total counter",
        "# TYPE defender_build_info gauge",
        "defender_part_ready{part=\"legs\"} 1",
    ] {
        assert!(body.lines().any(|it| it == line), "no {line:?} in\n{body}");
    }
    assert!(body.contains("defender_build_info{component=\"service-runtime\",version=\""));
    for line in body.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let value = line.rsplit(' ').next().unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line:?}");
    }
}

#[test]
fn the_admin_server_refuses_what_it_does_not_serve() {
    let courier = Courier::start(&[]).ready();
    let admin = courier.admin();
    assert!(get(admin, "/secret").starts_with("HTTP/1.1 404"));
    let post = converse(admin, b"POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
    assert!(post.starts_with("HTTP/1.1 405"), "{post}");
    let mut long = b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: ".to_vec();
    long.resize(1 << 20, b'y');
    let answer = converse(admin, &long);
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    let _ = converse(admin, b"\x16\x03\x01\x02\x00\x01 this is no HTTP\r\n\r\n");
    assert!(get(admin, "/healthz").starts_with("HTTP/1.1 200"));
}

#[test]
fn idle_connections_do_not_lock_the_admin_server_up() {
    let courier = Courier::start(&[]).ready();
    let admin = courier.admin();
    let idle: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(admin).unwrap()).collect();
    let asked = Instant::now();
    let metrics = get(admin, "/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    assert!(asked.elapsed() < Duration::from_secs(2), "it took {:?}", asked.elapsed());
    let open = metrics.lines().find(|line| line.starts_with("process_open_fds ")).unwrap();
    let open: u32 = open.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(open < 35, "connections are not bounded: {open} descriptors");
    drop(idle);
}

#[test]
fn logs_are_json_where_no_terminal_reads_them() {
    let mut courier = Courier::start(&[("DEFENDER_LOG__LEVEL", "debug")]).ready();
    courier.signal(Signal::SIGTERM);
    courier.end();
    courier.wait_for_log("ended");
    for line in courier.log().lines() {
        let record: serde_json::Value = serde_json::from_str(line).expect(line);
        for field in ["timestamp", "level", "target", "message"] {
            assert!(record[field].is_string(), "no {field} in {line}");
        }
    }
    let text = Courier::start(&[("DEFENDER_LOG__FORMAT", "text")]);
    text.wait_for("text", |courier| courier.log().contains(" INFO ").then_some(()));
}
