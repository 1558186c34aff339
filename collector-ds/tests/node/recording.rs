//! What the rules of the sensor were asked on this node is recorded, and asked again.

use crate::expect::{alerts, wait_for};
use crate::sensor::{Node, Running, Sensor, status, unique};
use capture::{CaptureError, Entry, Reader, Summary, Verdict, replay};
use event_model::{Alert, Record};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A node with rules about what this test does and nobody else.
struct Marked {
    mark: String,
    secret: PathBuf,
    port: u16,
    audit: PathBuf,
    file: PathBuf,
}

impl Marked {
    fn on(node: &mut Node) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let marked = Self {
            mark: unique("recorded"),
            secret: node.path("secret"),
            port,
            audit: node.path("audit.log"),
            file: node.path("capture"),
        };
        std::fs::write(&marked.secret, "secret").expect("a file");
        std::fs::write(node.path("rules/marked.yaml"), marked.rules()).expect("a rule file");
        node.kernel = json!({ "network": { "loopback": true } });
        node.more.insert("audit".into(), json!({ "path": marked.audit }));
        node.more.insert("inventory".into(), json!({ "enabled": false }));
        node.send_each_alert();
        marked
    }

    fn rules(&self) -> String {
        let (mark, secret, port) = (&self.mark, self.secret.display(), self.port);
        let rule = |name: &str, condition: String, more: &str| {
            format!(
                "- rule: {name}\n  desc: d\n  condition: {condition}\n  priority: NOTICE\n  {more}\n"
            )
        };
        let output = "output: \"%proc.name %proc.ppid %proc.aname[2] %fd.name %evt.time\"";
        let marked = format!("evt.type = execve and proc.args contains {mark}");
        let below =
            format!("evt.type = execve and proc.name = true and proc.pcmdline contains {mark}");
        let read = format!("evt.type = open and fd.name = {secret} and proc.name = cat");
        let three = "output: three\n  defender: {at_least: 3, within: 60s, by: [proc.name]}";
        let request = "output: \"%ka.verb\"\n  source: k8s_audit";
        [
            rule("Marked program", marked.clone(), output),
            rule("Marked program below a marked shell", below, output),
            rule("Marked file", read, output),
            rule("Marked port", format!("evt.type = connect and fd.sport = {port}"), output),
            rule("Three marked programs", marked, three),
            rule("Marked request", format!("ka.user.name = {mark}"), request),
        ]
        .concat()
    }

    /// Harmless acts, each of which raises an alert.
    fn act(&self) {
        for _ in 0..4 {
            let status = Command::new("/bin/sh")
                .args([
                    "-c",
                    &format!("cat {}; true; /bin/true # {}", self.secret.display(), self.mark),
                ])
                .stdout(std::process::Stdio::null())
                .status();
            assert!(status.expect("a shell").success());
        }
        // The listener is gone: nothing is there to connect to.
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err());
        let request = json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "a",
            "stage": "ResponseComplete", "verb": "list", "requestURI": "/api/v1/pods",
            "user": { "username": self.mark }, "responseStatus": { "code": 200 },
            "requestReceivedTimestamp": "2026-11-22T18:42:02.662022Z", "stageTimestamp": "2026-11-22T18:42:02.664149Z",
        });
        std::fs::write(&self.audit, format!("{request}\n")).expect("the audit file");
    }
}

const RULES: [&str; 6] = [
    "Marked file",
    "Marked port",
    "Marked program",
    "Marked program below a marked shell",
    "Marked request",
    "Three marked programs",
];

/// Starts the sensor with these flags.
fn start(node: Node, flags: &[&str]) -> Sensor {
    let publisher = node.publisher();
    let process = node.command().args(flags).process_group(0).spawn();
    let process = Running(process.expect("the sensor starts"));
    let sensor = Sensor { node, publisher, process };
    sensor.expect("the sensor's status", |records| {
        status(records).filter(|status| !status.probes.is_empty())
    });
    sensor
}

fn open(file: &Path) -> Result<Reader<BufReader<File>>, CaptureError> {
    Reader::new(BufReader::new(File::open(file).expect("the capture")))
}

fn names(records: &[Record]) -> BTreeSet<String> {
    alerts(records).map(|alert| alert.rule.clone()).collect()
}

fn ids<'a>(alerts: impl Iterator<Item = &'a Alert>) -> BTreeSet<String> {
    alerts.map(|alert| format!("{} {}", alert.id, alert.rule)).collect()
}

