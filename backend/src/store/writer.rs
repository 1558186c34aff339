//! The one thread that writes. It drains what waits into one transaction, so that
//! under load many batches share the two fsyncs of a commit; alone, a batch waits for nobody.

use super::batch::{Batch, Greeting, Job, Stored};
use super::error::{At, StoreError};
use super::group::{Databases, Tally};
use super::retention::Retention;
use super::{alerts, positions, sources};
use event_model::{Lane, Record, Timestamp};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// Records in one transaction: about a tenth of a second's work, which bounds what a reader of
/// the log and an acknowledgement wait for.
const MOST_RECORDS: usize = 50_000;
/// How often the size is looked at, and a refusing disk asked again.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// What is written to ask a disk whether it takes data again.
const PROBE_BYTES: u32 = 256 << 10;

/// Whether the store takes batches: None, or why not.
pub type Trouble = Option<String>;

pub(crate) struct Writer {
    pub(crate) databases: Databases,
    /// The state's file.
    pub(crate) path: PathBuf,
    pub(crate) maximum_bytes: u64,
    pub(crate) retention: Retention,
    pub(crate) jobs: Receiver<Job>,
    pub(crate) trouble: watch::Sender<Trouble>,
    pub(crate) newest_alert: watch::Sender<i64>,
    pub(crate) next_look: Instant,
}

type Reply = oneshot::Sender<Result<Stored, StoreError>>;

impl Writer {
    /// Works until no job can come any more. What was taken in is stored before.
    pub(crate) fn run(mut self) {
        loop {
            let wait = self.next_look.saturating_duration_since(Instant::now());
            match self.jobs.recv_timeout(wait) {
                Ok(job) => self.work(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if Instant::now() >= self.next_look {
                self.next_look = Instant::now() + LOOK_INTERVAL;
                self.look();
            }
        }
        // Leaves one file behind instead of a file and its log.
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        if let Err(error) = self.databases.state.query_row(checkpoint, [], |_| Ok(())) {
            tracing::debug!(%error, "no last checkpoint");
        }
    }

    /// Does one job and all that wait behind it.
    fn work(&mut self, first: Job) {
        let mut group: Vec<(Batch, Reply)> = Vec::new();
        let mut records = 0;
        let mut next = Some(first);
        while let Some(job) = next {
            match job {
                Job::Store(batch, reply) => {
                    records += batch.records.len();
                    group.push((batch, reply));
                }
                Job::Greet(greeting, reply) => {
                    let held = self.greet(&greeting);
                    let _ = reply.send(held);
                }
                Job::Change(change) => change(&mut self.databases.state, &self.path),
            }
            next = if records < MOST_RECORDS { self.jobs.try_recv().ok() } else { None };
        }
        if !group.is_empty() {
            self.store(group);
        }
    }

    fn greet(&mut self, greeting: &Greeting) -> Result<Vec<(Lane, u64)>, StoreError> {
        let Greeting { publisher, description } = greeting;
        let now = Timestamp::now();
        let state = &self.databases.state;
        let row = self.databases.sources.register(state, publisher, description.id, now, &[]);
        let row =
            row.at(&self.path)?.ok_or_else(|| StoreError::TooManySources(publisher.clone()))?;
        sources::describe(state, row, description).at(&self.path)?;
        sources::seen(state, row, now).at(&self.path)?;
        positions::held(state, row).at(&self.path)
    }

    fn store(&mut self, group: Vec<(Batch, Reply)>) {
        let started = Instant::now();
        let result = self.databases.store(&self.path, group.iter().map(|(batch, _)| batch));
        metrics::histogram!("defender_store_commit_seconds").record(started.elapsed());
        match result {
            Ok(tally) => self.stored(group, &tally),
            // One batch of several is at fault: the others must not suffer.
            Err(error) if error.blames_batch() && group.len() > 1 => {
                for alone in group {
                    self.store(vec![alone]);
                }
            }
            Err(error) => self.failed(group, &error),
        }
    }

    fn stored(&mut self, group: Vec<(Batch, Reply)>, tally: &Tally) {
        self.trouble.send_if_modified(|trouble| trouble.take().is_some());
        count(tally);
        if !tally.alerts.is_empty() {
            self.tell_newest_alert();
        }
        for ((batch, reply), stored) in group.into_iter().zip(&tally.batches) {
            let lane = batch.lane.name();
            let outcome = if stored.new == 0 { "repeated" } else { "stored" };
            if stored.new > 0 {
                tell_delay(&batch);
            }
            metrics::counter!("defender_ingest_records_total", "lane" => lane)
                .increment(stored.new);
            metrics::counter!("defender_ingest_batches_total", "lane" => lane, "outcome" => outcome)
                .increment(1);
            let _ = reply.send(Ok(*stored));
        }
    }

    fn failed(&mut self, group: Vec<(Batch, Reply)>, error: &StoreError) {
        if error.blames_batch() {
            tracing::error!(%error, "a batch cannot be stored");
        } else {
            self.refuse(error);
        }
        for (batch, reply) in group {
            let lane = batch.lane.name();
            metrics::counter!("defender_ingest_batches_total", "lane" => lane, "outcome" => "failed")
                .increment(1);
            let _ = reply.send(Err(error.clone()));
        }
    }

    fn refuse(&self, error: &StoreError) {
        let reason = error.to_string();
        let changed =
            |trouble: &mut Trouble| trouble.replace(reason.clone()).as_ref() != Some(&reason);
        if self.trouble.send_if_modified(changed) {
            tracing::error!(%error, "the store takes no batches");
        }
    }

    fn tell_newest_alert(&self) {
        match alerts::newest(&self.databases.state) {
            Ok(number) => {
                self.newest_alert.send_replace(number);
            }
            Err(error) => tracing::error!(%error, "cannot tell which alert is the newest"),
        }
    }

    /// Looks after size and health between batches.
    fn look(&mut self) {
        if self.trouble.borrow().is_some() && self.probe() {
            tracing::info!("the store takes batches again");
            self.trouble.send_replace(None);
        }
        match self.databases.make_room(&self.path, self.maximum_bytes) {
            // There may be more to do: look again as soon as waiting batches are stored.
            Ok(true) => self.next_look = Instant::now(),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "cannot make room in the store"),
        }
        match self.databases.expire(&self.path, self.retention, Timestamp::now()) {
            Ok(true) => self.next_look = Instant::now(),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "cannot remove what is too old"),
        }
        if let Ok(sizes) = self.databases.sizes(&self.path) {
            gauge("state", sizes.state);
            gauge("events", sizes.events);
        }
    }

