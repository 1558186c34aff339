use super::delivered::Delivered;
use super::kind::Kind;
use super::snapshots::{Reasons, SnapshotTrigger};
use super::turn::{Role, Turn};
use event_model::{
    KubernetesEvent, KubernetesObject, Lane, Loss, LossReason, Record, SensorStatus, Timestamp,
};
use node_link::Outbox;
use service_runtime::Part;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often the queue is asked whether it dropped objects.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

/// How often a list that waits for room looks for it.
const BETWEEN_LOOKS_FOR_ROOM: Duration = Duration::from_millis(20);

/// The way to the publisher, as the watches see it. What they give is sent while this replica leads, and kept while it
/// stands by.
#[derive(Clone)]
pub(crate) struct Publisher {
    outbox: Outbox,
    connected: watch::Receiver<bool>,
    losses: watch::Sender<()>,
    /// The number of the newest doubt of what is delivered.
    doubts: watch::Sender<u64>,
    turn: Arc<Mutex<Turn>>,
    role: watch::Sender<Role>,
}

impl Publisher {
    /// A publisher that keeps at most `buffer_bytes` while another replica leads.
    pub(crate) fn new(outbox: Outbox, connected: watch::Receiver<bool>, buffer_bytes: u64) -> Self {
        Self {
            outbox,
            connected,
            losses: watch::Sender::new(()),
            doubts: watch::Sender::new(0),
            turn: Arc::new(Mutex::new(Turn::new(buffer_bytes))),
            role: watch::Sender::new(Role::Undecided),
        }
    }

    /// Whether what is given now arrives somewhere: on a standby in what it keeps. Who is told no may leave objects out
    /// of a list, so that nothing counts as delivered until they are listed again.
    pub(crate) fn is_connected(&self) -> bool {
        self.in_turn(|turn, _| {
            let is_connected = *self.connected.borrow() || !turn.leads();
            if !is_connected {
                turn.doubt_all();
            }
            is_connected
        })
    }

    /// Tells when a snapshot of all objects is due. A snapshot of objects is what ends with [`Self::listed`] for each
    /// kind: there is one such trigger.
    pub(crate) fn snapshots(&self) -> SnapshotTrigger {
        SnapshotTrigger::new(self.reasons(), Some(self.clone()))
    }

    /// Tells when a snapshot of what was concluded from objects is due.
    pub(crate) fn snapshots_of_findings(&self) -> SnapshotTrigger {
        SnapshotTrigger::new(self.reasons(), None)
    }

    fn reasons(&self) -> Reasons {
        Reasons {
            connected: self.connected.clone(),
            losses: self.losses.subscribe(),
            doubts: self.doubts.subscribe(),
            role: self.role.subscribe(),
        }
    }

    /// Whether a snapshot that runs arrives somewhere. Who is told no ends it, and has it be due again by
    /// [`SnapshotTrigger::was_cut_short`].
    pub(crate) fn takes_snapshot(&self) -> bool {
        *self.connected.borrow() && self.leads()
    }

    /// A snapshot of all objects begins. Returns the number of the newest doubt that it mends.
    pub(super) fn begin_snapshot(&self) -> u64 {
        self.in_turn(|turn, outbox| {
            turn.begin_snapshot(outbox);
            turn.doubts()
        })
    }

    /// Sends an object as it is now.
    pub(crate) fn send(&self, object: KubernetesObject) {
        let kind = Kind::new(&object.api_version, &object.kind);
        let version = object.resource_version.parse().ok();
        self.give(kind, version, Record::KubernetesObject(Box::new(object)));
    }

    /// Notes that all states of a kind up to this resource version were given to [`Self::send`], or are the same to us
    /// as what was. To be told after each event of a live watch, its bookmarks, and the end of a list, and never amid a
    /// list, whose objects come in no order. What is never told is kept by standbys as long as there is room.
    pub(crate) fn reached(&self, api_version: &str, kind: &str, resource_version: &str) {
        // Kubernetes promises a decimal number; of a server that breaks that, nothing is known delivered.
        let Ok(version) = resource_version.parse() else { return };
        self.in_turn(|turn, outbox| turn.reached(outbox, &Kind::new(api_version, kind), version));
    }

    /// Notes that all objects of a kind as they are now were given to [`Self::send`], whether they changed or not, since
    /// a snapshot was due.
    pub(crate) fn listed(&self, api_version: &str, kind: &str) {
        self.in_turn(|turn, outbox| turn.listed(outbox, &Kind::new(api_version, kind)));
    }

    /// A census of a kind begins: it shows what was lost so far.
    pub(crate) fn begin_census(&self, api_version: &str, kind: &str) {
        self.in_turn(|turn, outbox| turn.begin_census(outbox, &Kind::new(api_version, kind)));
    }

    /// All records of the census that began were given to [`Self::send_inventory`].
    pub(crate) fn end_census(&self, api_version: &str, kind: &str) {
        self.in_turn(|turn, outbox| turn.end_census(outbox, &Kind::new(api_version, kind)));
    }

    fn give(&self, kind: Kind, version: Option<u64>, record: Record) {
        self.turn().give(&self.outbox, kind, version, record);
    }

