use super::deliveries::{Deliveries, Moment};
use super::footprint::footprint;
use crate::LossLedger;
use event_model::{Lane, LossReason, Record};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// A record that is no alert waits at most this long for company.
const MAXIMUM_WAIT: Duration = Duration::from_millis(100);

/// Losses are reported at most once in this while, so that a flood of them is one record.
const LOSS_INTERVAL: Duration = Duration::from_secs(1);

/// A batch is closed at this footprint: large enough that what a batch costs on its way (a sync, a round of TLS)
/// is shared by thousands of events; encoded and compressed it is a tenth of that, small beside the credit.
const BATCH_BYTES: u64 = 1 << 20;

/// A batch is closed at this many records.
const BATCH_RECORDS: usize = 4096;

/// Records of one lane that are to travel together.
pub(crate) struct Pending {
    pub(crate) lane: Lane,
    pub(crate) records: Vec<Record>,
}

#[derive(Default)]
struct LaneQueue {
    records: VecDeque<(Record, u64)>,
    bytes: u64,
    /// Since when something has waited; None while empty.
    waiting_since: Option<Instant>,
}

impl LaneQueue {
    fn push(&mut self, record: Record, bytes: u64, now: Instant) {
        self.records.push_back((record, bytes));
        self.bytes += bytes;
        self.waiting_since.get_or_insert(now);
    }

    fn pop(&mut self) -> Option<(Record, u64)> {
        let (record, bytes) = self.records.pop_front()?;
        self.bytes -= bytes;
        if self.records.is_empty() {
            self.waiting_since = None;
        }
        Some((record, bytes))
    }

    fn is_large(&self) -> bool {
        self.bytes >= BATCH_BYTES || self.records.len() >= BATCH_RECORDS
    }
}

/// What waits to be batched, by lane, and what was lost for want of room.
///
/// Invariants:
/// - `queued_bytes` is the sum of the footprints of all records here.
/// - After each [`Queues::push`], `queued_bytes + unacknowledged_bytes` is within the bound, or nothing is queued.
/// - Each record that was pushed is taken once, or counted once in `losses`; losses themselves are never dropped.
pub(crate) struct Queues {
    lanes: [LaneQueue; Lane::ALL.len()],
    losses: LossLedger,
    losses_since: Option<Instant>,
    last_loss_report: Option<Instant>,
    queued_bytes: u64,
    unacknowledged_bytes: u64,
    bound: u64,
    hurry: bool,
    /// Entities were dropped for want of room, and their sender was not told yet.
    entities_lost: bool,
    /// The same of the inventory.
    inventory_lost: bool,
    /// The API version and kind of Kubernetes objects whose deletion was dropped for want of room.
    deletions_lost: BTreeSet<(String, String)>,
    deliveries: Deliveries,
}

impl Queues {
    pub(crate) fn new(bound: u64) -> Self {
        Self {
            lanes: Default::default(),
            losses: LossLedger::new(),
            losses_since: None,
            last_loss_report: None,
            queued_bytes: 0,
            unacknowledged_bytes: 0,
            bound,
            hurry: false,
            entities_lost: false,
            inventory_lost: false,
            deletions_lost: BTreeSet::new(),
            deliveries: Deliveries::default(),
        }
    }

    /// Queues a record; drops the least worthy while over the bound. True where the link should look at once.
    pub(crate) fn push(&mut self, record: Record, now: Instant) -> bool {
        if let Record::Loss(loss) = record {
            // Merged, not queued: reports of loss take bounded room, and so can't be lost.
            self.losses.merge(loss);
            let first = self.losses_since.is_none();
            self.losses_since.get_or_insert(now);
            return first;
        }
        let lane = record.lane();
        self.deliveries.note_given(lane);
        let bytes = footprint(&record);
        let queue = &mut self.lanes[lane.index()];
        let was_idle = queue.waiting_since.is_none();
        let was_large = queue.is_large();
        queue.push(record, bytes, now);
        let became_large = queue.is_large() && !was_large;
        self.queued_bytes += bytes;
        self.shed(now);
        was_idle || became_large
    }

    /// Drops the oldest of the least worthy lane until the bound is kept.
    fn shed(&mut self, now: Instant) {
        while self.queued_bytes + self.unacknowledged_bytes > self.bound {
            let Some(lane) = Lane::ALL.into_iter().rev().find(|lane| !self.is_empty(*lane)) else {
                return;
            };
            let Some((record, bytes)) = self.lanes[lane.index()].pop() else { return };
            self.queued_bytes -= bytes;
            self.entities_lost |= lane == Lane::Entity;
            self.inventory_lost |= lane == Lane::Inventory;
            self.note_lost_deletion(&record);
            self.lose(lane, record.kind(), LossReason::QueueFull, 1, now);
        }
    }

    fn note_lost_deletion(&mut self, record: &Record) {
        if let Record::KubernetesObject(object) = record
            && object.deleted
        {
            self.deletions_lost.insert((object.api_version.clone(), object.kind.clone()));
        }
    }

    /// The API version and kind of deletions that were dropped since this was last asked.
    pub(crate) fn take_deletions_lost(&mut self) -> BTreeSet<(String, String)> {
        std::mem::take(&mut self.deletions_lost)
    }

    /// Whether three quarters of the room are free.
    pub(crate) fn has_room_for_snapshot(&self) -> bool {
        self.held_bytes() <= self.bound / 4
    }

    fn is_half_free(&self) -> bool {
        self.held_bytes() <= self.bound / 2
    }

