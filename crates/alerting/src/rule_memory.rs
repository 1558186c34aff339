//! What rules remember on one thread, and the file that keeps the baselines among it over a restart.

use crate::{Rules, Tally};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Baselines change slowly: what was learnt in the last minute before a crash is learnt again.
const WRITE_EVERY: Duration = Duration::from_mins(1);

/// Twice what a tally holds.
const MAXIMUM_BYTES: u64 = 16 << 20;

/// So long after a start it is a problem that what was learnt before is gone.
const TOLD_FOR: Duration = Duration::from_hours(1);

/// How it stands with a [`RuleMemory`], for those on other threads.
#[derive(Clone, Debug, Default)]
pub struct MemoryState {
    forgotten: Arc<AtomicU64>,
    problem: Arc<Mutex<Option<String>>>,
}

impl MemoryState {
    /// How many memories were given up for want of room.
    pub fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Relaxed)
    }

    /// Why baselines are not kept, or begin anew.
    pub fn problem(&self) -> Option<String> {
        self.lock().clone()
    }

    fn set_problem(&self, problem: Option<String>) {
        let mut told = self.lock();
        if let Some(problem) = problem.as_ref().filter(|problem| told.as_ref() != Some(problem)) {
            tracing::warn!("{problem}");
        }
        *told = problem;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What rules remember, on one thread.
#[derive(Debug, Default)]
pub struct RuleMemory {
    /// What the rules change.
    pub tally: Tally,
    file: Option<BaselineFile>,
    state: MemoryState,
}

impl RuleMemory {
    /// With the baselines that a file keeps. What is no such file, or damaged, begins anew, and the state says so.
    pub fn kept_in(file: PathBuf, rules: &Rules) -> Self {
        let state = MemoryState::default();
        let (mut tally, lost) = match read(&file) {
            Ok(tally) => (tally, None),
            Err(reason) => {
                let file = file.display();
                let lost =
                    format!("what rules learnt before is lost, they begin anew: {file}: {reason}");
                (Tally::default(), Some(lost))
            }
        };
        rules.forget_baselines_of_others(&mut tally);
        state.set_problem(lost.clone());
        let written = tally.baseline_changes();
        let now = Instant::now();
        let file =
            BaselineFile { path: file, written, written_at: now, begun: now, writing: None, lost };
        Self { tally, file: Some(file), state }
    }

    /// For those who tell of it.
    pub const fn state(&self) -> &MemoryState {
        &self.state
    }

    /// Other rules are in force.
    pub fn exchange_rules(&mut self, rules: &Rules) {
        rules.forget_baselines_of_others(&mut self.tally);
    }

    /// Writes baselines where they changed a while ago. To be called every second or so.
    pub fn tick(&mut self, now: Instant) {
        self.state.forgotten.store(self.tally.forgotten(), Ordering::Relaxed);
        if let Some(file) = &mut self.file {
            let failed = file.tick(&self.tally, now);
            self.state.set_problem(failed);
        }
    }

    /// Writes what was learnt last.
    pub fn end(&mut self) {
        if let Some(file) = &mut self.file {
            let failed = file.end(&self.tally);
            self.state.set_problem(failed);
        }
    }
}

#[derive(Debug)]
struct BaselineFile {
    path: PathBuf,
    /// How often the baselines had changed when they were last written.
    written: u64,
    written_at: Instant,
    begun: Instant,
    /// On a thread of its own: a disk may take its time.
    writing: Option<JoinHandle<io::Result<()>>>,
    /// What was lost at the start.
    lost: Option<String>,
}

impl BaselineFile {
    /// What is wrong with it.
    fn tick(&mut self, tally: &Tally, now: Instant) -> Option<String> {
        if now.saturating_duration_since(self.begun) >= TOLD_FOR {
            self.lost = None;
        }
        if self.writing.as_ref().is_some_and(|writing| !writing.is_finished()) {
            return self.lost.clone();
        }
        let failed = self.finish();
        let is_due = tally.baseline_changes() != self.written
            && now.saturating_duration_since(self.written_at) >= WRITE_EVERY;
        if is_due {
            self.written = tally.baseline_changes();
            self.written_at = now;
            let (path, bytes) = (self.path.clone(), tally.baselines());
            let write = move || write(&path, &bytes);
            match std::thread::Builder::new().name("baselines".to_owned()).spawn(write) {
                Ok(writing) => self.writing = Some(writing),
                Err(error) => return Some(self.problem(&error)),
            }
        }
        failed.or_else(|| self.lost.clone())
    }

    fn end(&mut self, tally: &Tally) -> Option<String> {
        let failed = self.finish();
        if failed.is_none() && tally.baseline_changes() == self.written {
            return None;
        }
        self.written = tally.baseline_changes();
        write(&self.path, &tally.baselines()).err().map(|error| self.problem(&error))
    }

    /// Waits for what is being written, and says why it can't be. It is tried again then.
    fn finish(&mut self) -> Option<String> {
        let outcome = self.writing.take()?.join();
        let outcome = outcome.unwrap_or_else(|_| Err(io::Error::other("its thread ended")));
        let error = outcome.err()?;
        // It stands for no count of changes that there ever was.
        self.written = u64::MAX;
        Some(self.problem(&error))
    }

    fn problem(&self, error: &io::Error) -> String {
        let path = self.path.display();
        format!("what rules learn can't be kept over a restart: {path}: {error}")
    }
}

/// Nothing, where there is no file.
fn read(path: &Path) -> Result<Tally, String> {
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Tally::default()),
        found => found.map_err(|error| error.to_string())?,
    };
    if found.len() > MAXIMUM_BYTES {
        return Err(format!("it has over {MAXIMUM_BYTES} bytes"));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    Tally::with_baselines(&bytes).map_err(|error| error.to_string())
}

