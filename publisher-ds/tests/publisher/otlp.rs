//! Receivers of OTLP logs beside the backend, and alone: what they answer, and what becomes of what is sent.

use crate::backend::{Backend, Vault};
use crate::certificates::Authority;
use crate::collector::{Collector, bulky_event, event};
use crate::process::{Home, Publisher};
use crate::sink::{Kept, Reply, Sink, in_body, text};
use crate::waiting::until;
use event_model::{Alert, AlertSubject, Priority, Timestamp};
use event_model::{
    Container, Executable, Host, Lane, Pod, Process, ProcessKey, ProcessRef, Record,
};
use event_model::{
    Inventory, InventoryItem, InventoryKind, InventorySubject, Package, PackageManager,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};
use tonic::Code;
use uuid::Uuid;

/// A publisher that sends to receivers alone.
fn home(destinations: &[String]) -> Home {
    let home = Home::new();
    home.configure("", "64MiB");
    home.configure_besides(&format!("otlp: [{}]\n", destinations.join(", ")));
    home
}

fn grpc(name: &str, sink: &Sink) -> String {
    format!(
        "{{ name: {name}, endpoint: \"http://{}\", resource: {{ k8s.cluster.name: main }} }}",
        sink.address
    )
}

fn http(name: &str, sink: &Sink) -> String {
    format!("{{ name: {name}, protocol: http, endpoint: \"http://{}\" }}", sink.address)
}

fn numbers(count: u64) -> BTreeSet<u64> {
    (1..=count).collect()
}

async fn send(home: &Home, numbers: impl IntoIterator<Item = u64>) {
    let collector = Collector::start(home.socket());
    for number in numbers {
        collector.outbox.send(event(number));
    }
    collector.finish().await;
}

fn wait_for(kept: &Kept, count: u64, home: &Home) {
    until(
        "all events arrived",
        || kept.numbers().len() as u64 >= count,
        || (kept.numbers().len(), home.log()),
    );
    assert_eq!(kept.numbers(), numbers(count));
}

fn wait_until_spool_is_empty(publisher: &Publisher<'_>, home: &Home, name: &str) {
    let metric = format!("defender_spool_records{{lane=\"telemetry\",destination=\"{name}\"}}");
    until("the spool is empty", || publisher.metric(&metric) == 0, || home.log());
}

fn acting(pid: u32) -> ProcessRef {
    ProcessRef { key: ProcessKey { pid, start_time: 10_000_000 }, generation: 0 }
}

