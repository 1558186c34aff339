use super::RecordConfig;
use super::file::{self, Chunks, Refused};
use alerting::Witness;
use capture::{Encoder, Head, RuleFile};
use detection::Act;
use event_model::{Alert, AuditEvent, Container, Host, Process, Timestamp};
use metrics::gauge;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// What is handed to the disk at once. What is younger than the last second may be less.
const CHUNK_BYTES: usize = 64 << 10;

/// Kept free for the end.
const END_BYTES: u64 = 256;

/// How long the end of the sensor waits for the disk.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// Takes what rules are asked, on whichever thread they are asked. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    /// None once it ended.
    recording: Arc<Mutex<Option<Recording>>>,
    /// Why it ended, or did not begin, where that was not meant.
    problem: Arc<OnceLock<String>>,
}

struct Recording {
    encoder: Encoder,
    /// What the disk was not handed yet: whole entries.
    chunk: Vec<u8>,
    /// Handed to the disk.
    bytes: u64,
    maximum: u64,
    chunks: Chunks,
    /// Acts and requests.
    asked: u64,
    alerts: u64,
}

impl Recorder {
    /// Begins a recording with the rules at these paths; None where none is configured. One that cannot begin says why,
    /// and takes nothing.
    pub fn start(config: &RecordConfig, rules: &[PathBuf], host: &Host) -> Option<Self> {
        if config.file.as_os_str().is_empty() {
            return None;
        }
        let path = &config.file;
        let unusable =
            |error| format!("nothing is recorded: cannot make {}: {error}", path.display());
        let recorder = match file::create(path).map_err(unusable) {
            Ok(file) => Self::on_file(file, path, config.maximum_bytes.get(), rules, host),
            Err(problem) => Self::of_problem(&problem),
        };
        Some(recorder)
    }

    pub(super) fn on_file(
        file: File,
        path: &Path,
        maximum: u64,
        rules: &[PathBuf],
        host: &Host,
    ) -> Self {
        let problem = Arc::default();
        let chunks = match file::start(file, path.to_owned(), Arc::clone(&problem)) {
            Ok(chunks) => chunks,
            Err(error) => return Self::of_problem(&format!("nothing is recorded: {error}")),
        };
        let mut chunk = vec![];
        let began_at = Timestamp::now();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let head = Head { version, began_at, host: host.clone() };
        let mut encoder = Encoder::begin(&head, &mut chunk);
        record_rules(&mut encoder, rules, maximum, &mut chunk);
        tracing::info!(file = %path.display(), maximum, "records what the rules are asked");
        gauge!("defender_recording").set(1);
        let (bytes, asked, alerts) = (0, 0, 0);
        let recording = Recording { encoder, chunk, bytes, maximum, chunks, asked, alerts };
        Self { recording: Arc::new(Mutex::new(Some(recording))), problem }
    }

    fn of_problem(problem: &str) -> Self {
        tracing::error!("{problem}");
        Self { recording: Arc::default(), problem: Arc::new(OnceLock::from(problem.to_owned())) }
    }