    /// Acts, and tells of the doubts that arose.
    fn in_turn<T>(&self, act: impl FnOnce(&mut Turn, &Outbox) -> T) -> T {
        let mut turn = self.turn();
        let outcome = act(&mut turn, &self.outbox);
        self.doubts.send_if_modified(|doubts| {
            let is_new = *doubts != turn.doubts();
            *doubts = turn.doubts();
            is_new
        });
        outcome
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what a part of Kubernetes noted.
    pub(crate) fn send_event(&self, event: KubernetesEvent) {
        let version = event.resource_version.parse().ok();
        self.give(Kind::new("v1", "Event"), version, Record::KubernetesEvent(Box::new(event)));
    }

    /// Reports that an object was seen and could not be told of. Standbys see it too.
    pub(crate) fn report_loss(&self, reason: LossReason) {
        if !self.leads() {
            return;
        }
        let now = Timestamp::now();
        self.outbox.send(Record::Loss(Loss {
            lane: Lane::Entity,
            kind: "kubernetes_object".to_owned(),
            reason,
            count: 1,
            since: now,
            until: now,
        }));
    }

    /// Sends a part of the cluster's inventory, where this replica leads.
    pub(crate) fn send_inventory(&self, record: Record) {
        if self.leads() {
            self.outbox.send(record);
        }
    }

    /// Whether [`Self::room`] would not wait.
    pub(crate) fn has_room(&self) -> bool {
        !self.is_full()
    }

    fn is_full(&self) -> bool {
        *self.connected.borrow() && !self.outbox.has_room_for_snapshot()
    }

    /// Waits until there is room for more of a list or a snapshot. Without a connection it does not: nothing would make
    /// room.
    pub(crate) async fn room(&self) {
        while self.is_full() {
            tokio::time::sleep(BETWEEN_LOOKS_FOR_ROOM).await;
        }
    }

    /// Waits until there is room for a deletion, which only the census after a snapshot would make good: also for a
    /// publisher who is not there.
    /// A standby keeps them.
    pub(crate) async fn room_for_deletion(&self) {
        while self.leads() && !self.outbox.has_room() {
            tokio::time::sleep(BETWEEN_LOOKS_FOR_ROOM).await;
        }
    }

    /// What is wrong with what was sent, in words for people.
    pub(crate) fn problem(&self) -> Option<String> {
        let turn = self.turn();
        let kinds: Vec<String> = turn.lacking_deletions().map(ToString::to_string).collect();
        (!kinds.is_empty()).then(|| {
            format!(
                "deletions may not have been told, so objects may be shown that are gone until all are told again, of: {}; \
                 raise publisher.queue_bytes and leadership.buffer_bytes",
                kinds.join(", ")
            )
        })
    }

    /// Sends that an object is gone of which only the uid is still known: name and namespace are
    /// empty, and mean that what was told before stands.
    pub(crate) fn send_deletion(&self, api_version: &str, kind: &str, uid: String) {
        self.send(KubernetesObject {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            uid,
            deleted: true,
            ..KubernetesObject::default()
        });
    }

    /// There is no other replica.
    pub(crate) fn lead_alone(&self) {
        self.in_turn(Turn::lead_always);
        self.role.send_replace(Role::Leader { lacks_changes: false });
    }

    /// Leads until then, after another or for the first time. `delivered` is what those before have delivered; where
    /// `lacks_changes`, that may be lost even so.
    pub(crate) fn take_over(&self, until: Instant, delivered: Delivered, lacks_changes: bool) {
        let lacks_changes =
            self.in_turn(|turn, outbox| turn.take_over(outbox, until, delivered, lacks_changes));
        self.role.send_replace(Role::Leader { lacks_changes });
    }

    /// Leads on until then.
    pub(crate) fn lead_on(&self, until: Instant) {
        self.in_turn(|turn, outbox| turn.lead(outbox, until));
    }

    /// Another leads, or nobody.
    pub(crate) fn stand_by(&self) {
        self.turn().stand_by();
        self.role.send_replace(Role::Standby);
    }

    /// Whether what is given now is sent.
    pub(crate) fn leads(&self) -> bool {
        self.turn().leads()
    }

    /// What this leader, and those before it, delivered.
    pub(crate) fn delivered(&self) -> Delivered {
        self.in_turn(Turn::delivered)
    }

    /// Lets go of what was kept and another told delivered. Returns how many bytes are still kept.
    pub(crate) fn forget(&self, delivered: &Delivered) -> u64 {
        let mut turn = self.turn();
        turn.forget(delivered);
        turn.kept_bytes()
    }

    /// Reports on this replica itself, whoever leads.
    pub(crate) fn report(&self, status: SensorStatus) {
        self.outbox.send(Record::SensorStatus(Box::new(status)));
    }

    /// Keeps `part` as ready as the link is connected, and has what the queue dropped sent again once
    /// there is room, until `shutdown`.
    pub(crate) async fn tell_state(
        mut self,
        part: Part,
        shutdown: CancellationToken,
    ) -> Result<(), Infallible> {
        let mut looks = tokio::time::interval(BETWEEN_LOOKS);
        loop {
            self.in_turn(|turn, outbox| {
                turn.note_lost_deletions(outbox);
                turn.look_at_censuses(outbox);
            });
            // Both, whatever the first says.
            if self.outbox.take_entity_loss() | self.outbox.take_inventory_loss() {
                self.losses.send_replace(());
            }
            if *self.connected.borrow_and_update() {
                part.ready();
            } else {
                part.not_ready("not connected to the publisher's socket; see the log");
            }
            tokio::select! {
                changed = self.connected.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                }
                _ = looks.tick() => {}
                () = shutdown.cancelled() => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
