//! Whether the sensor's last run ended in good order. Of its own SIGKILL nothing can be told while it dies.

use event_model::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// In the state directory, while the sensor runs.
const NAME: &str = "running.json";

/// So long after a start the end of the last run is a problem of the sensor's.
const TOLD_FOR: Duration = Duration::from_hours(1);

/// A run, as its file tells of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    boot_id: Uuid,
    pid: u32,
    started_at: Timestamp,
}

/// The file that stands there while the sensor runs, and what it told of the run before.
#[derive(Debug)]
pub struct LastRun {
    file: Option<PathBuf>,
    problem: Option<String>,
    begun: Instant,
}

impl LastRun {
    /// Looks for what the last run left, and notes that this one begins. Without a directory nothing is noted and nothing known.
    pub fn look(state_directory: &Path, boot_id: Uuid) -> Self {
        let is_set = !state_directory.as_os_str().is_empty();
        let file = is_set.then(|| state_directory.join(NAME));
        let problem = file.as_deref().and_then(|file| {
            let left = Run::left(file);
            let run = Run { boot_id, pid: std::process::id(), started_at: Timestamp::now() };
            match run.note(file) {
                Ok(()) => left.filter(|left| left.boot_id == boot_id).map(|left| left.problem()),
                Err(error) => Some(format!(
                    "audit.state_directory can't be written ({}: {error}): whether the sensor is killed won't be known",
                    file.display()
                )),
            }
        });
        if let Some(problem) = &problem {
            tracing::warn!("{problem}");
        }
        Self { file, problem, begun: Instant::now() }
    }

    /// What is wrong with it, for the first hour.
    pub fn problem(&self, now: Instant) -> Option<String> {
        let is_new = now.saturating_duration_since(self.begun) < TOLD_FOR;
        self.problem.clone().filter(|_| is_new)
    }

    /// The run ends in good order.
    pub fn end(&self) {
        if let Some(file) = &self.file
            && let Err(error) = fs::remove_file(file)
        {
            tracing::warn!(%error, path = %file.display(), "the note of this run can't be removed");
        }
    }
}

impl Run {
    /// What is not such a file was not left by a run.
    fn left(file: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(file).ok()?).ok()
    }

    fn note(&self, file: &Path) -> io::Result<()> {
        fs::create_dir_all(file.parent().unwrap_or(Path::new("/")))?;
        fs::write(file, serde_json::to_vec(self)?)
    }

    fn problem(&self) -> String {
        format!(
            "the sensor's last run (process {} since {}) did not end in good order: it was killed, it failed, or it ran out of memory; \
             what happened until this one began was not seen",
            self.pid, self.started_at
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_did_not_end_is_told_for_an_hour_and_one_that_did_is_not() {
        let folder = tempfile::tempdir().expect("a directory");
        let state = folder.path().join("state");
        let boot = Uuid::from_u128(1);
        let first = LastRun::look(&state, boot);
        let now = Instant::now();
        assert_eq!(first.problem(now), None);
        let second = LastRun::look(&state, boot);
        let problem = second.problem(now).expect("the first did not end");
        assert!(problem.contains("did not end in good order"), "{problem}");
        assert_eq!(second.problem(now + TOLD_FOR + TOLD_FOR), None);
        second.end();
        assert_eq!(LastRun::look(&state, boot).problem(now), None);
        let after_a_crash = LastRun::look(&state, Uuid::from_u128(2));
        assert_eq!(after_a_crash.problem(now), None, "the machine went down with it");
    }

    #[test]
    fn without_a_place_nothing_is_noted_and_one_that_can_t_be_written_is_a_problem() {
        let boot = Uuid::from_u128(1);
        let nowhere = LastRun::look(Path::new(""), boot);
        assert_eq!(nowhere.problem(Instant::now()), None);
        nowhere.end();
        let refused = LastRun::look(Path::new("/proc/nowhere"), boot);
        let problem = refused.problem(Instant::now()).expect("it can't be written");
        assert!(problem.contains("audit.state_directory"), "{problem}");
    }
}
