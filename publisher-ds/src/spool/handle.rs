//! The spool as the asynchronous parts of the program see it.

use super::directory::{SpoolConfig, SpoolError};
use super::store::Store;
use super::worker::{Command, Shared, SpoolState, Worker};
use event_model::{Lane, LossReason, Record, SourceDescription, SourceId};
use node_link::Held;
use proto::Envelope;
use std::future::Future;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, PoisonError};
use tokio::sync::{Notify, oneshot, watch};

pub use super::lane_queue::Outgoing;

/// The spool was closed: the program is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the spool is closed")]
pub struct Closed;

/// A durable queue of envelopes. Cheap to clone; all clones are one spool.
#[derive(Clone)]
pub struct Spool {
    commands: Sender<Command>,
    shared: Shared,
}

impl Spool {
    /// Opens the spool and starts its thread. `own` is the source that losses are reported by. Blocks while
    /// the disk is read.
    pub fn open(config: SpoolConfig, own: &SourceDescription) -> Result<Self, SpoolError> {
        let path = config.directory.clone();
        let store = Store::open(config, own)?;
        let (commands, inbox) = channel();
        let shared = Shared {
            spooled: Arc::new(Notify::new()),
            state: watch::Sender::new(SpoolState::default()),
            sources: Arc::new(std::sync::Mutex::new(store.sources.clone())),
        };
        let worker = Worker::new(store, inbox, shared.clone());
        let started = std::thread::Builder::new().name("spool".into()).spawn(move || worker.run());
        let failed =
            |error: io::Error| SpoolError::Io { path, action: "starting its thread", error };
        started.map_err(failed)?;
        Ok(Self { commands, shared })
    }

    /// Queues an envelope. The future resolves when it is durable: on a full disk, once there is room.
    pub fn append(
        &self,
        envelope: Envelope,
    ) -> impl Future<Output = Result<(), Closed>> + Send + use<> {
        let (done, is_done) = oneshot::channel();
        self.tell(Command::Append { envelope, done });
        async { is_done.await.map_err(|_| Closed) }
    }

    /// Queues a record of the publisher itself.
    pub fn report(&self, record: Record) {
        self.tell(Command::Report(Box::new(record)));
    }

    /// What is durable of a source.
    pub fn held(&self, source: SourceId) -> Vec<Held> {
        let sources = self.shared.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let held = |(lane, through_sequence)| Held { lane, through_sequence };
        sources.lanes(source).map(held).collect()
    }

    /// Asks for up to `maximum` envelopes with `credit` bytes of payload, the worthiest lanes first; `reserve` of
    /// the credit is for alerts alone. One of more than `largest` bytes is handed out whatever the credit, so that
    /// it can be rejected. They are in flight until acknowledged, rejected or rewound.
    pub fn take(
        &self,
        credit: u64,
        reserve: u64,
        largest: u64,
        maximum: usize,
    ) -> oneshot::Receiver<Vec<Outgoing>> {
        let (reply, taken) = oneshot::channel();
        self.tell(Command::Take { credit, reserve, largest, maximum, reply });
        taken
    }

    /// The backend stored everything of a source's lane up to a sequence: it is deleted here.
    pub fn acknowledge(&self, lane: Lane, source: SourceId, through_sequence: u64) {
        self.tell(Command::Acknowledge { lane, source, through_sequence });
    }

    /// An envelope in flight will never be taken by the backend: it is dropped, counted and reported.
    pub fn reject(&self, lane: Lane, source: SourceId, first_sequence: u64, reason: LossReason) {
        self.tell(Command::Reject { lane, source, first_sequence, reason });
    }

    /// What is in flight is handed out again.
    pub fn rewind(&self) {
        self.tell(Command::Rewind);
    }

    /// Notified when there is something to take.
    pub fn spooled(&self) -> Arc<Notify> {
        Arc::clone(&self.shared.spooled)
    }

    /// How the spool is.
    pub fn state(&self) -> watch::Receiver<SpoolState> {
        self.shared.state.subscribe()
    }

    /// Commits what was queued, saves the cursor, and ends the thread.
    pub async fn close(&self) {
        let (closed, is_closed) = oneshot::channel();
        self.tell(Command::Close(closed));
        let _ = is_closed.await;
    }

    /// After the end nobody listens; whoever waits for an answer learns it by the dropped channel.
    fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}
