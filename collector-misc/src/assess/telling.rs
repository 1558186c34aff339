//! Findings as records of the cluster's inventory.

use crate::publish::Publisher;
use assessment::Changes;
use event_model::{Finding, Inventory, InventoryItem, InventoryKind, Record, Timestamp};
use uuid::Uuid;

/// Findings in a record: a record is an object of some hundred kilobytes at most.
const IN_A_RECORD: usize = 100;

/// Tells what is new, other or gone.
pub(super) fn tell(changes: Changes, publisher: &Publisher) {
    let scanned_at = Timestamp::now();
    let mut removals = changes.removed.chunks(IN_A_RECORD * 10);
    let mut findings = changes.changed.into_iter();
    loop {
        let some: Vec<_> = findings.by_ref().take(IN_A_RECORD).collect();
        let gone = removals.next().unwrap_or_default();
        if some.is_empty() && gone.is_empty() {
            return;
        }
        publisher.send_inventory(record(scanned_at, some, gone.to_vec(), None));
    }
}

/// All findings, told as a snapshot while they are made.
pub(super) struct Snapshot<'s> {
    publisher: &'s Publisher,
    scanned_at: Timestamp,
    waiting: Vec<Finding>,
    count: u64,
    /// Waits for room, and tells whether there is any.
    room: &'s dyn Fn() -> bool,
    is_given_up: bool,
}

impl<'s> Snapshot<'s> {
    /// `room` is asked before each record; once it says no, all that follows is left out.
    pub(super) fn new(publisher: &'s Publisher, room: &'s dyn Fn() -> bool) -> Self {
        let (scanned_at, waiting) = (Timestamp::now(), Vec::with_capacity(IN_A_RECORD));
        Self { publisher, scanned_at, waiting, count: 0, room, is_given_up: false }
    }

    pub(super) fn put(&mut self, finding: Finding) {
        if self.is_given_up {
            return;
        }
        if self.waiting.len() >= IN_A_RECORD {
            self.send(false);
        }
        self.count += 1;
        self.waiting.push(finding);
    }

    /// Sends the end. Returns how many findings it has, or None where it was given up: without its end it says nothing of what is gone.
    pub(super) fn finish(mut self) -> Option<u64> {
        if !self.is_given_up {
            self.send(true);
        }
        (!self.is_given_up).then_some(self.count)
    }

    fn send(&mut self, is_last: bool) {
        let findings = std::mem::take(&mut self.waiting);
        self.is_given_up = !(self.room)();
        if !self.is_given_up {
            let items = is_last.then_some(self.count);
            self.publisher.send_inventory(record(self.scanned_at, findings, vec![], items));
        }
    }
}

fn record(
    scanned_at: Timestamp,
    changed: Vec<Finding>,
    removed: Vec<Uuid>,
    snapshot_items: Option<u64>,
) -> Record {
    let item = |finding| InventoryItem::Finding(Box::new(finding));
    let changed = changed.into_iter().map(item).collect();
    let kind = InventoryKind::Findings;
    let inventory = Inventory::of_cluster(kind, scanned_at, changed, removed, snapshot_items);
    Record::Inventory(Box::new(inventory))
}
