//! What the backend keeps: alerts, entities, sensors and positions in `state.db`; events in a
//! file a day. Each record is kept exactly once, and what was acknowledged is durable.
//!
//! [`Store::open`] starts the writer's thread. [`Intake`] hands batches to it; [`Reader`] queries
//! on other threads. When all intakes are dropped, the writer finishes what waits and ends.

mod alert_query;
mod alerts;
mod audit;
mod batch;
mod body;
mod cluster;
mod conditions;
mod config;
mod container_key;
mod database;
mod day;
mod day_files;
pub(crate) mod enrolment;
mod entities;
mod error;
mod event_query;
mod event_store;
mod finding_query;
mod group;
mod held_alerts;
mod intake;
mod inventory;
mod kubernetes;
mod kubernetes_events;
mod losses;
mod page;
mod positions;
mod publisher;
mod reader;
mod retention;
mod sensors;
mod sources;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod writer;

pub use alert_query::{AlertCursor, AlertFilter, StoredAlert};
pub use audit::{AuditCursor, AuditFilter, AuditRecord};
pub use batch::{Batch, Stored};
pub use config::StoreConfig;
pub use enrolment::{EnrolmentCursor, EnrolmentFilter, EnrolmentRecord, TokenRecord};
pub use error::StoreError;
pub use event_query::{EventRecord, Place, SourceRecord};
pub use event_store::{EventCursor, EventFilter};
pub use finding_query::{ClusterRecord, FindingCursor, FindingFilter, FindingRecord};
pub use held_alerts::{HeldCounts, HeldRecord};
pub use intake::Intake;
pub use inventory::{InventoryCursor, InventoryFilter, InventoryRecord};
pub use kubernetes::{
    Change, ChangeCursor, ChangeFilter, ChangeRecord, Difference, ImageChange, ImageCursor,
    ImageFilter, ImagePlace, ImageRecord, ObjectCursor, ObjectFilter, ObjectRecord,
};
pub use kubernetes_events::{KubernetesEventCursor, KubernetesEventFilter, KubernetesEventRecord};
pub use page::Page;
pub use publisher::Publisher;
pub use reader::{ObjectDetail, Reader, RemovedRecord};
pub use sensors::{GapRecord, LossRecord, SensorCursor, SensorFilter, SensorRecord, StreamRecord};
pub use writer::Trouble;

use database::Schema;
use day_files::DayFiles;
use error::At;
use event_model::Timestamp;
use event_store::EventStore;
use group::Databases;
use positions::Positions;
use sources::Sources;
use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::Instant;
use tokio::sync::{oneshot, watch};
use writer::Writer;

const STATE_SCHEMA: Schema = Schema {
    steps: &[
        include_str!("store/schema/state-001.sql"),
        include_str!("store/schema/state-002.sql"),
        include_str!("store/schema/state-003.sql"),
        include_str!("store/schema/state-004.sql"),
        include_str!("store/schema/state-005.sql"),
        include_str!("store/schema/state-006.sql"),
        include_str!("store/schema/state-007.sql"),
        include_str!("store/schema/state-008.sql"),
    ],
};
const STATE_CACHE_BYTES: u64 = 32 << 20;

/// An open store.
pub struct Store {
    /// Hands batches to the writer.
    pub intake: Intake,
    /// Queries.
    pub reader: Reader,
    /// Whether the store takes batches.
    pub trouble: watch::Receiver<Trouble>,
    /// Resolves when the writer has ended.
    pub ended: oneshot::Receiver<()>,
}

impl Store {
    /// Opens the store and starts its writer.
    pub fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        let directory = &config.directory;
        make_directory(directory)?;
        let lock = lock(directory)?;
        let path = directory.join("state.db");
        let state = database::open_for_writing(&path, &STATE_SCHEMA, STATE_CACHE_BYTES)?;
        let events = DayFiles::open(directory, &path)?;
        let newest = alerts::newest(&state).at(&path)?;
        let (newest_alert, newest_alert_seen) = watch::channel(newest);
        let (trouble, trouble_seen) = watch::channel(None);
        let (jobs, jobs_taken) = mpsc::channel();
        let (end, ended) = oneshot::channel();
        let reader = Reader::new(path.clone(), events.reader(), newest_alert_seen);
        let databases = Databases {
            state,
            events: Box::new(events),
            sources: Sources::default(),
            positions: Positions::default(),
            unreferenced_before: None,
        };
        let writer = Writer {
            databases,
            path,
            maximum_bytes: config.maximum_bytes.get(),
            retention: config.retention(),
            jobs: jobs_taken,
            trouble,
            newest_alert,
            next_look: Instant::now(),
        };
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                writer.run();
                // Whoever hears of the end may open the store again.
                drop(lock);
                let _ = end.send(());
            })
            .map_err(|error| StoreError::directory(directory, error))?;
        Ok(Self { intake: Intake::new(jobs), reader, trouble: trouble_seen, ended })
    }
}

/// Makes the folder where it is missing. Command lines hold secrets: nobody else may look.
fn make_directory(directory: &Path) -> Result<(), StoreError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|error| StoreError::directory(directory, error))
}

/// Makes sure that no other backend uses the folder: the positions in memory would be wrong.
fn lock(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join("store.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| StoreError::directory(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: directory.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreError::directory(&path, error)),
    }
}

/// A moment as the database keeps it. The year 2262 and later are all one moment.
pub(crate) fn moment(moment: Timestamp) -> i64 {
    i64::try_from(moment.0).unwrap_or(i64::MAX)
}

/// A moment as the database keeps it.
pub(crate) fn timestamp(moment: i64) -> Timestamp {
    Timestamp(u64::try_from(moment).unwrap_or(0))
}