    /// Whether entities were dropped for want of room since this last was true. Told only once half of the
    /// room is free: entities that are sent again before would push each other out.
    pub(crate) fn take_entity_loss(&mut self) -> bool {
        self.is_half_free() && std::mem::take(&mut self.entities_lost)
    }

    /// Whether parts of the inventory were dropped for want of room since this last was true, told like the above.
    pub(crate) fn take_inventory_loss(&mut self) -> bool {
        self.is_half_free() && std::mem::take(&mut self.inventory_lost)
    }

    /// Counts records that will never be sent.
    pub(crate) fn lose(
        &mut self,
        lane: Lane,
        kind: &'static str,
        reason: LossReason,
        count: u64,
        now: Instant,
    ) {
        self.losses.add(lane, kind, reason, count);
        self.deliveries.note_lost(lane, count);
        self.losses_since.get_or_insert(now);
        metrics::counter!("defender_link_dropped_total", "lane" => lane.name(), "reason" => reason.name())
            .increment(count);
    }

    /// The next batch that is due, of a lane at least as worthy as `least`. The worthiest lane comes first:
    /// a batch of telemetry is made only when no entity waits, so entities precede the events that refer to them.
    pub(crate) fn take(&mut self, least: Lane, now: Instant) -> Option<Pending> {
        let due = self.least_worthy_due(now)?;
        let reach = due.min(least);
        let lane = Lane::ALL
            .into_iter()
            .find(|lane| *lane <= reach && self.is_worth_a_batch(*lane, now))?;
        let mut records = Vec::new();
        if lane == Lane::Alert {
            records.extend(self.take_losses(now));
        }
        self.fill(lane, &mut records);
        Some(Pending { lane, records })
    }

    fn fill(&mut self, lane: Lane, records: &mut Vec<Record>) {
        let queue = &mut self.lanes[lane.index()];
        let mut bytes = 0;
        while records.len() < BATCH_RECORDS && bytes < BATCH_BYTES {
            let Some((record, size)) = queue.pop() else { break };
            records.push(record);
            bytes += size;
        }
        self.queued_bytes -= bytes;
    }

    fn take_losses(&mut self, now: Instant) -> impl Iterator<Item = Record> + use<> {
        if self.losses_since.take().is_some() {
            self.last_loss_report = Some(now);
        }
        let losses = self.losses.take();
        self.deliveries.note_reported(losses.len() as u64);
        losses.into_iter().map(Record::Loss)
    }

    /// When [`Queues::take`] will have something, as far as is known now. None while all is empty.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        Lane::ALL.into_iter().filter_map(|lane| self.due_at(lane)).min()
    }

    fn least_worthy_due(&self, now: Instant) -> Option<Lane> {
        Lane::ALL.into_iter().rev().find(|lane| self.due_at(*lane).is_some_and(|due| due <= now))
    }

    fn due_at(&self, lane: Lane) -> Option<Instant> {
        let queue = &self.lanes[lane.index()];
        let records = queue.waiting_since.map(|since| {
            let at_once = lane == Lane::Alert || self.hurry || queue.is_large();
            if at_once { since } else { since + MAXIMUM_WAIT }
        });
        if lane != Lane::Alert {
            return records;
        }
        records.into_iter().chain(self.losses_due_at()).min()
    }

    fn losses_due_at(&self) -> Option<Instant> {
        let since = self.losses_since?;
        match self.last_loss_report {
            Some(last) if !self.hurry => Some(since.max(last + LOSS_INTERVAL)),
            _ => Some(since),
        }
    }

    fn is_empty(&self, lane: Lane) -> bool {
        self.lanes[lane.index()].records.is_empty()
    }

    fn is_worth_a_batch(&self, lane: Lane, now: Instant) -> bool {
        let report = || self.losses_due_at().is_some_and(|due| due <= now);
        !self.is_empty(lane) || (lane == Lane::Alert && report())
    }

    fn has_any(&self, lane: Lane) -> bool {
        !self.is_empty(lane) || (lane == Lane::Alert && self.losses_since.is_some())
    }

    /// Whether nothing waits, losses included.
    pub(crate) fn all_empty(&self) -> bool {
        !Lane::ALL.into_iter().any(|lane| self.has_any(lane))
    }

    /// How many records wait.
    pub(crate) fn len(&self) -> usize {
        self.lanes.iter().map(|queue| queue.records.len()).sum()
    }

    /// Bytes that wait here or with the link.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.queued_bytes + self.unacknowledged_bytes
    }

    /// Whether a quarter of the bound is free.
    pub(crate) fn has_room(&self) -> bool {
        self.held_bytes() <= self.bound - self.bound / 4
    }

    /// Tells how much the link holds beside this: it counts against the same bound.
    pub(crate) fn set_unacknowledged_bytes(&mut self, bytes: u64) {
        self.unacknowledged_bytes = bytes;
    }

    /// This moment in what was given of these lanes.
    pub(crate) fn moment(&self, lanes: &[Lane]) -> Moment {
        self.deliveries.moment(lanes, self.losses_since.is_some())
    }

    /// What became of the records of each lane.
    pub(crate) fn deliveries(&mut self) -> &mut Deliveries {
        &mut self.deliveries
    }

    /// From now on everything is due at once: the program is ending.
    pub(crate) fn hurry(&mut self) {
        self.hurry = true;
    }
}

#[cfg(test)]
#[path = "queues_tests.rs"]
mod tests;
