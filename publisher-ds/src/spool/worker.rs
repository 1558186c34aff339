//! The thread that owns the disk: gathers what came, commits it with one sync a lane, answers.

use super::lane_queue::Outgoing;
use super::sources::Sources;
use super::store::Store;
use event_model::{Lane, LossReason, Record, SourceId};
use proto::Envelope;
use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot, watch};

/// What does not hurry is done this often: saving the cursor, trying a failing disk again.
const TICK: Duration = Duration::from_secs(1);

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
    Take {
        credit: u64,
        reserve: u64,
        largest: u64,
        maximum: usize,
        reply: oneshot::Sender<Vec<Outgoing>>,
    },
    Acknowledge {
        lane: Lane,
        source: SourceId,
        through_sequence: u64,
    },
    Reject {
        lane: Lane,
        source: SourceId,
        first_sequence: u64,
        reason: LossReason,
    },
    Rewind,
    Close(oneshot::Sender<()>),
}

/// How the spool is, for readiness and reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpoolState {
    /// Bytes on disk, by lane.
    pub bytes: [u64; Lane::ALL.len()],
    /// Records that the backend has not acknowledged, by lane.
    pub records: [u64; Lane::ALL.len()],
    /// Why nothing is taken now, and the way out. None while all is well.
    pub problem: Option<String>,
}

struct Waiting {
    envelopes: VecDeque<Envelope>,
    done: VecDeque<oneshot::Sender<()>>,
    retry_at: Option<Instant>,
}

/// What the thread shares with the rest of the program.
#[derive(Clone)]
pub(crate) struct Shared {
    /// Something was made durable.
    pub(crate) spooled: Arc<Notify>,
    pub(crate) state: watch::Sender<SpoolState>,
    /// A copy for greetings: what is durable of which source.
    pub(crate) sources: Arc<Mutex<Sources>>,
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
        let waiting =
            || Waiting { envelopes: VecDeque::new(), done: VecDeque::new(), retry_at: None };
        Self {
            store,
            commands,
            shared,
            waiting: std::array::from_fn(|_| waiting()),
            report: None,
            problem: None,
            cursor_saved: Instant::now(),
        }
    }

    /// Works until it is told to close, or nobody is left to tell.
    pub(crate) fn run(mut self) {
        self.publish();
        loop {
            let closing = match self.commands.recv_timeout(TICK) {
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
                let waiting = &mut self.waiting[envelope.lane().index()];
                waiting.envelopes.push_back(envelope);
                waiting.done.push_back(done);
            }
            Command::Report(record) => self.report = Some(record),
            Command::Take { credit, reserve, largest, maximum, reply } => {
                let _ = reply.send(self.store.take(credit, reserve, largest, maximum));
            }
            Command::Acknowledge { lane, source, through_sequence } => {
                self.store.acknowledge(lane, source, through_sequence);
            }
            Command::Reject { lane, source, first_sequence, reason } => {
                self.store.reject(lane, source, first_sequence, reason);
            }
            Command::Rewind => self.store.rewind(),
            Command::Close(closed) => return Some(closed),
        }
        None
    }

    /// The worthiest lanes first: on a disk that is almost full, theirs is what still fits.
    fn commit_all(&mut self) {
        let mut has_new = self.commit_report();
        for lane in Lane::ALL {
            has_new |= self.commit(lane);
        }
        let is_stuck = self.waiting.iter().any(|waiting| waiting.retry_at.is_some());
        if !is_stuck && self.report.is_none() {
            self.problem = None;
        }
        if has_new {
            self.shared.spooled.notify_one();
        }
    }

    fn commit_report(&mut self) -> bool {
        if self.store.is_resting() {
            return false;
        }
        let Some(record) = self.report.take() else { return false };
        let reported = self.store.report(std::slice::from_ref(&*record));
        if let Err(error) = &reported {
            self.note_failure(error);
            self.report = Some(record);
        }
        reported.is_ok()
    }

    fn commit(&mut self, lane: Lane) -> bool {
        let waiting = &mut self.waiting[lane.index()];
        let is_resting = waiting.retry_at.is_some_and(|at| Instant::now() < at);
        if waiting.envelopes.is_empty() || is_resting {
            return false;
        }
        let mut committed = self.store.commit(lane, waiting.envelopes.make_contiguous());
        while committed.settled < waiting.envelopes.len()
            && committed.failure.as_ref().is_some_and(is_full)
            && self.store.sacrifice_for(lane)
        {
            settle(waiting, committed.settled, &self.shared, lane);
            committed = self.store.commit(lane, waiting.envelopes.make_contiguous());
        }
        settle(waiting, committed.settled, &self.shared, lane);
        waiting.retry_at = committed.failure.as_ref().map(|_| Instant::now() + TICK);
        if let Some(error) = &committed.failure {
            self.note_failure(error);
        }
        true
    }

    fn note_failure(&mut self, error: &io::Error) {
        metrics::counter!("defender_spool_write_errors_total").increment(1);
        self.problem = Some(in_words(error));
    }

    fn keep_house(&mut self, is_closing: bool) {
        self.store.report_losses();
        if is_closing || self.cursor_saved.elapsed() >= CURSOR_INTERVAL {
            self.store.save_cursor();
            self.cursor_saved = Instant::now();
        }
    }

    fn publish(&self) {
        let state = SpoolState {
            bytes: std::array::from_fn(|index| self.store.lanes[index].bytes()),
            records: std::array::from_fn(|index| self.store.lanes[index].records()),
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

#[allow(clippy::cast_precision_loss)] // Gauges.
fn show(state: &SpoolState) {
    for lane in Lane::ALL {
        let index = lane.index();
        metrics::gauge!("defender_spool_bytes", "lane" => lane.name())
            .set(state.bytes[index] as f64);
        metrics::gauge!("defender_spool_records", "lane" => lane.name())
            .set(state.records[index] as f64);
    }
}
