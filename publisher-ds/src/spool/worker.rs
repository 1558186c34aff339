//! The thread that owns the disk: gathers what came, commits it with one sync a lane, answers.
//!
//! What comes while a sync is under way is committed by the next: the slower the disk and the more there is to do, the
//! more shares a sync. A pause before each, so that still more might come, was not worth its delay: collectors send
//! batches, of up to 4096 records, so 50,000 events a second are some dozens of syncs, not thousands.

mod waiting;

use super::destinations::Destination;
use super::lane_queue::Outgoing;
use super::sources::Sources;
use super::store::Store;
use event_model::{Lane, LossReason, Record, SourceId};
use proto::Envelope;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot, watch};
use waiting::{Waiting, be_patient};

/// What does not hurry is done this often: saving the cursor, trying a failing disk again.
const TICK: Duration = Duration::from_secs(1);

/// Whether a destination made room is looked at this often.
const GLANCE: Duration = Duration::from_millis(20);

const CURSOR_INTERVAL: Duration = Duration::from_secs(5);

/// Commands taken up before the next commit.
const COMMANDS_AT_ONCE: usize = 1024;

/// What the thread is asked to do.
pub(crate) enum Command {
    Append {
        envelope: Envelope,
        done: oneshot::Sender<()>,
    },
    /// A record of the publisher itself. Only the newest waits for a failing disk.
    Report(Box<Record>),
    /// `to` is the place of a destination among those that the spool was opened for.
    Take {
        to: usize,
        credit: u64,
        reserve: u64,
        largest: u64,
        maximum: usize,
        reply: oneshot::Sender<Vec<Outgoing>>,
    },
    Acknowledge {
        to: usize,
        lane: Lane,
        source: SourceId,
        through_sequence: u64,
    },
    Reject {
        to: usize,
        lane: Lane,
        source: SourceId,
        first_sequence: u64,
        reason: LossReason,
    },
    Lose {
        to: usize,
        lane: Lane,
        records: u64,
        reason: LossReason,
    },
    Rewind {
        to: usize,
    },
    Close(oneshot::Sender<()>),
}

/// How the spool is, for readiness and reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpoolState {
    /// Bytes on disk, by lane.
    pub bytes: [u64; Lane::ALL.len()],
    /// What each destination has not got, in the order in which they were named.
    pub destinations: Vec<DestinationState>,
    /// Why nothing is taken now, and the way out. None while all is well.
    pub problem: Option<String>,
}

/// What a destination has not got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DestinationState {
    /// Its name.
    pub name: String,
    /// Records that it has not acknowledged, by lane.
    pub records: [u64; Lane::ALL.len()],
    /// Records that it will never get, by lane, since the spool knows it.
    pub lost: [u64; Lane::ALL.len()],
}

/// What the thread shares with the rest of the program.
#[derive(Clone)]
pub(crate) struct Shared {
    /// For each destination: something was made durable.
    pub(crate) spooled: Arc<[Arc<Notify>]>,
    pub(crate) state: watch::Sender<SpoolState>,
    /// A copy for greetings: what is durable of which source.
    pub(crate) sources: Arc<Mutex<Sources>>,
}

impl Shared {
    fn notify(&self) {
        self.spooled.iter().for_each(|spooled| spooled.notify_one());
    }
}

pub(crate) struct Worker {
    store: Store,
    commands: Receiver<Command>,
    shared: Shared,
    waiting: [Waiting; Lane::ALL.len()],
    report: Option<Box<Record>>,
    problem: Option<String>,
    cursor_saved: Instant,
}

impl Worker {
    pub(crate) fn new(store: Store, commands: Receiver<Command>, shared: Shared) -> Self {
        Self {
            store,
            commands,
            shared,
            waiting: Default::default(),
            report: None,
            problem: None,
            cursor_saved: Instant::now(),
        }
    }

