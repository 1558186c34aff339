//! A receiver of OpenTelemetry that is not ours: rotel, which takes what the publisher sends by gRPC and HTTP into its own
//! model and passes it on, where the test reads it.

use crate::backend::{Backend, Vault};
use crate::certificates::Authority;
use crate::collector::{Collector, bulky_event, event_numbers};
use crate::process::Home;
use crate::sink::{Kept, Sink, in_body, text};
use crate::waiting::until;
use event_model::Lane;
use free_ports::free_port;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};

/// Where the binary lies; installed on first use.
fn rotel() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/otlp-receiver/install.sh");
        let output = Command::new(script).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{script}: {told}");
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    })
}

/// A receiver with its ports, which another run of it takes again.
struct Receiver {
    grpc: u16,
    http: u16,
    kept: Arc<Kept>,
    sink: Sink,
    log: PathBuf,
    child: Option<Child>,
}

impl Receiver {
    fn new(home: &Home, name: &str) -> Self {
        let kept = Kept::new();
        let sink = Sink::behind_a_receiver(&kept);
        let (grpc, http, log) = (free_port(), free_port(), home.path(name));
        Self { grpc, http, kept, sink, log, child: None }
    }

    fn start(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let child = Command::new(rotel())
            .arg("start")
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{}", self.grpc)])
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{}", self.http)])
            .args(["--exporter", "otlp", "--otlp-exporter-protocol", "grpc"])
            .args(["--otlp-exporter-endpoint", &format!("http://{}", self.sink.address)])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap());
        let ports = [self.grpc, self.http];
        let listens = || ports.iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok());
        until("the receiver listens", listens, || self.log());
    }

    /// Ends it in order: what it answered for, it passes on.
    fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
        until("the receiver ended", || child.try_wait().unwrap().is_some(), || self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("{}:\n{}", self.log.display(), self.log());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_events_reach_a_real_receiver_by_both_protocols_though_it_was_away() {
    let (vault, authority) = (Vault::new(), Authority::new());
    let backend = Backend::start(&vault, &authority.server("localhost"), &authority);
    let home = Home::new();
    home.trust(&authority, &authority.client());
    let (mut by_grpc, mut by_http) =
        (Receiver::new(&home, "rotel-grpc.log"), Receiver::new(&home, "rotel-http.log"));
    by_grpc.start();
    by_http.start();
    home.configure(&format!("https://localhost:{}", backend.address.port()), "64MiB");
    home.configure_besides(&format!(
        "otlp: [{{ name: by-grpc, endpoint: \"http://127.0.0.1:{}\" }}, {{ name: by-http, protocol: http, endpoint: \"http://127.0.0.1:{}\" }}]\n",
        by_grpc.grpc, by_http.http,
    ));
    let publisher = home.start();
    let collector = Collector::start(home.socket());
    (1..=2000).for_each(|number| collector.outbox.send(bulky_event(number)));
    for receiver in [&by_grpc, &by_http] {
        until("some events arrived", || !receiver.kept.numbers().is_empty(), || home.log());
    }

    // One is away: the backend and the other get what comes meanwhile.
    by_grpc.stop();
    (2001..=4000).for_each(|number| collector.outbox.send(bulky_event(number)));
    collector.finish().await;
    until("the backend has all", || vault.count(Lane::Telemetry) == 4000, || home.log());
    let all: BTreeSet<u64> = (1..=4000).collect();
    until("the other has all", || by_http.kept.numbers() == all, || home.log());
    assert!(by_grpc.kept.numbers().len() < 4000, "it had all before it was away");
    publisher.wait_until_not_ready(&["otlp by-grpc"]);

    by_grpc.start();
    until(
        "it has all, now that it is back",
        || by_grpc.kept.numbers() == all,
        || (by_grpc.kept.numbers().len(), home.log()),
    );
    publisher.wait_until_ready();
    let at_backend = event_numbers(&vault.records(Lane::Telemetry));
    assert_eq!(at_backend, (1..=4000).collect::<Vec<_>>());
    for receiver in [&by_grpc, &by_http] {
        let record = receiver.kept.of_kind("exec").remove(0);
        assert_eq!(in_body(&record, &["class_uid"]), Some(Value::IntValue(1007)));
        assert!(text(&record, "log.record.uid").is_some_and(|id| id.contains("/telemetry/")));
        let (resource, _) = receiver.kept.records().remove(0);
        assert_eq!(resource["service.namespace"], "defender");
    }
}