    /// Takes an act and the alerts that it raised. `process`, `ancestors` and `container` are those of the act.
    pub fn act<'p>(
        &self,
        act: &Act<'_>,
        process: &Arc<Process>,
        ancestors: impl Iterator<Item = &'p Arc<Process>>,
        container: Option<&Arc<Container>>,
        alerts: &[Alert],
    ) {
        self.take(alerts, |recording| {
            recording.encoder.act(act, process, ancestors, container, &mut recording.chunk);
        });
    }

    /// Takes a request to the API server of Kubernetes, and the alerts that it raised.
    pub fn request(&self, event: &AuditEvent, alerts: &[Alert]) {
        self.take(alerts, |recording| {
            recording.encoder.request(event, &mut recording.chunk);
        });
    }

    /// The same, for those who tell of each request.
    pub fn witness(self) -> Witness {
        Box::new(move |event, alerts| self.request(event, alerts))
    }

    /// Takes the rules at these paths, which are asked from here on.
    pub fn rules(&self, paths: &[PathBuf]) {
        if let Some(recording) = self.lock().as_mut() {
            let held = recording.bytes + recording.chunk.len() as u64;
            let left = recording.maximum.saturating_sub(held);
            record_rules(&mut recording.encoder, paths, left, &mut recording.chunk);
        }
    }

    /// Hands what it holds to the disk. To be called every second or so.
    pub fn flush(&self) {
        let mut recording = self.lock();
        if let Some(Err(refused)) = recording.as_mut().map(Recording::hand_over) {
            self.give_up(&mut recording, &refused);
        }
    }

    /// Ends the recording in good order, and waits a moment for the disk.
    pub fn finish(&self) {
        let recording = self.lock().take();
        if let Some(chunks) = recording.and_then(|recording| recording.end("the sensor ended")) {
            chunks.finish(LAST_WAIT);
        }
    }

    /// Why nothing is recorded that was to be.
    pub fn problem(&self) -> Option<String> {
        self.problem.get().cloned()
    }

    fn take(&self, alerts: &[Alert], encode: impl FnOnce(&mut Recording)) {
        let mut guard = self.lock();
        let Some(recording) = guard.as_mut() else { return };
        let before = recording.chunk.len();
        encode(recording);
        for alert in alerts {
            recording.encoder.alert(alert, &mut recording.chunk);
        }
        if recording.is_over_the_bound() {
            // Whole or not at all: an act without its alerts would replay to others.
            recording.chunk.truncate(before);
            if let Some(recording) = guard.take() {
                recording.end("record.maximum_bytes was reached");
            }
            return;
        }
        recording.asked += 1;
        recording.alerts += alerts.len() as u64;
        if recording.chunk.len() >= CHUNK_BYTES
            && let Err(refused) = recording.hand_over()
        {
            self.give_up(&mut guard, &refused);
        }
    }

    fn give_up(&self, recording: &mut Option<Recording>, refused: &Refused) {
        *recording = None;
        gauge!("defender_recording").set(0);
        // Where writing failed, the thread that writes told why.
        if matches!(refused, Refused::TooSlow) {
            let problem = "the recording ended: the disk is slower than what happens".to_owned();
            tracing::error!("{problem}");
            let _ = self.problem.set(problem);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Recording>> {
        self.recording.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recording {
    fn is_over_the_bound(&self) -> bool {
        self.bytes + self.chunk.len() as u64 + END_BYTES > self.maximum
    }

    fn hand_over(&mut self) -> Result<(), Refused> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        self.bytes += self.chunk.len() as u64;
        let next = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 4);
        self.chunks.send(std::mem::replace(&mut self.chunk, next))
    }

    /// Writes the end. The file ends when what is returned is dropped.
    fn end(self, reason: &str) -> Option<Chunks> {
        let Self { encoder, mut chunk, bytes, chunks, asked, alerts, .. } = self;
        encoder.end(reason, &mut chunk);
        gauge!("defender_recording").set(0);
        let bytes = bytes + chunk.len() as u64;
        tracing::info!(reason, bytes, asked, alerts, "the recording ended");
        chunks.send(chunk).is_ok().then_some(chunks)
    }
}

/// Keeps the rules with what they are asked, so that a replay needs nothing else. They may take half of what is left.
fn record_rules(encoder: &mut Encoder, paths: &[PathBuf], left: u64, chunk: &mut Vec<u8>) {
    let files = match rule_files::read_all(paths) {
        Ok(files) => files,
        Err(error) => {
            tracing::warn!(%error, "the recording has no rules: a replay has to be given them");
            return;
        }
    };
    let file = |file: rule_files::RuleFile| RuleFile { name: file.name, text: file.text };
    let files: Vec<_> = files.into_iter().map(file).collect();
    let before = chunk.len();
    if !encoder.rules(&files, chunk) || (chunk.len() - before) as u64 > left / 2 {
        chunk.truncate(before);
        tracing::warn!("the rules are too large to be recorded: a replay has to be given them");
    }
}
