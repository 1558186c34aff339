use super::error::StoreError;
use super::publisher::Publisher;
use event_model::{Lane, Record, SourceDescription, SourceId, Timestamp};
use rusqlite::Connection;
use std::path::Path;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// A decoded batch that waits to be stored.
#[derive(Debug)]
pub struct Batch {
    /// Who brought it.
    pub publisher: Publisher,
    /// The program that made the records.
    pub source: SourceId,
    /// The lane of all its records.
    pub lane: Lane,
    /// Sequence of the first record.
    pub first_sequence: u64,
    /// The records, at least one.
    pub records: Vec<Record>,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Its part of the memory that batches may take.
    pub room: OwnedSemaphorePermit,
}

/// A batch that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Everything of its stream up to this sequence is held.
    pub through: u64,
    /// How many of its records were new.
    pub new: u64,
}

/// A change of the state that answers by itself.
pub(crate) type Change = Box<dyn FnOnce(&mut Connection, &Path) + Send>;

/// What the writer is asked for.
pub(crate) enum Job {
    /// To store a batch.
    Store(Batch, oneshot::Sender<Result<Stored, StoreError>>),
    /// To take note of a publisher's own source, and tell how far its lanes are held.
    Greet(Greeting, oneshot::Sender<Result<Vec<(Lane, u64)>, StoreError>>),
    /// To change what is no record: it is given the state and its file, and answers by itself.
    Change(Change),
}

/// A publisher that connects.
pub(crate) struct Greeting {
    pub(crate) publisher: Publisher,
    pub(crate) description: SourceDescription,
}
