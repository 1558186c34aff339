use super::batch::{Batch, Greeting, Job, Stored};
use super::error::StoreError;
use super::publisher::Publisher;
use event_model::{Lane, SourceDescription};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Memory that batches on their way to the disk may take, in steps of [`ROOM_STEP`]: 128 MiB.
const ROOM_STEPS: u32 = 1 << 17;
const ROOM_STEP: usize = 1 << 10;
/// What a record takes once decoded, about: what it points to not counted, which its encoding tells.
const RECORD_BYTES: usize = 256;

/// Hands batches to the writer. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    jobs: Sender<Job>,
    room: Arc<Semaphore>,
}

impl Intake {
    pub(crate) fn new(jobs: Sender<Job>) -> Self {
        Self { jobs, room: Arc::new(Semaphore::new(ROOM_STEPS as usize)) }
    }

    /// Waits until a batch of so many encoded bytes and records finds room in memory.
    pub async fn room(
        &self,
        bytes: usize,
        records: usize,
    ) -> Result<OwnedSemaphorePermit, StoreError> {
        let steps = (bytes + records * RECORD_BYTES).div_ceil(ROOM_STEP);
        let steps = u32::try_from(steps).unwrap_or(u32::MAX).min(ROOM_STEPS);
        Arc::clone(&self.room).acquire_many_owned(steps).await.map_err(|_| StoreError::Stopped)
    }

    /// Hands over a batch. The receiver resolves when it is durable, or cannot be. Batches of a
    /// stream are stored in the order of these calls.
    pub fn store(
        &self,
        batch: Batch,
    ) -> Result<oneshot::Receiver<Result<Stored, StoreError>>, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job::Store(batch, reply)).map_err(|_| StoreError::Stopped)?;
        Ok(answer)
    }

    /// Takes note of a publisher's own source. Tells how far its lanes are held.
    pub async fn greet(
        &self,
        publisher: Publisher,
        description: SourceDescription,
    ) -> Result<Vec<(Lane, u64)>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let greeting = Greeting { publisher, description };
        self.jobs.send(Job::Greet(greeting, reply)).map_err(|_| StoreError::Stopped)?;
        answer.await.map_err(|_| StoreError::Stopped)?
    }
}