/// When it returns well, the file is there whole, and survives a crash of the machine.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use detection::Act;
    use event_model::{Event, EventKind, Host, Process, Timestamp};

    const RULE: &str = "- rule: New\n  desc: D.\n  condition: evt.type = execve\n  output: O\n  priority: NOTICE\n  \
                        defender: {first_seen: proc.name, by: evt.hostname, learn_for: 1h}\n";

    fn rules(folder: &Path) -> Rules {
        let file = folder.join("rules.yaml");
        fs::write(&file, RULE).expect("a rule file");
        Rules::load(&[file]).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Whether a program's start at that hour raises an alert.
    fn start(rules: &Rules, memory: &mut RuleMemory, hour: u64, name: &str) -> bool {
        let process = Process { name: name.to_owned(), ..Process::default() };
        let event = Event {
            time: Timestamp(1_800_000_000_000_000_000 + hour * 3_600_000_000_000),
            process: process.reference,
            container: None,
            kind: EventKind::Exec,
        };
        let host = Host { hostname: "worker-1".to_owned(), ..Host::default() };
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
        !rules.matches(&act, &mut memory.tally).is_empty()
    }

    #[test]
    fn what_was_learnt_outlasts_a_restart() {
        let folder = tempfile::tempdir().expect("a directory");
        let (rules, file) = (rules(folder.path()), folder.path().join("state/baselines"));
        let mut memory = RuleMemory::kept_in(file.clone(), &rules);
        assert_eq!(memory.state().problem(), None, "there was nothing");
        assert!(!start(&rules, &mut memory, 0, "nginx"));
        memory.end();
        let mut memory = RuleMemory::kept_in(file.clone(), &rules);
        assert!(!start(&rules, &mut memory, 2, "nginx"));
        assert!(start(&rules, &mut memory, 2, "sh"));
        // A minute later it is written without an end.
        memory.tick(Instant::now() + WRITE_EVERY);
        while memory
            .file
            .as_ref()
            .expect("a file")
            .writing
            .as_ref()
            .is_some_and(|it| !it.is_finished())
        {
            std::thread::yield_now();
        }
        memory.tick(Instant::now());
        assert_eq!(memory.state().problem(), None);
        let mut memory = RuleMemory::kept_in(file, &rules);
        assert!(!start(&rules, &mut memory, 3, "sh"), "it is known by now");
    }

    #[test]
    fn a_damaged_file_begins_anew_and_is_told() {
        let folder = tempfile::tempdir().expect("a directory");
        let (rules, file) = (rules(folder.path()), folder.path().join("baselines"));
        let mut memory = RuleMemory::kept_in(file.clone(), &rules);
        start(&rules, &mut memory, 0, "nginx");
        memory.end();
        let mut bytes = fs::read(&file).expect("the file");
        bytes[40] ^= 1;
        fs::write(&file, bytes).expect("written");
        let mut memory = RuleMemory::kept_in(file, &rules);
        let problem = memory.state().problem().expect("a problem");
        assert!(problem.contains("they begin anew") && problem.contains("damaged"), "{problem}");
        assert!(!start(&rules, &mut memory, 2, "sh"), "it learns again");
        memory.end();
        assert_eq!(memory.state().problem(), None);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().expect("a directory");
        let rules = rules(folder.path());
        // A file is no folder.
        let mut memory = RuleMemory::kept_in(folder.path().join("rules.yaml/baselines"), &rules);
        start(&rules, &mut memory, 0, "nginx");
        memory.end();
        let problem = memory.state().problem().expect("a problem");
        assert!(problem.contains("can't be kept over a restart"), "{problem}");
    }
}
