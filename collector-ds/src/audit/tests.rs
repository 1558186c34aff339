mod alerts;
mod receipts;

use super::*;
use alerting::{AlertCounts, AlertGate, AlertsConfig, RuleMemory, Rules};
use arc_swap::ArcSwap;
use event_model::{AuditEvent, Component, Host, Lane, SourceDescription, SourceId};
use node_link::{Delivery, LinkConfig, Moment, Outbox};
use service_runtime::Bytes;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

/// Keeps what was sent, and says of it what it is told to say.
#[derive(Clone)]
struct Sent {
    records: Arc<Mutex<Vec<Record>>>,
    delivery: Arc<Mutex<Delivery>>,
    has_room: Arc<AtomicBool>,
    /// Only to have moments of.
    outbox: Outbox,
}

impl Default for Sent {
    fn default() -> Self {
        let config = LinkConfig { socket: "/nowhere".into(), queue_bytes: 64 << 10 };
        let source = SourceDescription {
            id: SourceId(uuid::Uuid::nil()),
            component: Component::CollectorDs,
            version: String::new(),
            node: String::new(),
            boot_id: uuid::Uuid::nil(),
        };
        Self {
            records: Arc::default(),
            delivery: Arc::new(Mutex::new(Delivery::Acknowledged)),
            has_room: Arc::new(AtomicBool::new(true)),
            outbox: node_link::connect(config, source).0,
        }
    }
}

impl Receipts for Sent {
    fn moment(&self, lanes: &[Lane]) -> Moment {
        self.outbox.moment(lanes)
    }

    fn delivery(&self, _: &Moment) -> Delivery {
        *self.delivery.lock().expect("a word")
    }
}

impl Outlet for Sent {
    fn send(&self, record: Record) {
        self.records.lock().expect("the records").push(record);
    }

    fn has_room(&self) -> bool {
        self.has_room.load(Ordering::Relaxed)
    }

    fn take_entity_loss(&self) -> bool {
        false
    }
}

impl Sent {
    fn ids(&self) -> Vec<String> {
        let records = self.records.lock().expect("the records");
        let events = records.iter().filter_map(|record| match record {
            Record::Audit(event) => Some(AuditEvent::clone(event).audit_id),
            _ => None,
        });
        events.collect()
    }

    fn lost(&self) -> Vec<(LossReason, u64)> {
        let records = self.records.lock().expect("the records");
        let losses = records.iter().filter_map(|record| match record {
            Record::Loss(loss) => Some((loss.reason, loss.count)),
            _ => None,
        });
        losses.collect()
    }
}

const RULES: &str = "\
- rule: Command in a pod
  desc: Somebody runs a command in a pod.
  condition: ka.target.resource = pods and ka.target.subresource = exec
  output: a command | user=%ka.user.name command=%ka.uri.param[command]
  priority: NOTICE
  source: k8s_audit
";

struct Log {
    folder: tempfile::TempDir,
    sent: Sent,
    connected: watch::Sender<bool>,
    alerts: AlertCounts,
}

impl Log {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a directory"),
            sent: Sent::default(),
            connected: watch::Sender::new(true),
            alerts: AlertCounts::default(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("log/audit.log")
    }

    fn sibling(&self, name: &str) -> PathBuf {
        self.folder.path().join("log").join(name)
    }

    fn write(&self, text: &str) {
        fs::create_dir_all(self.folder.path().join("log")).expect("a folder");
        let mut file =
            OpenOptions::new().create(true).append(true).open(self.path()).expect("the log");
        file.write_all(text.as_bytes()).expect("written");
    }

    /// Rules that tell of commands in pods.
    fn detection(&self) -> RequestDetection {
        let rules = self.folder.path().join("rules.yaml");
        fs::write(&rules, RULES).expect("a rule file");
        let rules = Rules::load(&[rules]).unwrap_or_else(|error| panic!("{error}"));
        let host = Host { node: "control-1".into(), ..Host::default() };
        let gate = AlertGate::new(&AlertsConfig::default(), self.alerts.clone());
        RequestDetection::new(
            Arc::new(ArcSwap::from_pointee(rules)),
            RuleMemory::default(),
            host,
            gate,
        )
    }