fn entities() -> Vec<Record> {
    let executable = Executable { path: "/usr/bin/curl".into(), ..Executable::default() };
    let pod = Pod {
        uid: "u1".into(),
        name: Some("web-7d9".into()),
        namespace: Some("shop".into()),
        ..Pod::default()
    };
    let container = Container { id: "c1".into(), pod: Some(pod), ..Container::default() };
    let process = Process { reference: acting(7), executable, ..Process::default() };
    let host = Host { hostname: "node-1.example".into(), ..Host::default() };
    vec![
        Record::Host(host),
        Record::Container(Box::new(container)),
        Record::Process(Box::new(process)),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_arrives_with_what_its_entities_told() {
    let kept = Kept::new();
    let sink = Sink::grpc(&kept);
    let home = home(&[grpc("siem", &sink)]);
    let publisher = home.start();
    let collector = Collector::start(home.socket());
    for entity in entities() {
        collector.outbox.send(entity);
    }
    let Record::Event(mut told) = event(42) else { unreachable!() };
    (told.process, told.container) = (acting(7), Some("c1".into()));
    collector.outbox.send(Record::Event(told));
    collector.finish().await;
    until("the event arrived", || !kept.of_kind("exec").is_empty(), || home.log());

    let record = kept.of_kind("exec").remove(0);
    assert_eq!((record.time_unix_nano, record.event_name.as_str()), (42, "defender.exec"));
    assert_eq!(text(&record, "process.executable.path").as_deref(), Some("/usr/bin/curl"));
    assert_eq!(text(&record, "k8s.pod.name").as_deref(), Some("web-7d9"));
    assert_eq!(in_body(&record, &["class_uid"]), Some(Value::IntValue(1007)));
    let uid = text(&record, "log.record.uid").map(Value::StringValue);
    assert_eq!(in_body(&record, &["metadata", "uid"]), uid);
    let path = in_body(&record, &["process", "file", "path"]);
    assert_eq!(path, Some(Value::StringValue("/usr/bin/curl".into())));
    let (resource, _) =
        kept.records().into_iter().find(|(_, it)| it.event_name == "defender.exec").unwrap();
    assert_eq!(resource["k8s.node.name"], "node-1");
    assert_eq!(resource["k8s.cluster.name"], "main");
    assert_eq!(resource["host.name"], "node-1.example");
    // Entities complete others, and are not asked for here.
    assert!(kept.of_kind("process").is_empty());
    publisher.wait_until_ready();
}

fn alert() -> Record {
    let Record::Event(event) = event(42) else { unreachable!() };
    let executable = Executable { path: "/bin/sh".into(), ..Executable::default() };
    let process = Process { reference: acting(7), executable, ..Process::default() };
    let process_chain = vec![process];
    Record::Alert(Box::new(Alert {
        id: Uuid::from_u128(9),
        time: Timestamp(42),
        detected_at: Timestamp(43),
        rule: "Shell in a container".into(),
        priority: Priority::Critical,
        message: "a shell".into(),
        tags: vec!["mitre_execution".into()],
        subject: AlertSubject::Act { event, process_chain, container: None },
        host: Host::default(),
        matched_fields: Vec::new(),
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_is_a_finding_with_its_rule_and_severity() {
    let kept = Kept::new();
    let sink = Sink::grpc(&kept);
    let home = home(&[grpc("siem", &sink)]);
    let _publisher = home.start();
    let collector = Collector::start(home.socket());
    collector.outbox.send(alert());
    collector.finish().await;
    until("the alert arrived", || !kept.of_kind("alert").is_empty(), || home.log());
    let record = kept.of_kind("alert").remove(0);
    assert_eq!((record.time_unix_nano, record.observed_time_unix_nano), (42, 43));
    // Critical is ERROR2 in the mapping of the log data model's appendix.
    assert_eq!((record.severity_number, record.severity_text.as_str()), (18, "critical"));
    assert_eq!(text(&record, "security_rule.name").as_deref(), Some("Shell in a container"));
    assert_eq!(text(&record, "process.executable.path").as_deref(), Some("/bin/sh"));
    assert_eq!(in_body(&record, &["class_uid"]), Some(Value::IntValue(2004)));
    let title = in_body(&record, &["finding_info", "title"]);
    assert_eq!(title, Some(Value::StringValue("Shell in a container".into())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_away_holds_up_neither_the_backend_nor_another() {
    let (vault, authority) = (Vault::new(), Authority::new());
    let backend = Backend::start(&vault, &authority.server("localhost"), &authority);
    let (away, there) = (Kept::new(), Kept::new());
    let sink = Sink::grpc(&away);
    let (address, destination) = (sink.address, grpc("away", &sink));
    sink.kill();
    let other = Sink::http(&there);
    let home = Home::new();
    home.trust(&authority, &authority.client());
    home.configure(&format!("https://localhost:{}", backend.address.port()), "64MiB");
    home.configure_besides(&format!("otlp: [{destination}, {}]\n", http("there", &other)));
    let publisher = home.start();
    send(&home, 1..=6_000).await;
    wait_for(&there, 6_000, &home);
    until("the backend has all", || vault.count(Lane::Telemetry) == 6_000, || home.log());
    assert_eq!(away.numbers().len(), 0);
    publisher.wait_until_not_ready(&["otlp away", "not reachable"]);
    let is_told = || {
        let mut problems = vault.statuses().into_iter().flat_map(|status| status.problems);
        problems.any(|problem| problem.contains("otlp destination away"))
    };
    until("the publisher's status tells it", is_told, || home.log());

    let _sink = Sink::grpc_at(address, &away);
    wait_for(&away, 6_000, &home);
    publisher.wait_until_ready();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_killed_again_and_again_misses_nothing() {
    let kept = Kept::new();
    let mut sink = Sink::grpc(&kept);
    let address = sink.address;
    let home = home(&[grpc("siem", &sink)]);
    let _publisher = home.start();
    let collector = Collector::start(home.socket());
    let mut sent = 0;
    for _ in 0..4 {
        let before = kept.numbers().len();
        for _ in 0..1500 {
            sent += 1;
            collector.outbox.send(bulky_event(sent));
        }
        until("more arrived", || kept.numbers().len() > before, || home.log());
        sink.kill();
        sink = Sink::grpc_at(address, &kept);
    }
    collector.finish().await;
    wait_for(&kept, sent, &home);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_ends_at_rest_is_made_anew_without_a_word() {
    let kept = Kept::new();
    let mut sink = Sink::http(&kept);
    let address = sink.address;
    let home = home(&[http("siem", &sink)]);
    let publisher = home.start();
    for number in 1..=3 {
        send(&home, [number]).await;
        wait_for(&kept, number, &home);
        sink.kill();
        sink = Sink::http_at(address, &kept);
    }
    send(&home, [4]).await;
    wait_for(&kept, 4, &home);
    publisher.wait_until_ready();
    let failures = "defender_otlp_failures_total{destination=\"siem\",reason=\"transport\"}";
    assert_eq!(publisher.metric(failures), 0, "{}", home.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_publisher_sends_again_has_the_same_ids() {
    let kept = Kept::new();
    let sink = Sink::http(&kept);
    let home = home(&[http("siem", &sink)]);
    let mut sent = 0;
    for _ in 0..3 {
        let publisher = home.start();
        let (first, before) = (sent + 1, kept.numbers().len());
        sent += 4000;
        send(&home, first..=sent).await;
        until("some arrived", || kept.numbers().len() > before, || home.log());
        publisher.kill();
    }
    let _publisher = home.start();
    wait_for(&kept, sent, &home);
    let ids: BTreeSet<(Option<String>, u64)> = kept
        .of_kind("exec")
        .iter()
        .map(|record| (text(record, "log.record.uid"), record.time_unix_nano))
        .collect();
    assert_eq!(ids.len() as u64, sent, "an event came under two ids");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receivers_that_ask_for_patience_are_given_it_and_then_everything() {
    let (by_grpc, by_http) = (Kept::new(), Kept::new());
    let (grpc_sink, http_sink) = (Sink::grpc(&by_grpc), Sink::http(&by_http));
    let pause = Duration::from_secs(3);
    let after = ("retry-after", pause.as_secs().to_string());
    by_grpc.answer([
        Reply::Grpc(Code::ResourceExhausted, Some(pause)),
        Reply::Grpc(Code::Unavailable, None),
    ]);
    by_http.answer([Reply::Http(429, vec![after.clone()]), Reply::Http(503, vec![])]);
    let home = home(&[grpc("by-grpc", &grpc_sink), http("by-http", &http_sink)]);
    let publisher = home.start();
    send(&home, 1..=500).await;
    for kept in [&by_grpc, &by_http] {
        wait_for(kept, 500, &home);
        let requests = kept.requests();
        let waited = requests[1].0.duration_since(requests[0].0);
        assert!(waited >= pause, "asked again after {waited:?}");
    }
    for name in ["by-grpc", "by-http"] {
        wait_until_spool_is_empty(&publisher, &home, name);
        let busy =
            format!("defender_otlp_failures_total{{destination=\"{name}\",reason=\"busy\"}}");
        assert_eq!(publisher.metric(&busy), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_in_part_is_counted_and_not_sent_again() {
    let (by_grpc, by_http) = (Kept::new(), Kept::new());
    let (grpc_sink, http_sink) = (Sink::grpc(&by_grpc), Sink::http(&by_http));
    by_grpc.answer([Reply::Partly(1)]);
    by_http.answer([Reply::Partly(1)]);
    let home = home(&[grpc("by-grpc", &grpc_sink), http("by-http", &http_sink)]);
    let publisher = home.start();
    send(&home, 1..=100).await;
    for (name, kept) in [("by-grpc", &by_grpc), ("by-http", &by_http)] {
        wait_for(kept, 100, &home);
        let metric = format!("defender_otlp_log_records_rejected_total{{destination=\"{name}\"}}");
        until("it is counted", || publisher.metric(&metric) == 1, || home.log());
        let lost = |lane: &Lane| {
            let labels = format!("lane=\"{lane}\",reason=\"rejected\",destination=\"{name}\"");
            publisher.metric(&format!("defender_spool_dropped_total{{{labels}}}"))
        };
        let all_lost = || Lane::ALL.iter().map(lost).sum::<u64>();
        until("it counts as lost", || all_lost() == 1, || home.log());
        wait_until_spool_is_empty(&publisher, &home, name);
        assert_eq!(kept.of_kind("exec").len(), 100, "some were sent twice");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_receiver_refuses_for_good_is_counted_and_holds_nothing_up() {
    let (by_grpc, by_http) = (Kept::new(), Kept::new());
    let (grpc_sink, http_sink) = (Sink::grpc(&by_grpc), Sink::http(&by_http));
    let home = home(&[grpc("by-grpc", &grpc_sink), http("by-http", &http_sink)]);
    let publisher = home.start();
    for kept in [&by_grpc, &by_http] {
        until(
            "the first status arrived",
            || !kept.of_kind("sensor_status").is_empty(),
            || home.log(),
        );
    }
    by_grpc.answer([
        Reply::Grpc(Code::InvalidArgument, None),
        Reply::Grpc(Code::InvalidArgument, None),
    ]);
    by_http.answer([Reply::Http(400, vec![]), Reply::Http(400, vec![])]);
    // Each of these is an envelope or more of its own.
    for number in 1..=10 {
        send(&home, [number]).await;
    }
    for (name, kept) in [("by-grpc", &by_grpc), ("by-http", &by_http)] {
        until("it refused twice", || kept.has_answered_all(), || home.log());
        let lost = format!(
            "defender_spool_dropped_total{{lane=\"telemetry\",reason=\"rejected\",destination=\"{name}\"}}"
        );
        until(
            "the rest arrived",
            || kept.numbers().len() as u64 + publisher.metric(&lost) == 10,
            || (kept.numbers(), publisher.metric(&lost), home.log()),
        );
        assert!(publisher.metric(&lost) >= 1, "nothing was counted");
        wait_until_spool_is_empty(&publisher, &home, name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_refused_keeps_everything_until_another_is_there() {
    let kept = Kept::new();
    let sink = Sink::http(&kept);
    let home = Home::new();
    fs::write(home.path("token"), "Bearer old\n").unwrap();
    let token = home.path("token");
    home.configure("", "64MiB");
    home.configure_besides(&format!(
        "otlp: [{{ name: siem, protocol: http, endpoint: \"http://{}\", compression: none, headers: [{{ name: authorization, value_file: {} }}] }}]\n",
        sink.address,
        token.display(),
    ));
    kept.answer(vec![Reply::Http(401, vec![]); 2]);
    let publisher = home.start();
    send(&home, 1..=100).await;
    publisher.wait_until_not_ready(&["otlp siem", "401"]);
    fs::write(&token, "Bearer new\n").unwrap();
    wait_for(&kept, 100, &home);
    let requests = kept.requests();
    assert_eq!(requests[0].1["authorization"], "Bearer old");
    assert_eq!(requests.last().unwrap().1["authorization"], "Bearer new");
    assert!(!home.log().contains("Bearer"), "{}", home.log());
    publisher.wait_until_ready();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_over_tls_is_asked_for_its_certificate_and_shown_ours() {
    let (by_grpc, by_http, authority) = (Kept::new(), Kept::new(), Authority::new());
    let certificate = authority.server("localhost");
    let grpc_sink = Sink::grpc_with_tls(&by_grpc, &certificate, &authority);
    let http_sink = Sink::http_with_tls(&by_http, &certificate, &authority);
    let home = Home::new();
    let files = format!(
        "ca_file: {}, certificate_file: {}, key_file: {}",
        home.path("ca.crt").display(),
        home.path("tls.crt").display(),
        home.path("tls.key").display(),
    );
    home.configure("", "64MiB");
    home.configure_besides(&format!(
        "otlp: [{{ name: by-grpc, endpoint: \"https://localhost:{}\", {files} }}, {{ name: by-http, protocol: http, endpoint: \"https://localhost:{}\", {files} }}]\n",
        grpc_sink.address.port(),
        http_sink.address.port(),
    ));
    let stranger = Authority::named("another authority");
    home.trust(&stranger, &authority.client());
    let publisher = home.start();
    send(&home, 1..=100).await;
    publisher.wait_until_not_ready(&["otlp by-grpc", "otlp by-http", "no TLS", "UnknownIssuer"]);
    assert!(by_grpc.numbers().is_empty() && by_http.numbers().is_empty());
    // The true authority, mounted later, is taken up by itself.
    home.trust(&authority, &authority.client());
    wait_for(&by_grpc, 100, &home);
    wait_for(&by_http, 100, &home);
    publisher.wait_until_ready();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_inventory_goes_in_requests_that_receivers_take() {
    let kept = Kept::new();
    let sink = Sink::grpc(&kept);
    let home = home(&[grpc("siem", &sink)]);
    let _publisher = home.start();
    let collector = Collector::start(home.socket());
    // 3,000 packages are some 5 MB of log records, and receivers take 4 MiB at once by default.
    let packages = 0..3000;
    let package = |number: i32| {
        InventoryItem::Package(Package {
            manager: PackageManager::Dpkg,
            name: format!("package-{number}"),
            version: "1".into(),
            architecture: None,
            source: None,
            path: None,
        })
    };
    collector.outbox.send(Record::Inventory(Box::new(Inventory {
        subject: InventorySubject::Node,
        kind: InventoryKind::Packages,
        scanned_at: Timestamp(42),
        changed: packages.clone().map(package).collect(),
        removed: Vec::new(),
        snapshot_items: Some(3000),
    })));
    collector.finish().await;
    until(
        "each package arrived",
        || kept.of_kind("inventory").len() >= packages.len(),
        || (kept.of_kind("inventory").len(), home.log()),
    );
    let records = kept.of_kind("inventory");
    let ids: BTreeSet<_> = records.iter().map(|it| text(it, "log.record.uid")).collect();
    assert_eq!((records.len(), ids.len()), (packages.len(), packages.len()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_may_go_alone_and_as_json() {
    let kept = Kept::new();
    let sink = Sink::http(&kept);
    let home = Home::new();
    home.configure("", "64MiB");
    home.configure_besides(&format!(
        "otlp: [{{ name: siem, protocol: http, endpoint: \"http://{}\", lanes: [alert], body: json }}]\n",
        sink.address,
    ));
    let publisher = home.start();
    send(&home, 1..=100).await;
    let begun = Instant::now();
    until("a status arrived", || !kept.of_kind("sensor_status").is_empty(), || home.log());
    wait_until_spool_is_empty(&publisher, &home, "siem");
    assert!(kept.numbers().is_empty(), "after {:?}", begun.elapsed());
    let record = kept.of_kind("sensor_status").remove(0);
    let Some(Value::StringValue(json)) = record.body.unwrap().value else { panic!("no text") };
    assert!(json.contains("\"class_uid\":6002"), "{json}");
}

#[test]
fn a_destination_that_can_not_be_is_refused_with_its_key() {
    for (text, words) in [
        ("otlp: [{ name: siem, endpoint: \"http://192.0.2.1:4317\" }]", "insecure: true"),
        ("otlp: [{ name: siem, endpoint: \"http://localhost\", tokens: x }]", "tokens"),
        ("otlp: []", "backend.url"),
    ] {
        let home = Home::new();
        home.configure("", "64MiB");
        home.configure_besides(&format!("{text}\n"));
        let mut publisher = home.start();
        until("it ended", || !publisher.is_running(), || home.log());
        assert!(home.log().contains(words), "{text}: {}", home.log());
    }
}
