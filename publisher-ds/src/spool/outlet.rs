//! One destination's side of the spool.

use super::handle::Spool;
use super::lane_queue::Outgoing;
use super::worker::Command;
use event_model::{Lane, LossReason, SourceId};
use std::sync::Arc;
use tokio::sync::{Notify, oneshot};

/// The way out to one destination, which has its own position in the spool. Cheap to clone; all clones share the
/// position, so one connection at a time may use it.
#[derive(Clone)]
pub struct Outlet {
    pub(super) spool: Spool,
    /// The destination's place among those that the spool was opened for.
    pub(super) to: usize,
}

impl Outlet {
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
        self.spool.tell(Command::Take { to: self.to, credit, reserve, largest, maximum, reply });
        taken
    }

    /// The destination stored everything of a source's lane up to a sequence: once all did, it is deleted here.
    pub fn acknowledge(&self, lane: Lane, source: SourceId, through_sequence: u64) {
        self.spool.tell(Command::Acknowledge { to: self.to, lane, source, through_sequence });
    }

    /// An envelope in flight will never be taken by the destination: it is lost to it, counted and reported.
    pub fn reject(&self, lane: Lane, source: SourceId, first_sequence: u64, reason: LossReason) {
        let to = self.to;
        self.spool.tell(Command::Reject { to, lane, source, first_sequence, reason });
    }

    /// The destination took an envelope, but for so many of its records: they are lost to it, counted and reported.
    pub fn lose(&self, lane: Lane, records: u64, reason: LossReason) {
        self.spool.tell(Command::Lose { to: self.to, lane, records, reason });
    }

    /// What is in flight is handed out again.
    pub fn rewind(&self) {
        self.spool.tell(Command::Rewind { to: self.to });
    }

    /// Notified when there is something to take.
    pub fn spooled(&self) -> Arc<Notify> {
        self.spool.spooled(self.to)
    }
}
