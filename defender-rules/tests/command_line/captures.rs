//! `events` and `replay`.

use crate::program::{argument, said};
use capture::{Encoder, Head, RuleFile};
use detection::{Act, AuditAct, Engine, RuleSet, SourceFile, Tally};
use event_model::{
    Alert, AuditEvent, AuditUser, Event, EventKind, Host, Process, ProcessKey, ProcessRef,
    Timestamp,
};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

pub const RULES: &str = "
- rule: Netcat
  desc: d
  condition: evt.type = execve and proc.name = nc
  output: \"%proc.cmdline below %proc.pname\"
  priority: NOTICE
- rule: Eve
  desc: d
  source: k8s_audit
  condition: ka.user.name = eve
  output: \"%ka.verb\"
  priority: WARNING
";

/// A capture of a shell that starts `true` and netcat, and of a request, with the alerts of [`RULES`].
pub struct Captured {
    pub folder: TempDir,
    pub file: PathBuf,
    /// Of netcat.
    pub alert: Alert,
    /// Where the entry of netcat begins.
    pub netcat_at: usize,
}

fn process(pid: u32, name: &str, argument: &str) -> Process {
    Process {
        reference: ProcessRef { key: ProcessKey { pid, start_time: 1 }, generation: 1 },
        name: name.to_owned(),
        arguments: vec![name.to_owned(), argument.to_owned()],
        ..Process::default()
    }
}

struct Recording {
    encoder: Encoder,
    bytes: Vec<u8>,
    engine: Engine,
    tally: Tally,
    host: Host,
    shell: Arc<Process>,
}

impl Recording {
    fn begin() -> Self {
        let host = Host { node: "node-1".to_owned(), ..Host::default() };
        let head = Head { version: "0.1.0".to_owned(), began_at: Timestamp(1), host: host.clone() };
        let mut bytes = vec![];
        let mut encoder = Encoder::begin(&head, &mut bytes);
        let file = RuleFile { name: "rules.yaml".to_owned(), text: RULES.to_owned() };
        assert!(encoder.rules(&[file], &mut bytes));
        let rules = RuleSet::load(&[SourceFile { name: "rules.yaml", text: RULES }]);
        let engine = Engine::compile(rules.expect("good rules"));
        let shell = Arc::new(process(7, "sh", "-c"));
        Self { encoder, bytes, engine, tally: Tally::default(), host, shell }
    }

    fn exec(&mut self, process: Process) -> Vec<Alert> {
        let process = Arc::new(process);
        let event = Event {
            time: Timestamp(1_800_000_000_000_000_000),
            process: process.reference,
            container: None,
            kind: EventKind::Exec,
        };
        let act = Act {
            event: &event,
            process: &process,
            ancestors: &[&self.shell],
            container: None,
            host: &self.host,
            remote_name: None,
            is_on_sensor: false,
            environment: None,
            login_name: None,
            group_name: None,
        };
        let matches = self.engine.detect(&act, &mut self.tally).into_iter();
        let alerts: Vec<_> =
            matches.map(|matched| matched.into_alert(&act, Timestamp(9))).collect();
        let ancestors = std::iter::once(&self.shell);
        self.encoder.act(&act, &process, ancestors, None, &mut self.bytes);
        self.raised(alerts)
    }

    fn request(&mut self, event: &AuditEvent) {
        let act = AuditAct { event, host: &self.host };
        let matches = self.engine.detect_audit(&act, &mut self.tally).into_iter();
        let alerts: Vec<_> =
            matches.map(|matched| matched.into_audit_alert(&act, Timestamp(9))).collect();
        self.encoder.request(event, &mut self.bytes);
        self.raised(alerts);
    }

    fn raised(&mut self, alerts: Vec<Alert>) -> Vec<Alert> {
        for alert in &alerts {
            self.encoder.alert(alert, &mut self.bytes);
        }
        alerts
    }
}

impl Captured {
    pub fn make() -> Self {
        let mut recording = Recording::begin();
        recording.exec(process(8, "true", "/tmp"));
        let netcat_at = recording.bytes.len();
        let alert = recording.exec(process(9, "nc", "-l\u{1b}[2J")).remove(0);
        recording.request(&AuditEvent {
            verb: "delete".to_owned(),
            user: AuditUser { name: "eve".to_owned(), ..AuditUser::default() },
            stage_at: Timestamp(1_800_000_000_000_000_000),
            ..AuditEvent::default()
        });
        let Recording { encoder, mut bytes, .. } = recording;
        encoder.end("it was told to", &mut bytes);
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("capture");
        std::fs::write(&file, bytes).expect("written");
        Self { folder, file, alert, netcat_at }
    }

