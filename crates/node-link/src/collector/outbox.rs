use super::queues::Queues;
use event_model::Record;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Where a collector puts its records. Cheap to clone; usable from any thread of the program.
#[derive(Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
}

/// What the outboxes and the link of one program share.
pub(crate) struct Shared {
    queues: Mutex<Queues>,
    /// Something became due, or the program is ending.
    pub(crate) wake: Notify,
}

impl Shared {
    /// The queues. Held for moments only, never over an await.
    pub(crate) fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox {
    pub(crate) fn new(bound: u64) -> (Self, Arc<Shared>) {
        let shared =
            Arc::new(Shared { queues: Mutex::new(Queues::new(bound)), wake: Notify::new() });
        (Self { shared: Arc::clone(&shared) }, shared)
    }

    /// Queues a record for the publisher. Never blocks. Over the bound the oldest of the least worthy lane
    /// is dropped, counted, and reported as [`Record::Loss`]; reports of loss given here are summed, not dropped.
    pub fn send(&self, record: Record) {
        let look = self.shared.queues().push(record, Instant::now());
        if look {
            self.shared.wake.notify_one();
        }
    }

    /// Whether entities were dropped for want of room since this was last true, and there is room now
    /// to send them again. Events that refer to them stand alone until then.
    #[must_use]
    pub fn take_entity_loss(&self) -> bool {
        self.shared.queues().take_entity_loss()
    }

    /// Whether parts of the inventory were dropped for want of room since this was last true, and there is room now
    /// to send a snapshot. What was dropped is missing, or stays though it is gone, until then.
    #[must_use]
    pub fn take_inventory_loss(&self) -> bool {
        self.shared.queues().take_inventory_loss()
    }
}
