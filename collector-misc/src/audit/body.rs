//! The body of a request, read event by event as it comes.

use super::intake::Intake;
use super::refusal::Refusal;
use bytes::Bytes;
use event_model::LossReason;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use kubernetes_audit::{EventList, MAXIMUM_EVENT_BYTES};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// From the first byte of a body to its last.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// How long a body waits for another to be done.
const WAIT_FOR_TURN: Duration = Duration::from_secs(5);
/// How long an event waits for room, so that a body that alone fills the queue is not sent again and again: its connection is
/// not read meanwhile.
const WAIT_FOR_ROOM: Duration = Duration::from_secs(5);
const BETWEEN_LOOKS_FOR_ROOM: Duration = Duration::from_millis(20);
/// An event of which more than this came has to be the only such one.
const LARGE_EVENT: usize = 256 << 10;

/// Reads bodies within bounds.
pub(super) struct Bodies {
    /// A permit for each body that may be read at a time.
    turns: Semaphore,
    /// The one permit for an event that is held and large.
    large: Semaphore,
    most_bytes: u64,
}

impl Bodies {
    pub(super) fn new(at_a_time: usize, most_bytes: u64) -> Self {
        Self { turns: Semaphore::new(at_a_time), large: Semaphore::new(1), most_bytes }
    }

    /// Takes the events of a body. What was taken before a refusal stands, and is known when it comes again.
    pub(super) async fn read(
        &self,
        body: &mut Incoming,
        length: Option<u64>,
        intake: &Intake,
    ) -> Result<(), Refusal> {
        if length.is_some_and(|length| length > self.most_bytes) {
            return Err(Refusal::TooLarge);
        }
        if !intake.has_room() {
            return Err(Refusal::Crowded);
        }
        let turn = timeout(WAIT_FOR_TURN, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Refusal::Busy) };
        let events = self.take_events(body, intake);
        timeout(BODY_DEADLINE, events).await.unwrap_or(Err(Refusal::Slow))
    }

    async fn take_events(&self, body: &mut Incoming, intake: &Intake) -> Result<(), Refusal> {
        let mut list = EventList::new(MAXIMUM_EVENT_BYTES);
        let mut left = self.most_bytes;
        let mut large: Option<SemaphorePermit<'_>> = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Refusal::Broken)?;
            let Ok(piece) = frame.into_data() else { continue };
            left = left.checked_sub(piece.len() as u64).ok_or(Refusal::TooLarge)?;
            take_piece(&mut list, piece, intake).await?;
            if list.held_bytes() <= LARGE_EVENT {
                large = None;
            } else if large.is_none() {
                large = self.large.acquire().await.ok();
            }
        }
        Ok(list.end()?)
    }
}

async fn take_piece(
    list: &mut EventList,
    mut piece: Bytes,
    intake: &Intake,
) -> Result<(), Refusal> {
    while !piece.is_empty() {
        timeout(WAIT_FOR_ROOM, room(intake)).await.map_err(|_| Refusal::Crowded)??;
        let (taken, item) = list.push(&piece)?;
        if let Some(item) = item {
            intake.take(item);
        }
        piece = piece.split_off(taken);
        // Watches and other bodies have their turn between two events.
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Waits for room for another event.
async fn room(intake: &Intake) -> Result<(), Refusal> {
    loop {
        if intake.is_ending() {
            return Err(Refusal::Ending);
        }
        if intake.has_room() {
            return Ok(());
        }
        tokio::time::sleep(BETWEEN_LOOKS_FOR_ROOM).await;
    }
}

impl Refusal {
    /// What is lost where a body is refused so; None where it comes again and is taken then.
    pub(super) const fn loss(&self) -> Option<LossReason> {
        match self {
            Self::TooLarge => Some(LossReason::TooLarge),
            Self::Malformed(_) => Some(LossReason::Undecodable),
            _ => None,
        }
    }
}