    /// A sensor as it starts, with a noted position.
    fn open(&self) -> AuditFile<Sent> {
        self.open_with(Bytes::mebibytes(64))
    }

    fn open_with(&self, bytes_per_second: Bytes) -> AuditFile<Sent> {
        let config = AuditConfig {
            path: "/log/audit.log".into(),
            state_directory: self.folder.path().join("state"),
            bytes_per_second,
        };
        let connected = self.connected.subscribe();
        let (detection, sent) = (self.detection(), self.sent.clone());
        let file = AuditFile::open(&config, self.folder.path(), detection, sent, connected);
        file.expect("a root").expect("a path is configured")
    }
}

/// Lets a second pass that brings a note, and one that shows that it is done with.
fn note(file: &mut AuditFile<Sent>) {
    file.note(Instant::now());
    file.note(Instant::now());
    assert!(file.unnoted.is_none(), "{:?}", file.unnoted);
}

fn line(id: &str) -> String {
    format!(
        "{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"auditID\":\"{id}\",\"stage\":\"ResponseComplete\",\
         \"verb\":\"get\",\"requestReceivedTimestamp\":\"2026-11-22T18:42:02.662022Z\",\
         \"stageTimestamp\":\"2026-11-22T18:42:02.664149Z\"}}\n"
    )
}

fn lines(ids: std::ops::Range<usize>) -> String {
    ids.map(|id| line(&id.to_string())).collect()
}

fn numbers(ids: std::ops::Range<usize>) -> Vec<String> {
    ids.map(|id| id.to_string()).collect()
}

#[test]
fn without_a_noted_position_the_file_is_followed_from_its_end() {
    let log = Log::new();
    log.write(&lines(0..10));
    let mut file = log.open();
    file.look(Instant::now()).expect("read");
    log.write(&lines(10..12));
    file.look(Instant::now()).expect("read");
    assert_eq!(log.sent.ids(), ["10", "11"]);
}

#[test]
fn a_file_that_appears_later_is_read_from_its_beginning() {
    let log = Log::new();
    let mut file = log.open();
    file.look(Instant::now()).expect("no file is no error");
    log.write(&lines(0..2));
    file.look(Instant::now()).expect("read");
    assert_eq!(log.sent.ids(), ["0", "1"]);
}

#[test]
fn a_restart_loses_no_line_and_brings_none_twice() {
    let log = Log::new();
    log.write(&line("before"));
    let mut file = log.open();
    file.look(Instant::now()).expect("read");
    // The last line is not whole yet.
    let third = line("2");
    log.write(&format!("{}{}", lines(0..2), &third[..20]));
    file.look(Instant::now()).expect("read");
    note(&mut file);
    drop(file);
    log.write(&third[20..]);
    log.write(&lines(3..5));
    let mut file = log.open();
    file.look(Instant::now()).expect("read");
    assert_eq!(log.sent.ids(), numbers(0..5));
    assert!(file.follower.gap().is_none());
}

#[test]
fn a_restart_goes_on_in_a_file_that_was_rotated_away() {
    let log = Log::new();
    log.write(&line("before"));
    let mut file = log.open();
    file.look(Instant::now()).expect("read");
    log.write(&lines(0..2));
    file.look(Instant::now()).expect("read");
    note(&mut file);
    drop(file);
    log.write(&lines(2..4));
    fs::rename(log.path(), log.sibling("audit-2026-11-22T18-42-02.659.log")).expect("rotated");
    std::thread::sleep(Duration::from_millis(20));
    log.write(&lines(4..6));
    fs::rename(log.path(), log.sibling("audit-2026-11-22T18-43-02.659.log")).expect("rotated");
    std::thread::sleep(Duration::from_millis(20));
    log.write(&lines(6..8));
    let mut file = log.open();
    let start = Instant::now();
    file.look(start).expect("read");
    file.look(start + Duration::from_secs(2)).expect("read");
    assert_eq!(log.sent.ids(), numbers(0..8));
}