fn replayed(file: &Path) -> (Vec<capture::Replayed>, Summary) {
    let mut all = vec![];
    let summary = replay(open(file).expect("a capture"), None, |replayed| all.push(replayed));
    (all, summary.unwrap_or_else(|error| panic!("{error}")))
}

#[test]
fn what_the_sensor_recorded_replays_to_the_alerts_that_it_raised() {
    let mut node = Node::new();
    let marked = Marked::on(&mut node);
    let mut sensor = start(node, &["--record", marked.file.to_str().expect("a plain path")]);
    marked.act();
    sensor.expect("an alert of each rule", |records| {
        RULES.iter().all(|rule| names(records).contains(*rule)).then_some(())
    });
    assert!(sensor.process.terminate().success(), "{}", sensor.node.log());

    let (replayed, summary) = replayed(&marked.file);
    let differing: Vec<_> =
        replayed.iter().filter(|replayed| replayed.verdict != Verdict::Same).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    assert_eq!(summary.end.as_ref().ok().map(String::as_str), Some("the sensor ended"));
    let names: BTreeSet<_> = replayed.iter().map(|replayed| replayed.alert.rule.as_str()).collect();
    assert_eq!(names, RULES.into());
    let entries = open(&marked.file).expect("a capture").map(|entry| entry.expect("an entry"));
    let recorded: Vec<Alert> = entries
        .filter_map(|entry| match entry {
            Entry::Alert(alert) => Some(*alert),
            _ => None,
        })
        .collect();
    let published = sensor.look(|records| ids(alerts(records)));
    assert_eq!(ids(recorded.iter()), published, "what was recorded is what was sent");
    let wanted = [4, 4, 4, 1, 1, 1].iter().sum();
    assert!(recorded.len() >= wanted, "{} alerts", recorded.len());
}

#[test]
fn at_its_bound_a_recording_ends_and_the_sensor_goes_on() {
    let mut node = Node::new();
    let marked = Marked::on(&mut node);
    let file = marked.file.to_str().expect("a plain path");
    let sensor = start(node, &["--record", file, "--record-bytes", "64KiB"]);
    let is_over = || {
        assert!(Command::new("/bin/true").status().expect("it runs").success());
        let metrics = sensor.node.ask("/metrics")?;
        metrics.contains("defender_recording 0").then_some(())
    };
    wait_for("the end of the recording", is_over, || sensor.node.log());
    let end = || open(&marked.file).ok()?.last()?.ok();
    let end = wait_for("the end of the file", end, || sensor.node.log());
    assert_eq!(end, Entry::End("record.maximum_bytes was reached".to_owned()));
    assert!(std::fs::metadata(&marked.file).expect("the capture").len() <= 64 << 10);
    marked.act();
    sensor.expect("an alert", |records| names(records).contains("Marked port").then_some(()));
    let problems = sensor.look(status).expect("a status").problems;
    assert!(!problems.iter().any(|problem| problem.contains("record")), "{problems:?}");
}

#[test]
fn of_a_sensor_that_is_killed_the_capture_is_there_but_for_its_last_second() {
    let mut node = Node::new();
    let marked = Marked::on(&mut node);
    let mut sensor = start(node, &["--record", marked.file.to_str().expect("a plain path")]);
    marked.act();
    let is_written = || {
        let entries = open(&marked.file).ok()?.map_while(Result::ok);
        let rules: BTreeSet<_> = entries
            .filter_map(|entry| match entry {
                Entry::Alert(alert) => Some(alert.rule),
                _ => None,
            })
            .collect();
        (rules.len() == RULES.len()).then_some(())
    };
    wait_for("the alerts in the file", is_written, || sensor.node.log());
    sensor.process.0.kill().expect("it runs");
    sensor.process.wait();
    let (_, summary) = replayed(&marked.file);
    assert!(summary.is_as_recorded(), "{summary:?}");
    assert!(summary.end.is_err(), "nobody wrote the end: {summary:?}");
}

#[test]
fn a_file_that_is_there_is_kept_and_the_sensor_tells_that_nothing_is_recorded() {
    let mut node = Node::new();
    let marked = Marked::on(&mut node);
    std::fs::write(&marked.file, "precious").expect("written");
    node.more.insert("record".into(), json!({ "file": marked.file }));
    let sensor = start(node, &[]);
    let problem = sensor.expect("the problem", |records| {
        let problems = status(records)?.problems;
        problems.into_iter().find(|problem| problem.starts_with("nothing is recorded: "))
    });
    assert!(problem.contains("File exists"), "{problem}");
    assert_eq!(std::fs::read_to_string(&marked.file).expect("the file"), "precious");
}