    /// A file beside it.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        std::fs::write(&file, text).expect("written");
        file
    }
}

#[test]
fn a_capture_is_listed_by_numbers_and_moves_no_cursor() {
    let captured = Captured::make();
    let (code, out, error) = said(&["events", argument(&captured.file)]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let lines: Vec<_> = out.lines().map(str::trim_start).collect();
    assert_eq!(
        lines,
        [
            "1 2027-01-15T08:00:00.000000000Z exec, true (8): true /tmp",
            "2 2027-01-15T08:00:00.000000000Z exec, nc (9): nc -l\\u{1b}[2J",
            "alert     Netcat: nc -l\\u{1b}[2J below sh",
            "3 2027-01-15T08:00:00.000000000Z delete by eve",
            "alert     Eve: delete",
        ]
    );
    let (_, out, _) = said(&["events", argument(&captured.file), "--filter", "eve"]);
    assert_eq!(out.lines().count(), 1, "{out}");
}

#[test]
fn a_capture_replays_to_the_recorded_alerts_by_the_rules_that_stand_in_it() {
    let captured = Captured::make();
    let (code, out, error) = said(&["replay", argument(&captured.file), "--compare"]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(
        lines,
        [
            "same     2027-01-15T08:00:00.000000000Z notice Netcat: nc -l\\u{1b}[2J below sh (event 2)",
            "same     2027-01-15T08:00:00.000000000Z warning Eve: delete (event 3)",
            "3 acts and requests; alerts: 2 same, 0 changed, 0 missing, 0 new",
        ]
    );
}

#[test]
fn other_rules_are_compared_with_what_was_recorded() {
    let captured = Captured::make();
    let other = RULES
        .replace("proc.name = nc", "proc.name = true")
        .replace("\"%ka.verb\"", "\"%ka.verb by %ka.user.name\"");
    let rules = captured.write("other.yaml", &other);
    let arguments = ["replay", argument(&captured.file), "--rules", argument(&rules)];
    let (code, out, error) = said(&arguments);
    assert_eq!((code, error.as_str()), (Some(0), ""), "nobody asked whether they differ");
    let verdicts: Vec<_> = out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(verdicts, ["new", "missing", "changed", "3"], "{out}");
    let (code, json, summary) =
        said(&[&arguments[..], &["--compare", "--output", "json"]].concat());
    assert_eq!(code, Some(1));
    assert_eq!(summary, "3 acts and requests; alerts: 0 same, 1 changed, 1 missing, 1 new\n");
    let lines: Vec<Value> =
        json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| (&line["event"], &line["verdict"], &line["alert"]["rule"]))
        .collect();
    assert_eq!(told[1], (&2.into(), &"missing".into(), &"Netcat".into()));
    assert_eq!(lines[1]["alert"]["id"], captured.alert.id.to_string());
}

#[test]
fn a_torn_capture_is_replayed_up_to_there_and_told() {
    let captured = Captured::make();
    let mut bytes = std::fs::read(&captured.file).expect("the capture");
    bytes.truncate(captured.netcat_at + 20);
    std::fs::write(&captured.file, &bytes).expect("written");
    let (code, out, error) = said(&["replay", argument(&captured.file)]);
    assert_eq!(code, Some(1));
    assert!(out.starts_with("1 acts and requests; alerts: 0 same"), "{out}");
    let wanted = format!(
        "error: the capture is torn: the entry at byte {} is not whole; what stands before it was replayed\n",
        captured.netcat_at
    );
    assert_eq!(error, wanted);
    bytes.truncate(captured.netcat_at);
    std::fs::write(&captured.file, &bytes).expect("written");
    let (code, _, error) = said(&["replay", argument(&captured.file)]);
    assert_eq!(code, Some(0));
    assert!(error.starts_with("warning: the capture was broken off at byte "), "{error}");
}

#[test]
fn what_is_no_capture_is_refused_by_its_name() {
    let captured = Captured::make();
    let file = captured.write("rules.yaml", RULES);
    for command in ["replay", "events"] {
        let (code, _, error) = said(&[command, argument(&file)]);
        assert_eq!(code, Some(1));
        let wanted = format!("error: {}: this is no capture", file.display());
        assert!(error.starts_with(&wanted), "{error}");
        let (_, _, error) = said(&[command, "/nowhere/capture"]);
        assert!(
            error.starts_with("error: cannot read the capture /nowhere/capture: No such file"),
            "{error}"
        );
    }
}