#[test]
fn a_file_that_is_gone_at_a_restart_is_told_as_a_gap() {
    let log = Log::new();
    log.write(&line("before"));
    let mut file = log.open();
    file.look(Instant::now()).expect("read");
    log.write(&lines(0..2));
    file.look(Instant::now()).expect("read");
    note(&mut file);
    drop(file);
    fs::remove_file(log.path()).expect("removed");
    log.write(&lines(2..4));
    let mut file = log.open();
    file.look(Instant::now()).expect("read");
    assert_eq!(log.sent.ids(), numbers(0..4));
    let problem = file.describe(None).expect("a problem");
    assert!(problem.contains("may be missing"), "{problem}");
}

#[test]
fn a_writer_that_holds_the_old_file_open_is_read_to_its_last_word() {
    let log = Log::new();
    log.write("\n");
    let mut file = log.open();
    let start = Instant::now();
    file.look(start).expect("read");
    let mut writer = OpenOptions::new().append(true).open(log.path()).expect("the log");
    fs::rename(log.path(), log.sibling("audit.log.1")).expect("rotated");
    log.write(&line("new"));
    file.look(start).expect("read");
    writer.write_all(line("old").as_bytes()).expect("written");
    file.look(start + Duration::from_secs(1)).expect("read");
    file.look(start + Duration::from_secs(2)).expect("read");
    file.look(start + Duration::from_secs(4)).expect("read");
    assert_eq!(log.sent.ids(), ["old", "new"]);
}

#[test]
fn a_truncated_file_is_read_from_its_beginning() {
    let log = Log::new();
    log.write(&line("before"));
    let mut file = log.open();
    file.look(Instant::now()).expect("read");
    log.write(&lines(0..5));
    file.look(Instant::now()).expect("read");
    // As copytruncate does: copied, cut, and written to at once; also past the place that was read.
    for ids in [5..7, 7..30] {
        fs::copy(log.path(), log.sibling("audit.log.1")).expect("copied");
        OpenOptions::new().write(true).open(log.path()).expect("the log").set_len(0).expect("cut");
        log.write(&lines(ids));
        file.look(Instant::now()).expect("read");
    }
    assert_eq!(log.sent.ids(), numbers(0..30));
}

#[test]
fn a_line_that_is_cut_off_by_truncation_is_counted() {
    let log = Log::new();
    log.write("\n");
    let mut file = log.open();
    file.look(Instant::now()).expect("read");
    log.write("{\"half\":");
    file.look(Instant::now()).expect("read");
    OpenOptions::new().write(true).open(log.path()).expect("the log").set_len(0).expect("cut");
    log.write(&line("0"));
    file.look(Instant::now()).expect("read");
    file.report_losses();
    assert_eq!(log.sent.ids(), ["0"]);
    assert_eq!(log.sent.lost(), [(LossReason::Undecodable, 1)]);
}

#[test]
fn garbage_and_huge_lines_are_counted_and_hide_nothing() {
    let log = Log::new();
    log.write("\n");
    let mut file = log.open();
    file.look(Instant::now()).expect("read");
    let huge = "x".repeat(1 << 20);
    log.write(&lines(0..1));
    for _ in 0..50 {
        log.write(&huge);
    }
    log.write(&format!("\n{}not json\n\u{0}\u{1}\n{{}}\n\n{}", lines(1..2), lines(2..3)));
    file.look(Instant::now()).expect("read");
    file.report_losses();
    assert_eq!(log.sent.ids(), numbers(0..3));
    let mut lost = log.sent.lost();
    lost.sort_unstable();
    assert_eq!(lost, [(LossReason::Undecodable, 3), (LossReason::TooLarge, 1)]);
    file.report_losses();
    assert_eq!(log.sent.lost().len(), 2, "each is told once");
}

