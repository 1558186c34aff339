use super::batch::{Batch, Change, Greeting, Job, Stored};
use super::error::{At, StoreError};
use super::publisher::Publisher;
use event_model::{Lane, SourceDescription};
use proto::{Envelope, MAXIMUM_DECODED_BYTES};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Memory that batches on their way to the disk may take, in steps of [`ROOM_STEP`]: 512 MiB. They seldom take
/// a tenth of what they are charged.
const ROOM_STEPS: u32 = 1 << 19;
const ROOM_STEP: usize = 1 << 10;
/// While a batch is decoded, its decompressed bytes are there beside the records made of them.
const COPIES: usize = 2;
/// What an event takes once decoded: it holds no list.
const EVENT_BYTES: usize = 256;
/// What a byte may become once decoded, text not counted: two make an empty process of hundreds.
const BYTES_A_BYTE: usize = 256;

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
        let plain = proto::plain_bytes(envelope);
        let decoded = plain.saturating_mul(BYTES_A_BYTE).min(MAXIMUM_DECODED_BYTES);
        let steps = plain.saturating_mul(COPIES).saturating_add(decoded).div_ceil(ROOM_STEP);
        let steps = u32::try_from(steps).unwrap_or(u32::MAX).min(ROOM_STEPS);
        Arc::clone(&self.room).acquire_many_owned(steps).await.map_err(|_| StoreError::Stopped)
    }

    /// Gives back what a decoded envelope was charged beyond what it takes. Of events that is known.
    pub fn give_back(room: &mut OwnedSemaphorePermit, envelope: &Envelope) {
        if envelope.lane() != Lane::Telemetry {
            return;
        }
        let events = (envelope.count() as usize).saturating_mul(EVENT_BYTES);
        let taken = proto::plain_bytes(envelope).saturating_add(events).div_ceil(ROOM_STEP);
        drop(room.split(room.num_permits().saturating_sub(taken)));
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

    /// Changes what is no record of a sensor. It is done also where nobody waits for the answer any more, and
    /// changes are done one after another.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let change: Change = Box::new(move |state, path| {
            let _ = reply.send(change(state).at(path));
        });
        self.jobs.send(Job::Change(change)).map_err(|_| StoreError::Stopped)?;
        answer.await.map_err(|_| StoreError::Stopped)?
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
    use crate::store::testing;
    use event_model::{Alert, MatchedField, Priority, Process, Record, SourceId};

    #[tokio::test]
    async fn a_batch_is_charged_what_its_lists_take_once_decoded() {
        let empty = MatchedField { field: String::new(), value: String::new() };
        let matched_fields = vec![empty; 100_000];
        let bytes = matched_fields.len() * size_of::<MatchedField>();
        let alert = Alert { matched_fields, ..testing::alert("r", Priority::Notice, None) };
        let records = [Record::Alert(Box::new(alert))];
        let envelope = proto::encode_batch(SourceId::generate(), Lane::Alert, 1, &records).unwrap();
        let intake = Intake::new(std::sync::mpsc::channel().0);
        let charged = intake.room(&envelope).await.unwrap().num_permits() * ROOM_STEP;
        assert!(charged >= bytes, "{charged} of {bytes} bytes");
    }

    #[tokio::test]
    async fn events_keep_little_of_their_room_once_they_are_decoded() {
        let events = testing::events(1000);
        let envelope =
            proto::encode_batch(SourceId::generate(), Lane::Telemetry, 1, &events).unwrap();
        let intake = Intake::new(std::sync::mpsc::channel().0);
        let mut room = intake.room(&envelope).await.unwrap();
        let before = room.num_permits();
        Intake::give_back(&mut room, &envelope);
        assert!(room.num_permits() * ROOM_STEP >= 1000 * EVENT_BYTES);
        assert!(room.num_permits() * 10 < before, "{} of {before}", room.num_permits());
        assert_eq!(intake.room.available_permits() + room.num_permits(), ROOM_STEPS as usize);
    }

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
