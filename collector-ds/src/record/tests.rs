use super::{RecordConfig, Recorder};
use capture::{Entry, Reader, Verdict, replay};
use detection::{Act, Engine, RuleSet, SourceFile, Tally};
use event_model::{Event, EventKind, Host, Process, Timestamp};
use service_runtime::Bytes;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const RULES: &str = "\
- rule: Third netcat
  desc: Netcat was started three times.
  condition: evt.type = execve and proc.name = nc
  output: netcat | command=%proc.cmdline
  priority: NOTICE
  defender: {at_least: 3, within: 60s, by: [user.uid]}
";

/// A recording, and the rules whose alerts it takes.
struct Scene {
    folder: TempDir,
    engine: Engine,
    tally: Tally,
    alerts: usize,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        std::fs::write(folder.path().join("rules.yaml"), RULES).expect("a rule file");
        let rules = RuleSet::load(&[SourceFile { name: "rules.yaml", text: RULES }]);
        let engine = Engine::compile(rules.expect("good rules"));
        Self { folder, engine, tally: Tally::default(), alerts: 0 }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("capture")
    }

    fn rules(&self) -> Vec<PathBuf> {
        vec![self.folder.path().join("rules.yaml")]
    }

    fn start(&self, maximum_bytes: Bytes) -> Recorder {
        let config = RecordConfig { file: self.file(), maximum_bytes };
        Recorder::start(&config, &self.rules(), &Host::default()).expect("it is configured")
    }

    /// Netcat begins, with an argument of that length.
    fn netcat(&mut self, recorder: &Recorder, length: usize) {
        let arguments = vec!["nc".to_owned(), "x".repeat(length)];
        let process = Process { name: "nc".to_owned(), arguments, ..Process::default() };
        let process = Arc::new(process);
        let (host, kind) = (Host::default(), EventKind::Exec);
        let event =
            Event { time: Timestamp::now(), process: process.reference, container: None, kind };
        let act = Act {
            event: &event,
            process: &process,
            ancestors: &[],
            container: None,
            host: &host,
            remote_name: None,
            is_on_sensor: false,
            environment: None,
            login_name: None,
            group_name: None,
        };
        let matches = self.engine.detect(&act, &mut self.tally).into_iter();
        let alerts: Vec<_> =
            matches.map(|matched| matched.into_alert(&act, Timestamp::now())).collect();
        self.alerts += alerts.len();
        recorder.act(&act, &process, std::iter::empty(), None, &alerts);
    }

    fn entries(&self) -> Vec<Entry> {
        let file = File::open(self.file()).expect("the capture");
        let reader = Reader::new(file).unwrap_or_else(|error| panic!("{error}"));
        reader.map(|entry| entry.unwrap_or_else(|error| panic!("{error}"))).collect()
    }
}

fn wait_for<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_was_recorded_replays_to_the_same_alerts() {
    let mut scene = Scene::new();
    let recorder = scene.start(Bytes::mebibytes(8));
    for _ in 0..4 {
        scene.netcat(&recorder, 100);
    }
    recorder.finish();
    assert_eq!((scene.alerts, recorder.problem()), (1, None));
    let mode = std::fs::metadata(scene.file()).expect("the capture").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let reader = Reader::new(File::open(scene.file()).expect("the capture")).expect("a capture");
    let mut numbers = vec![];
    let summary = replay(reader, None, |replayed| numbers.push(replayed.number));
    let summary = summary.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((summary.asked, summary.of(Verdict::Same), numbers), (4, 1, vec![3]));
    assert!(summary.is_as_recorded());
    assert_eq!(summary.end.expect("it is whole"), "the sensor ended");
}

