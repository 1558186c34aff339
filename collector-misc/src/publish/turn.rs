use super::delivered::Delivered;
use super::kind::Kind;
use super::progress::Progress;
use super::recent_changes::RecentChanges;
use event_model::{Lane, Record};
use node_link::Outbox;
use tokio::time::Instant;

/// Whose turn it is to send what the watches see: this replica's, or another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nobody knows yet. Changes are kept.
    Undecided,
    /// Another leads: changes are kept, for the case that it ends.
    Standby,
    /// Changes are sent. Where `lacks_changes`, no replica may have sent some: all objects are to be sent.
    Leader {
        /// See above.
        lacks_changes: bool,
    },
}

/// Sends the changes of a leader, and keeps those of a standby.
#[derive(Debug)]
pub(super) struct Turn {
    lead: Lead,
    recent: RecentChanges,
    progress: Progress,
    /// Something came while another led, or before anybody did.
    has_kept: bool,
}

#[derive(Clone, Copy, Debug)]
enum Lead {
    No,
    /// A leader that was frozen past this moment is none, though nobody has told it yet.
    Until(Instant),
    Always,
}

impl Turn {
    pub(super) fn new(buffer_bytes: u64) -> Self {
        let recent = RecentChanges::new(buffer_bytes);
        Self { lead: Lead::No, recent, progress: Progress::default(), has_kept: false }
    }

    pub(super) fn leads(&self) -> bool {
        match self.lead {
            Lead::No => false,
            Lead::Until(until) => Instant::now() < until,
            Lead::Always => true,
        }
    }

    pub(super) fn give(
        &mut self,
        outbox: &Outbox,
        kind: Kind,
        version: Option<u64>,
        record: Record,
    ) {
        if self.leads() {
            self.progress.comes(&kind, outbox.mark(kind.lane()));
            outbox.send(record);
        } else {
            self.has_kept = true;
            self.progress.comes(&kind, None);
            self.recent.push(kind, version, record);
        }
    }

    pub(super) fn reached(&mut self, outbox: &Outbox, kind: &Kind, version: u64) {
        let mark = if self.leads() {
            outbox.mark(kind.lane())
        } else {
            self.has_kept = true;
            self.recent.reached(kind, version);
            None
        };
        self.progress.reached(kind, version, mark, |mark| outbox.delivery(mark));
    }

    /// Objects of any kind may be left out.
    pub(super) fn doubt_all(&mut self) {
        self.progress.doubt_all();
    }

    /// A snapshot of all objects begins.
    pub(super) fn begin_snapshot(&mut self, outbox: &Outbox) {
        let delivery = |mark| outbox.delivery(mark);
        self.progress.begin_snapshot(|kind| outbox.mark(kind.lane()), delivery);
    }

    pub(super) fn listed(&mut self, outbox: &Outbox, kind: &Kind) {
        self.note_lost_deletions(outbox);
        if self.leads() {
            self.progress.listed(kind, |mark| outbox.delivery(mark));
        }
    }

    /// The records of a census of `kind` follow.
    pub(super) fn begin_census(&mut self, outbox: &Outbox, kind: &Kind) {
        self.note_lost_deletions(outbox);
        self.progress.begin_census(kind, outbox.mark(Lane::Inventory));
    }

    /// All records of the census were given.
    pub(super) fn end_census(&mut self, outbox: &Outbox, kind: &Kind) {
        let now = outbox.mark(Lane::Inventory).filter(|_| self.leads());
        self.progress.end_census(kind, now);
    }

    /// Asks the outbox whether censuses were delivered.
    pub(super) fn look_at_censuses(&mut self, outbox: &Outbox) {
        self.progress.look_at_censuses(|mark| outbox.delivery(mark));
    }

    /// Asks the outbox for deletions that it dropped.
    pub(super) fn note_lost_deletions(&mut self, outbox: &Outbox) {
        for (api_version, kind) in outbox.take_lost_deletions() {
            self.progress.lose_deletions(&Kind::new(&api_version, &kind));
        }
    }

    /// The kinds whose deletions may not have been told.
    pub(super) fn lacking_deletions(&self) -> impl Iterator<Item = &Kind> {
        self.progress.lacking_deletions()
    }

    /// Grows with each doubt that a snapshot would end.
    pub(super) fn doubts(&self) -> u64 {
        self.progress.doubts()
    }

    /// Begins to lead. Sends what was kept and is not among what is `delivered`, and tells whether changes are
    /// missing even so. Where `lacks_changes`, what is delivered may be lost, and counts for nothing; who has seen nothing
    /// yet misses nothing, as it lists all objects as leader.
    pub(super) fn take_over(
        &mut self,
        outbox: &Outbox,
        until: Instant,
        delivered: Delivered,
        lacks_changes: bool,
    ) -> bool {
        let delivered = if lacks_changes { Delivered::default() } else { delivered };
        self.recent.forget(&delivered);
        for kind in self.recent.incomplete(&delivered) {
            self.progress.doubt(&kind);
        }
        self.lead(outbox, until);
        if self.has_kept && (lacks_changes || !self.leads()) {
            self.progress.doubt_all();
        }
        let delivery = |mark| outbox.delivery(mark);
        self.progress.begin(delivered, |kind| outbox.mark(kind.lane()), delivery);
        self.progress.is_in_doubt()
    }

    /// Leads until then; sends what was kept in the meantime.
    pub(super) fn lead(&mut self, outbox: &Outbox, until: Instant) {
        self.lead = Lead::Until(until);
        if self.leads() {
            self.send_kept(outbox);
        }
    }

    pub(super) fn lead_always(&mut self, outbox: &Outbox) {
        self.lead = Lead::Always;
        self.send_kept(outbox);
    }