    /// Works until it is told to close, or nobody is left to tell.
    pub(crate) fn run(mut self) {
        let _fuse = Fuse;
        self.publish();
        loop {
            let is_patient = self.waiting.iter().any(|waiting| waiting.patient_since.is_some());
            let pause = if is_patient { GLANCE } else { TICK };
            let closing = match self.commands.recv_timeout(pause) {
                Ok(first) => self.take_up(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return self.store.save_cursor(),
            };
            self.commit_all();
            self.keep_house(closing.is_some());
            self.publish();
            if let Some(closed) = closing {
                let _ = closed.send(());
                return;
            }
        }
    }

    /// Takes up this command and those that came with it, so that one sync serves them all.
    fn take_up(&mut self, first: Command) -> Option<oneshot::Sender<()>> {
        let mut next = Some(first);
        for _ in 0..COMMANDS_AT_ONCE {
            let Some(command) = next else { break };
            if let Some(closing) = self.obey(command) {
                return Some(closing);
            }
            next = self.commands.try_recv().ok();
        }
        if let Some(last) = next { self.obey(last) } else { None }
    }

    fn obey(&mut self, command: Command) -> Option<oneshot::Sender<()>> {
        match command {
            Command::Append { envelope, done } => {
                self.waiting[envelope.lane().index()].push(envelope, done);
            }
            Command::Report(record) => self.report = Some(record),
            Command::Take { to, credit, reserve, largest, maximum, reply } => {
                let _ = reply.send(self.store.take(to, credit, reserve, largest, maximum));
            }
            Command::Acknowledge { to, lane, source, through_sequence } => {
                self.store.acknowledge(to, lane, source, through_sequence);
            }
            Command::Reject { to, lane, source, first_sequence, reason } => {
                self.store.reject(to, lane, source, first_sequence, reason);
            }
            Command::Lose { to, lane, records, reason } => {
                self.store.count_lost(to, lane, records, reason);
            }
            Command::Rewind { to } => self.store.rewind(to),
            Command::Close(closed) => return Some(closed),
        }
        None
    }

    /// The worthiest lanes first: on a disk that is almost full, theirs is what still fits.
    fn commit_all(&mut self) {
        self.commit_report();
        let mut has_new = false;
        for lane in Lane::ALL {
            has_new |= self.commit(lane);
        }
        let is_stuck = self.waiting.iter().any(|waiting| waiting.is_stuck);
        if !is_stuck && self.report.is_none() {
            self.problem = None;
        }
        if has_new {
            self.shared.notify();
        }
    }

    fn commit_report(&mut self) {
        if self.store.is_resting() {
            return;
        }
        let Some(record) = self.report.take() else { return };
        if let Err(error) = self.store.report(std::slice::from_ref(&*record)) {
            self.note_failure(&error);
            self.report = Some(record);
        }
    }

    fn commit(&mut self, lane: Lane) -> bool {
        let waiting = &mut self.waiting[lane.index()];
        waiting.forget_abandoned();
        waiting.is_stuck &= !waiting.envelopes.is_empty();
        if !waiting.is_due() {
            return false;
        }
        let now = be_patient(waiting, &self.store, lane);
        if now == 0 {
            return false;
        }
        let mut committed = self.store.commit(lane, &waiting.envelopes.make_contiguous()[..now]);
        while committed.settled < waiting.envelopes.len()
            && committed.failure.as_ref().is_some_and(is_full)
            && self.store.sacrifice_for(lane)
        {
            settle(waiting, committed.settled, &self.shared, lane);
            committed = self.store.commit(lane, waiting.envelopes.make_contiguous());
        }
        settle(waiting, committed.settled, &self.shared, lane);
        waiting.is_stuck = committed.failure.is_some();
        waiting.retry_at = match (waiting.is_stuck, waiting.patient_since) {
            (true, _) => Some(Instant::now() + TICK),
            (false, Some(_)) => Some(Instant::now() + GLANCE),
            (false, None) => None,
        };
        self.rest_what_lost(&committed.has_lost);
        if let Some(error) = &committed.failure {
            self.note_failure(error);
        }
        true
    }

    /// Where there is no room, what comes within a tick is lost together: one report a tick tells of it.
    fn rest_what_lost(&mut self, has_lost: &[bool]) {
        let lanes = self.waiting.iter_mut().zip(has_lost);
        for (waiting, _) in lanes.filter(|(_, has_lost)| **has_lost) {
            waiting.retry_at = Some(Instant::now() + TICK);
        }
    }

    fn note_failure(&mut self, error: &io::Error) {
        metrics::counter!("defender_spool_write_errors_total").increment(1);
        self.problem = Some(in_words(error));
    }

    fn keep_house(&mut self, is_closing: bool) {
        self.store.keep_house();
        if self.store.take_reported() {
            self.shared.notify();
        }
        if is_closing || self.cursor_saved.elapsed() >= CURSOR_INTERVAL {
            self.store.save_cursor();
            self.cursor_saved = Instant::now();
        }
    }

    fn destinations(&self) -> Vec<DestinationState> {
        let records = |to| std::array::from_fn(|index| self.store.lanes[index].records(to));
        let state = |(to, it): (usize, &Destination)| DestinationState {
            name: it.name.clone(),
            records: records(to),
            lost: it.lost,
        };
        self.store.destinations().iter().enumerate().map(state).collect()
    }

    fn publish(&self) {
        let state = SpoolState {
            bytes: std::array::from_fn(|index| self.store.lanes[index].bytes()),
            destinations: self.destinations(),
            problem: self.problem.clone(),
        };
        show(&state);
        self.shared.state.send_if_modified(|before| {
            let is_other = *before != state;
            *before = state;
            is_other
        });
    }
}

/// Answers the senders of the first `count` envelopes.
fn settle(waiting: &mut Waiting, count: usize, shared: &Shared, lane: Lane) {
    let mut sources = shared.sources.lock().unwrap_or_else(PoisonError::into_inner);
    for envelope in waiting.envelopes.drain(..count) {
        sources.note(envelope.source(), lane, envelope.last_sequence());
    }
    drop(sources);
    for done in waiting.done.drain(..count) {
        // Its connection may be gone; the collector then sends it again and is told that it is known.
        let _ = done.send(());
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn in_words(error: &io::Error) -> String {
    let way_out = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free space on the file system of spool.directory, or lower spool.maximum_bytes"
        }
        io::ErrorKind::ReadOnlyFilesystem => "make the file system of spool.directory writable",
        io::ErrorKind::PermissionDenied => "let the publisher's user write to spool.directory",
        _ => "look at the health of the disk that spool.directory lies on",
    };
    format!("the spool can't be written ({error}), and collectors wait: {way_out}")
}

/// Ends the program with the thread, should that panic: a publisher that acknowledges nothing any more must not look
/// alive.
struct Fuse;

impl Drop for Fuse {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the spool's thread failed; the publisher ends, to be started anew");
            std::process::abort();
        }
    }
}

#[allow(clippy::cast_precision_loss)] // Gauges.
fn show(state: &SpoolState) {
    for lane in Lane::ALL {
        let index = lane.index();
        metrics::gauge!("defender_spool_bytes", "lane" => lane.name())
            .set(state.bytes[index] as f64);
        for destination in &state.destinations {
            let name = destination.name.clone();
            metrics::gauge!("defender_spool_records", "lane" => lane.name(), "destination" => name)
                .set(destination.records[index] as f64);
        }
    }
}

#[cfg(test)]
mod tests;
