//! The spool as the asynchronous parts of the program see it.

use super::destinations::Subscription;
use super::directory::{SpoolConfig, SpoolError};
use super::store::Store;
use super::worker::{Command, Shared, SpoolState, Worker};
use event_model::{Record, SourceDescription, SourceId};
use node_link::Held;
use proto::Envelope;
use std::future::Future;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, PoisonError};
use tokio::sync::{Notify, oneshot, watch};

use super::outlet::Outlet;

/// The spool was closed: the program is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the spool is closed")]
pub struct Closed;

/// A durable queue of envelopes. Cheap to clone; all clones are one spool.
#[derive(Clone)]
pub struct Spool {
    commands: Sender<Command>,
    shared: Shared,
    destinations: Arc<[String]>,
}

impl Spool {
    /// Opens the spool for its destinations, by what they ask for, and starts its thread. The first destination is the one
    /// that reports of loss are addressed to. `own` is the source that they are reported by. Blocks while the disk is
    /// read.
    pub fn open(
        config: SpoolConfig,
        own: &SourceDescription,
        subscriptions: &[Subscription],
    ) -> Result<Self, SpoolError> {
        let path = config.directory.clone();
        let store = Store::open(config, own, subscriptions)?;
        let (commands, inbox) = channel();
        let shared = Shared {
            spooled: subscriptions.iter().map(|_| Arc::default()).collect(),
            state: watch::Sender::new(SpoolState::default()),
            sources: Arc::new(std::sync::Mutex::new(store.sources.clone())),
        };
        let destinations = subscriptions.iter().map(|it| it.name.clone()).collect();
        let worker = Worker::new(store, inbox, shared.clone());
        let started = std::thread::Builder::new().name("spool".into()).spawn(move || worker.run());
        let failed =
            |error: io::Error| SpoolError::Io { path, action: "starting its thread", error };
        started.map_err(failed)?;
        Ok(Self { commands, shared, destinations })
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

    /// The way out to a destination; None where the spool was not opened for it.
    pub fn outlet(&self, name: &str) -> Option<Outlet> {
        let to = self.destinations.iter().position(|destination| destination == name)?;
        Some(Outlet { spool: self.clone(), to })
    }

    /// Notified when there is something to take for a destination.
    pub(super) fn spooled(&self, to: usize) -> Arc<Notify> {
        Arc::clone(&self.shared.spooled[to])
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
    pub(super) fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}