#[test]
fn at_the_bound_the_recording_ends_in_good_order() {
    let mut scene = Scene::new();
    let recorder = scene.start(Bytes::new(64 << 10));
    for _ in 0..500 {
        scene.netcat(&recorder, 1000);
    }
    recorder.finish();
    let last = wait_for("the end of the file", || {
        let reader = Reader::new(File::open(scene.file()).ok()?).ok()?;
        reader.last()?.ok().filter(|last| matches!(last, Entry::End(_)))
    });
    assert_eq!(last, Entry::End("record.maximum_bytes was reached".to_owned()));
    let bytes = std::fs::metadata(scene.file()).expect("the capture").len();
    assert!((60 << 10..=64 << 10).contains(&bytes), "{bytes}");
    let acts = scene.entries().into_iter().filter(|entry| matches!(entry, Entry::Act(_))).count();
    assert!((40..70).contains(&acts), "{acts} acts");
    assert_eq!(recorder.problem(), None, "it was asked for");
}

#[test]
fn what_is_flushed_is_in_the_file_while_the_recording_goes_on() {
    let mut scene = Scene::new();
    let recorder = scene.start(Bytes::mebibytes(8));
    scene.netcat(&recorder, 10);
    recorder.flush();
    wait_for("the act", || {
        let mut reader = Reader::new(File::open(scene.file()).ok()?).ok()?;
        reader.any(|entry| matches!(entry, Ok(Entry::Act(_)))).then_some(())
    });
}

#[test]
fn a_file_that_is_there_already_is_not_written_over() {
    let mut scene = Scene::new();
    std::fs::write(scene.file(), "precious").expect("written");
    let recorder = scene.start(Bytes::mebibytes(8));
    scene.netcat(&recorder, 10);
    recorder.flush();
    recorder.finish();
    let problem = recorder.problem().expect("a problem");
    assert!(problem.starts_with("nothing is recorded: cannot make "), "{problem}");
    assert!(problem.contains("File exists"), "{problem}");
    assert_eq!(std::fs::read_to_string(scene.file()).expect("the file"), "precious");
}

#[test]
fn a_full_disk_ends_the_recording_and_nothing_else() {
    let mut scene = Scene::new();
    let full = OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let path = Path::new("/dev/full");
    let recorder = Recorder::on_file(full, path, 8 << 20, &scene.rules(), &Host::default());
    let problem = wait_for("the problem", || {
        scene.netcat(&recorder, 1000);
        recorder.flush();
        recorder.problem()
    });
    assert_eq!(
        problem,
        "the recording ended: cannot write /dev/full: No space left on device (os error 28)"
    );
    scene.netcat(&recorder, 1000);
    recorder.finish();
}

#[test]
fn rules_that_leave_no_room_are_left_out() {
    let mut scene = Scene::new();
    let file = scene.folder.path().join("large.yaml");
    std::fs::write(&file, "# comment\n".repeat(5000)).expect("a rule file");
    let config = RecordConfig { file: scene.file(), maximum_bytes: Bytes::new(64 << 10) };
    let recorder = Recorder::start(&config, &[file], &Host::default()).expect("it is configured");
    scene.netcat(&recorder, 10);
    recorder.finish();
    let reader = Reader::new(File::open(scene.file()).expect("the capture")).expect("a capture");
    let error = replay(reader, None, drop).expect_err("there are no rules");
    assert_eq!(error.to_string(), "no rules stand in the capture: name some");
}

#[test]
fn rules_that_take_the_place_of_others_are_asked_of_what_follows() {
    let mut scene = Scene::new();
    let recorder = scene.start(Bytes::mebibytes(8));
    scene.netcat(&recorder, 10);
    let file = scene.folder.path().join("rules.yaml");
    std::fs::write(file, RULES.replace("at_least: 3", "at_least: 2")).expect("a rule file");
    recorder.rules(&scene.rules());
    scene.netcat(&recorder, 10);
    scene.netcat(&recorder, 10);
    recorder.finish();
    let reader = Reader::new(File::open(scene.file()).expect("the capture")).expect("a capture");
    let mut told = vec![];
    let summary = replay(reader, None, |replayed| told.push((replayed.number, replayed.verdict)));
    assert_eq!(summary.expect("good rules").asked, 3);
    assert_eq!(told, [(3, Verdict::Same)], "the first was not counted by the new rule");
}
