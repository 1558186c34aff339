use super::batch::{Batch, Greeting, Job, Stored};
use super::error::StoreError;
use super::publisher::Publisher;
use event_model::{Lane, SourceDescription};
use proto::Envelope;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Memory that batches on their way to the disk may take, in steps of [`ROOM_STEP`]: 128 MiB.
const ROOM_STEPS: u32 = 1 << 17;
const ROOM_STEP: usize = 1 << 10;
/// While a batch is decoded, its decompressed bytes are there beside the records made of them.
const COPIES: usize = 2;
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

    /// Waits until what an envelope holds finds room in memory: to be called before it is
    /// decompressed, since a payload of a few bytes may hold many.
    pub async fn room(&self, envelope: &Envelope) -> Result<OwnedSemaphorePermit, StoreError> {
        let plain = proto::plain_bytes(envelope).saturating_mul(COPIES);
        let records = (envelope.count() as usize).saturating_mul(RECORD_BYTES);
        let steps = plain.saturating_add(records).div_ceil(ROOM_STEP);
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

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::{Process, Record, SourceId};

    #[tokio::test]
    async fn a_batch_is_charged_what_it_takes_once_decompressed() {
        let process = Process { name: "n".repeat(15 << 20), ..Process::default() };
        let records = [Record::Process(Box::new(process))];
        let source = SourceId::generate();
        let envelope = proto::encode_batch(source, Lane::Entity, 1, &records).unwrap();
        assert!(envelope.payload().len() < 10_000, "{} bytes", envelope.payload().len());
        let intake = Intake::new(std::sync::mpsc::channel().0);
        let room = intake.room(&envelope).await.unwrap();
        let charged = room.num_permits() * ROOM_STEP;
        assert!(charged >= 2 * (15 << 20), "{charged} bytes");
    }
}