#[test]
fn what_is_written_faster_than_it_may_be_taken_is_counted_to_the_line() {
    let log = Log::new();
    log.write("\n");
    let mut file = log.open_with(Bytes::new(64 << 10));
    let start = Instant::now();
    file.look(start).expect("read");
    let written = 5000;
    log.write(&lines(0..written));
    for second in 1..40 {
        file.look(start + Duration::from_secs(second)).expect("read");
    }
    file.report_losses();
    let taken = log.sent.ids();
    let lost: u64 = log.sent.lost().iter().map(|(_, count)| count).sum();
    assert!(lost > 0 && !taken.is_empty(), "{lost} lost, {} taken", taken.len());
    assert_eq!(taken.len() as u64 + lost, written as u64);
    assert!(log.sent.lost().iter().all(|(reason, _)| *reason == LossReason::RateLimited));
    assert_eq!(taken.last().map(String::as_str), Some("4999"), "the newest are taken");
}

#[test]
fn rotation_at_speed_loses_no_line_and_brings_none_twice() {
    let log = Log::new();
    log.write("\n");
    let mut file = log.open();
    file.look(Instant::now()).expect("read");
    let (done, is_done) = mpsc::channel();
    let folder = log.folder.path().join("log");
    let writer = std::thread::spawn(move || {
        let path = folder.join("audit.log");
        for rotation in 0..40 {
            let mut writer =
                OpenOptions::new().create(true).append(true).open(&path).expect("the log");
            for id in rotation * 250..(rotation + 1) * 250 {
                writer.write_all(line(&id.to_string()).as_bytes()).expect("written");
            }
            std::thread::sleep(Duration::from_millis(10));
            fs::rename(&path, folder.join(format!("audit-{rotation:03}.log"))).expect("rotated");
        }
        File::create(&path).expect("the last");
        done.send(()).expect("the test waits");
    });
    let deadline = Instant::now() + Duration::from_mins(1);
    while log.sent.ids().len() < 10_000 {
        assert!(Instant::now() < deadline, "{} of 10,000 lines came", log.sent.ids().len());
        file.look(Instant::now()).expect("read");
        // A restart in the middle of it.
        if log.sent.ids().len().is_multiple_of(7) {
            note(&mut file);
            file = log.open();
        }
    }
    is_done.recv().expect("the writer ends well");
    writer.join().expect("the writer ends");
    for _ in 0..3 {
        file.look(Instant::now() + Duration::from_mins(1)).expect("read");
    }
    file.report_losses();
    assert_eq!(log.sent.ids(), numbers(0..10_000));
    assert!(log.sent.lost().is_empty(), "{:?}", log.sent.lost());
}

#[test]
fn a_file_that_is_no_file_is_told() {
    let log = Log::new();
    fs::create_dir_all(log.path()).expect("a folder");
    let mut file = log.open();
    let error = file.look(Instant::now()).expect_err("it is a folder");
    let problem = file.describe(Some(&error)).expect("a problem");
    assert!(problem.contains("/log/audit.log can't be read: not a regular file"), "{problem}");
}

#[test]
fn the_thread_takes_what_comes_and_notes_where_it_ended() {
    let log = Log::new();
    log.write("\n");
    let config = AuditConfig { path: "/log/audit.log".into(), ..AuditConfig::default() };
    let (shutdown, state) = (CancellationToken::new(), State::new(&config));
    let file = log.open();
    let thread = std::thread::spawn({
        let (shutdown, state) = (shutdown.clone(), state.clone());
        move || file.run(&state, &shutdown)
    });
    // Not before it has looked once: what stands there then is old.
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut written = 0;
    while log.sent.ids().is_empty() {
        assert!(Instant::now() < deadline, "nothing came");
        log.write(&line(&written.to_string()));
        written += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    log.write(&line("last"));
    shutdown.cancel();
    thread.join().expect("the thread ends");
    assert_eq!(log.sent.ids().last().map(String::as_str), Some("last"));
    let mut file = log.open();
    log.write(&line("after"));
    file.look(Instant::now()).expect("read");
    assert_eq!(log.sent.ids().last().map(String::as_str), Some("after"));
    assert_eq!(log.sent.ids().iter().filter(|id| *id == "last").count(), 1);
    assert_eq!((state.problem(), state.blindness()), (None, None));
}