    fn send_kept(&mut self, outbox: &Outbox) {
        for kind in self.recent.evicted() {
            self.progress.doubt(kind);
        }
        for kind in self.recent.lost_deletions() {
            self.progress.lose_deletions(kind);
        }
        self.progress.before_sending(|kind| outbox.mark(kind.lane()));
        self.recent.take().into_iter().for_each(|record| outbox.send(record));
    }

    pub(super) fn stand_by(&mut self) {
        self.lead = Lead::No;
    }

    /// Lets go of what another told delivered.
    pub(super) fn forget(&mut self, delivered: &Delivered) {
        self.recent.forget(delivered);
    }

    /// What this leader, and those before it, delivered.
    pub(super) fn delivered(&mut self, outbox: &Outbox) -> Delivered {
        self.note_lost_deletions(outbox);
        self.look_at_censuses(outbox);
        self.progress.look(|mark| outbox.delivery(mark)).clone()
    }

    pub(super) fn kept_bytes(&self) -> u64 {
        self.recent.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::{Delivered, Kind, Outbox, Record, Turn};
    use event_model::{Component, Lane, SourceDescription, SourceId};
    use node_link::LinkConfig;
    use std::time::Duration;
    use tokio::time::Instant;

    const SECOND: Duration = Duration::from_secs(1);

    struct Replica {
        turn: Turn,
        outbox: Outbox,
    }

    impl Replica {
        fn new() -> Self {
            let config = LinkConfig { socket: "/nowhere".into(), queue_bytes: 8 << 20 };
            let source = SourceDescription {
                id: SourceId::generate(),
                component: Component::CollectorMisc,
                version: String::new(),
                node: String::new(),
                boot_id: uuid::Uuid::nil(),
            };
            let (outbox, _) = node_link::connect(config, source);
            Self { turn: Turn::new(1 << 20), outbox }
        }

        /// Sees a state of a pod; tells how many records that sent.
        fn see(&mut self, version: u64) -> usize {
            let pod = Record::KubernetesObject(Box::default());
            self.counting(|turn, outbox| {
                turn.give(outbox, Kind::from("Pod"), Some(version), pod);
                turn.reached(outbox, &Kind::from("Pod"), version);
            })
        }

        fn take_over(&mut self, delivered: u64) -> usize {
            let delivered: Delivered = [(Kind::from("Pod"), delivered)].into_iter().collect();
            let until = Instant::now() + 10 * SECOND;
            self.counting(|turn, outbox| assert!(!turn.take_over(outbox, until, delivered, false)))
        }

        fn counting(&mut self, act: impl FnOnce(&mut Turn, &Outbox)) -> usize {
            let sent = |outbox: &Outbox| outbox.mark(Lane::Entity).unwrap().given();
            let before = sent(&self.outbox);
            act(&mut self.turn, &self.outbox);
            usize::try_from(sent(&self.outbox) - before).unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_standby_sends_when_it_takes_over_what_is_not_delivered() {
        let mut replica = Replica::new();
        assert_eq!((1..=10).map(|version| replica.see(version)).sum::<usize>(), 0);
        assert_eq!(replica.take_over(7), 3);
        assert_eq!(replica.see(11), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_was_frozen_sends_nothing_before_it_leads_again() {
        let mut replica = Replica::new();
        replica.take_over(0);
        assert_eq!(replica.see(1), 1);
        tokio::time::advance(10 * SECOND).await;
        assert_eq!(replica.see(2), 0, "its time is over, though nobody told it");
        let until = Instant::now() + SECOND;
        assert_eq!(replica.counting(|turn, outbox| turn.lead(outbox, until)), 1);
        replica.turn.stand_by();
        assert_eq!(replica.see(3), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_follows_a_node_that_may_be_lost_tells_nothing_delivered_and_is_in_doubt() {
        let mut replica = Replica::new();
        replica.see(8);
        let delivered: Delivered = [(Kind::from("Pod"), 8)].into_iter().collect();
        let until = Instant::now() + 10 * SECOND;
        let Replica { turn, outbox } = &mut replica;
        assert!(turn.take_over(outbox, until, delivered.clone(), true));
        assert_eq!(turn.delivered(outbox), Delivered::default());
        assert_eq!(outbox.mark(Lane::Entity).unwrap().given(), 1, "it was kept and is sent");
        turn.stand_by();
        assert!(turn.take_over(outbox, until, delivered, false), "no snapshot has ended yet");
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_seen_nothing_yet_misses_nothing() {
        let mut replica = Replica::new();
        let until = Instant::now() + 10 * SECOND;
        assert!(!replica.turn.take_over(&replica.outbox, until, Delivered::default(), true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_deletion_that_the_outbox_dropped_keeps_the_doubt() {
        let mut replica = Replica::new();
        replica.take_over(0);
        let Replica { turn, outbox } = &mut replica;
        let object = |deleted, bytes| {
            let (kind, name) = ("Pod".to_owned(), "n".repeat(bytes));
            let object =
                event_model::KubernetesObject { kind, name, deleted, ..Default::default() };
            Record::KubernetesObject(Box::new(object))
        };
        turn.give(outbox, Kind::from("Pod"), None, object(true, 10));
        turn.give(outbox, Kind::from("Pod"), None, object(false, 9 << 20));
        turn.reached(outbox, &Kind::from("Pod"), 5);
        turn.begin_snapshot(outbox);
        turn.listed(outbox, &Kind::from("Pod"));
        assert_eq!(turn.lacking_deletions().collect::<Vec<_>>(), [&Kind::from("Pod")]);
        assert_eq!(turn.delivered(outbox).through(&Kind::from("Pod")), Some(0));
    }
}
