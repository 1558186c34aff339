use super::deliveries::{Delivery, Mark, Moment};
use super::queues::Queues;
use event_model::{Lane, Record};
use std::collections::BTreeSet;
use std::pin::pin;
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
    /// Something was acknowledged, or refused for good.
    pub(crate) settled: Notify,
}

impl Shared {
    /// The queues. Held for moments only, never over an await.
    pub(crate) fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox {
    pub(crate) fn new(bound: u64) -> (Self, Arc<Shared>) {
        let queues = Mutex::new(Queues::new(bound));
        let shared = Arc::new(Shared { queues, wake: Notify::new(), settled: Notify::new() });
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

    /// Whether three quarters of the room are free: time to send more of what can wait, such as a snapshot, and leaves the
    /// rest to what can't.
    #[must_use]
    pub fn has_room_for_snapshot(&self) -> bool {
        self.shared.queues().has_room_for_snapshot()
    }

    /// Whether less than three quarters of the bound are taken. Who can make others wait asks before it sends: what is over
    /// the bound is dropped.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.shared.queues().has_room()
    }

    /// This moment in what the outbox was given of a lane, to ask [`Outbox::delivery`] about later. None in
    /// [`Lane::Alert`]: reports of loss mix in there, which nobody gave.
    #[must_use]
    pub fn mark(&self, lane: Lane) -> Option<Mark> {
        self.shared.queues().deliveries().mark(lane)
    }

    /// What became of all that was given before `mark`, in its lane.
    #[must_use]
    pub fn delivery(&self, mark: Mark) -> Delivery {
        self.shared.queues().deliveries().since(mark)
    }

    /// This moment in what the outbox was given of these lanes, and in the losses that it has to report.
    #[must_use]
    pub fn moment(&self, lanes: &[Lane]) -> Moment {
        self.shared.queues().moment(lanes)
    }

    /// What became of all that was given, and of the losses that were counted, before `through`. Uncertain where
    /// something was lost since `from`, which is a moment of the same lanes and no later.
    #[must_use]
    pub fn delivery_between(&self, from: &Moment, through: &Moment) -> Delivery {
        self.shared.queues().deliveries().between(from, through)
    }

    /// Waits until [`Outbox::delivery_between`] is no longer [`Delivery::Waiting`]. Without a publisher that may be never.
    pub async fn delivered(&self, from: &Moment, through: &Moment) -> Delivery {
        loop {
            let mut settled = pin!(self.shared.settled.notified());
            // What is settled from here on wakes us, also before we wait.
            settled.as_mut().enable();
            match self.delivery_between(from, through) {
                Delivery::Waiting => settled.await,
                outcome => return outcome,
            }
        }
    }

    /// Whether entities were dropped for want of room since this was last true, and there is room now
    /// to send them again. Events that refer to them stand alone until then.
    #[must_use]
    pub fn take_entity_loss(&self) -> bool {
        self.shared.queues().take_entity_loss()
    }

    /// The API version and kind of Kubernetes objects whose deletion was dropped for want of room, since this was last
    /// asked. A snapshot does not bring those back, for it names what exists; a census shows them.
    #[must_use]
    pub fn take_lost_deletions(&self) -> BTreeSet<(String, String)> {
        self.shared.queues().take_deletions_lost()
    }

    /// Whether parts of the inventory were dropped for want of room since this was last true, and there is room now
    /// to send a snapshot. What was dropped is missing, or stays though it is gone, until then.
    #[must_use]
    pub fn take_inventory_loss(&self) -> bool {
        self.shared.queues().take_inventory_loss()
    }
}