    /// Whether the disk takes data. Without it, a store that nobody writes to would never recover.
    fn probe(&self) -> bool {
        let write = "INSERT OR REPLACE INTO probe (id, filling) VALUES (1, randomblob(?1))";
        self.databases.state.execute(write, [PROBE_BYTES]).is_ok()
    }
}

/// How late the first act of a batch is in the store: the longest under way of them all.
fn tell_delay(batch: &Batch) {
    let time = batch.records.iter().find_map(|record| match record {
        Record::Event(event) => Some(event.time),
        Record::Alert(alert) => Some(alert.time),
        _ => None,
    });
    let Some(time) = time else { return };
    // Clocks of nodes differ: what comes before it happened counts as at once.
    let seconds = Timestamp::now().milliseconds_since(time).max(0.0) / 1e3;
    metrics::histogram!("defender_ingest_delay_seconds", "lane" => batch.lane.name())
        .record(seconds);
}

fn count(tally: &Tally) {
    for priority in &tally.alerts {
        metrics::counter!("defender_alerts_total", "priority" => priority.name()).increment(1);
    }
    for (reason, count) in
        [("repeated_alert", tally.repeated_alerts), ("repeated_request", tally.repeated_requests)]
    {
        if count > 0 {
            metrics::counter!("defender_ingest_rejected_total", "reason" => reason)
                .increment(count);
        }
    }
    for (lane, first, last) in &tally.gaps {
        tracing::warn!(%lane, first, last, "sequences are missing");
        metrics::counter!("defender_ingest_sequence_gaps_total", "lane" => lane.name())
            .increment(1);
    }
}

#[allow(clippy::cast_precision_loss)] // A gauge is a floating-point number.
fn gauge(kind: &'static str, bytes: u64) {
    metrics::gauge!("defender_store_bytes", "kind" => kind).set(bytes as f64);
}
