use super::delivered::Delivered;
use super::kind::Kind;
use node_link::{Delivery, Mark};
use std::collections::BTreeMap;

/// How far each kind's states have come: given to the outbox, and acknowledged. Pure: who knows of acknowledgements
/// is asked by a function.
///
/// Each doubt has a number, so that a snapshot ends those alone that were there when it began.
#[derive(Debug, Default)]
pub(super) struct Progress {
    delivered: Delivered,
    kinds: BTreeMap<Kind, KindProgress>,
    /// The number of the newest doubt; zero before the first.
    doubts: u64,
    /// Kinds that are not known yet are in this doubt, too.
    doubt_of_others: Option<u64>,
    /// The newest doubt when the snapshot began that ran last.
    doubts_before_snapshot: u64,
}

#[derive(Debug, Default)]
struct KindProgress {
    /// All states up to here came, and were sent or kept.
    reached: Option<u64>,
    /// Given up to this version, at this mark; not yet acknowledged when last looked.
    waiting: Option<(u64, Mark)>,
    /// The same, of the newest.
    newest: Option<(u64, Mark)>,
    /// Nothing was lost up to this mark, or that is in doubt already. None before anything was given since.
    unharmed: Option<Mark>,
    /// Something before `reached` was lost: no word of what is delivered until all is listed anew.
    doubt: Option<u64>,
    /// What was lost tells of objects that are gone, and no list names those.
    lacks_deletions: bool,
}

impl Progress {
    /// Something of `kind` came. `mark` is the outbox's before it is given to it, where it is.
    pub(super) fn comes(&mut self, kind: &Kind, mark: Option<Mark>) {
        let progress = self.kind(kind);
        progress.unharmed = progress.unharmed.or(mark);
    }

    /// All states of `kind` up to `version` came. `mark` is the outbox's, where they were given to it.
    pub(super) fn reached(
        &mut self,
        kind: &Kind,
        version: u64,
        mark: Option<Mark>,
        delivery: impl Fn(Mark) -> Delivery,
    ) {
        self.look_for_loss(kind, &delivery);
        let progress = self.kind(kind);
        progress.reached = Some(version);
        progress.newest = mark.map(|mark| (version, mark)).filter(|_| progress.doubt.is_none());
        progress.unharmed = mark.or(progress.unharmed);
    }

    /// A snapshot of all objects begins.
    pub(super) fn begin_snapshot(
        &mut self,
        mark: impl Fn(&Kind) -> Option<Mark>,
        delivery: impl Fn(Mark) -> Delivery,
    ) {
        self.look_for_losses(&delivery);
        self.doubts_before_snapshot = self.doubts;
        for (kind, progress) in &mut self.kinds {
            progress.unharmed = mark(kind);
        }
    }

    /// All objects of `kind` as they are now were given to the outbox since the snapshot began.
    pub(super) fn listed(&mut self, kind: &Kind, delivery: impl Fn(Mark) -> Delivery) {
        self.look_for_loss(kind, &delivery);
        let before = self.doubts_before_snapshot;
        let progress = self.kind(kind);
        progress.doubt = progress.doubt.filter(|doubt| *doubt > before || progress.lacks_deletions);
    }

    /// Some states of `kind` are not sent.
    pub(super) fn doubt(&mut self, kind: &Kind) {
        self.doubts += 1;
        let number = self.doubts;
        self.kind(kind).doubt(number);
    }

    /// Some states of any kind may not be sent.
    pub(super) fn doubt_all(&mut self) {
        self.doubts += 1;
        self.doubt_of_others = Some(self.doubts);
        self.kinds.values_mut().for_each(|progress| progress.doubt(self.doubts));
    }

    /// Deletions of `kind` are lost.
    pub(super) fn lose_deletions(&mut self, kind: &Kind) {
        self.doubt(kind);
        self.kind(kind).lacks_deletions = true;
    }

    /// The kinds of which deletions are lost.
    pub(super) fn lacking_deletions(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.iter().filter(|(_, progress)| progress.lacks_deletions).map(|(kind, _)| kind)
    }

    /// The number of the newest doubt.
    pub(super) fn doubts(&self) -> u64 {
        self.doubts
    }

    /// Whether all objects are to be listed anew.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.kinds.values().any(|progress| progress.doubt.is_some())
    }

    fn kind(&mut self, kind: &Kind) -> &mut KindProgress {
        let doubt = self.doubt_of_others;
        let unknown = || KindProgress { doubt, ..KindProgress::default() };
        self.kinds.entry(kind.clone()).or_insert_with(unknown)
    }

    fn look_for_loss(&mut self, kind: &Kind, delivery: impl Fn(Mark) -> Delivery) {
        if self.kind(kind).is_harmed(&delivery) {
            self.doubt(kind);
        }
    }

    fn look_for_losses(&mut self, delivery: impl Fn(Mark) -> Delivery) {
        self.doubts += 1;
        let mut is_any = false;
        for progress in self.kinds.values_mut().filter(|progress| progress.is_harmed(&delivery)) {
            progress.doubt(self.doubts);
            is_any = true;
        }
        self.doubts -= u64::from(!is_any);
    }

    /// What was kept of any kind is about to be given to the outbox.
    pub(super) fn before_sending(&mut self, mark: impl Fn(&Kind) -> Option<Mark>) {
        for (kind, progress) in &mut self.kinds {
            progress.unharmed = progress.unharmed.or_else(|| mark(kind));
        }
    }

    /// Begins to lead, where `delivered` was. All that came so far was given to the outbox, but of kinds that are
    /// in doubt.
    pub(super) fn begin(
        &mut self,
        delivered: Delivered,
        mark: impl Fn(&Kind) -> Option<Mark>,
        delivery: impl Fn(Mark) -> Delivery,
    ) {
        self.look_for_losses(&delivery);
        self.delivered = delivered;
        for (kind, progress) in &mut self.kinds {
            let now = mark(kind);
            let given = progress.reached.filter(|_| progress.doubt.is_none());
            progress.waiting = None;
            progress.newest = given.zip(now);
            progress.unharmed = now;
        }
    }

    /// What is delivered by now.
    pub(super) fn look(&mut self, delivery: impl Fn(Mark) -> Delivery) -> &Delivered {
        self.look_for_losses(&delivery);
        for (kind, progress) in &mut self.kinds {
            if let Some(version) = progress.look(&delivery) {
                self.delivered.set(kind.clone(), version);
            }
        }
        &self.delivered
    }
}

impl KindProgress {
    fn doubt(&mut self, number: u64) {
        (self.waiting, self.newest, self.unharmed) = (None, None, None);
        self.doubt = Some(number);
    }

    fn is_harmed(&self, delivery: impl Fn(Mark) -> Delivery) -> bool {
        self.unharmed.is_some_and(|mark| delivery(mark) == Delivery::Uncertain)
    }

    /// The newest version that is known to be delivered, where that is news.
    fn look(&mut self, delivery: impl Fn(Mark) -> Delivery) -> Option<u64> {
        let mut delivered = None;
        let waiting = self.waiting.take().or_else(|| self.newest.take());
        for (version, mark) in waiting.into_iter().chain(self.newest.take()) {
            match delivery(mark) {
                Delivery::Acknowledged => delivered = Some(version),
                Delivery::Waiting if self.waiting.is_none() => {
                    self.waiting = Some((version, mark));
                }
                Delivery::Waiting => self.newest = Some((version, mark)),
                // A mark is as harmed as those after it, which were asked for before.
                Delivery::Uncertain => return delivered,
            }
        }
        delivered
    }
}

#[cfg(test)]
mod tests {
    use super::{Delivered, Kind, Mark, Progress};
    use event_model::{Host, Lane, Record};
    use node_link::{Delivery, LinkConfig, Outbox};

    /// An outbox whose marks are what is asked of here, and nothing else.
    fn outbox() -> Outbox {
        let config = LinkConfig { socket: "/nowhere".into(), queue_bytes: 1 << 20 };
        node_link::connect(config, stand_in()).0
    }

    fn stand_in() -> event_model::SourceDescription {
        event_model::SourceDescription {
            id: event_model::SourceId::generate(),
            component: event_model::Component::CollectorMisc,
            version: String::new(),
            node: String::new(),
            boot_id: uuid::Uuid::nil(),
        }
    }

    /// The mark behind one more record.
    fn next_mark(outbox: &Outbox) -> Mark {
        outbox.send(Record::Host(Host::default()));
        outbox.mark(Lane::Entity).unwrap()
    }

    fn pod() -> Kind {
        Kind::new("v1", "Pod")
    }

    fn through(delivered: &Delivered) -> Option<u64> {
        delivered.through(&pod())
    }

    #[test]
    fn a_version_is_delivered_when_all_that_was_given_until_then_is_acknowledged() {
        let (outbox, mut progress) = (outbox(), Progress::default());
        let (first, second) = (next_mark(&outbox), next_mark(&outbox));
        progress.reached(&pod(), 10, Some(first), |_| Delivery::Waiting);
        assert_eq!(through(progress.look(|_| Delivery::Waiting)), None);
        progress.reached(&pod(), 20, Some(second), |_| Delivery::Waiting);
        let only_first =
            |mark| if mark == first { Delivery::Acknowledged } else { Delivery::Waiting };
        assert_eq!(through(progress.look(only_first)), Some(10));
        assert_eq!(through(progress.look(|_| Delivery::Acknowledged)), Some(20));
    }

    #[test]
    fn under_a_steady_stream_of_changes_the_version_moves_on() {
        let (outbox, mut progress) = (outbox(), Progress::default());
        let mut marks = Vec::new();
        for version in 0..10 {
            marks.push(next_mark(&outbox));
            progress.reached(&pod(), version, marks.last().copied(), |_| Delivery::Waiting);
            let newest = marks[marks.len() - 1];
            let all_but_newest =
                |mark| if mark == newest { Delivery::Waiting } else { Delivery::Acknowledged };
            assert_eq!(through(progress.look(all_but_newest)), version.checked_sub(1));
        }
    }

    #[test]
    fn after_a_loss_nothing_more_is_delivered_until_all_is_listed() {
        let (outbox, mut progress) = (outbox(), Progress::default());
        progress.reached(&pod(), 10, Some(next_mark(&outbox)), |_| Delivery::Waiting);
        assert_eq!(through(progress.look(|_| Delivery::Uncertain)), None);
        progress.reached(&pod(), 20, Some(next_mark(&outbox)), |_| Delivery::Waiting);
        assert_eq!(through(progress.look(|_| Delivery::Acknowledged)), None);
        progress.begin_snapshot(|_| None, |_| Delivery::Waiting);
        progress.listed(&pod(), |_| Delivery::Waiting);
        progress.reached(&pod(), 30, Some(next_mark(&outbox)), |_| Delivery::Waiting);
        assert_eq!(through(progress.look(|_| Delivery::Acknowledged)), Some(30));
    }

    #[test]
    fn what_was_left_out_while_nobody_was_connected_is_not_delivered() {
        let (outbox, mut progress) = (outbox(), Progress::default());
        progress.doubt_all();
        progress.reached(&pod(), 10, Some(next_mark(&outbox)), |_| Delivery::Waiting);
        assert_eq!(through(progress.look(|_| Delivery::Acknowledged)), None);
    }

    #[test]
    fn who_takes_over_goes_on_from_where_the_other_was() {
        let (outbox, mut progress) = (outbox(), Progress::default());
        progress.reached(&pod(), 30, None, |_| Delivery::Waiting);
        let delivered = [(pod(), 10)].into_iter().collect();
        progress.begin(delivered, |_| Some(next_mark(&outbox)), |_| Delivery::Waiting);
        assert_eq!(through(progress.look(|_| Delivery::Waiting)), Some(10));
        assert_eq!(through(progress.look(|_| Delivery::Acknowledged)), Some(30));
    }

    #[test]
    fn who_takes_over_with_a_gap_claims_nothing_of_its_own_before_a_list() {
        let (outbox, mut progress) = (outbox(), Progress::default());
        progress.reached(&pod(), 30, None, |_| Delivery::Waiting);
        progress.doubt(&pod());
        let delivered = [(pod(), 10)].into_iter().collect();
        progress.begin(delivered, |_| Some(next_mark(&outbox)), |_| Delivery::Waiting);
        assert_eq!(through(progress.look(|_| Delivery::Acknowledged)), Some(10));
    }

    #[test]
    fn a_loss_before_a_version_is_reached_is_not_hidden_by_its_mark() {
        let (outbox, mut progress) = (outbox(), Progress::default());
        let before = next_mark(&outbox);
        let is_lost =
            |mark| if mark == before { Delivery::Uncertain } else { Delivery::Acknowledged };
        progress.comes(&pod(), Some(before));
        progress.reached(&pod(), 10, Some(next_mark(&outbox)), is_lost);
        assert_eq!(through(progress.look(is_lost)), None);
        assert!(progress.is_in_doubt());
    }

    #[test]
    fn a_loss_after_all_was_acknowledged_is_not_hidden_by_the_next_mark() {
        let (outbox, mut progress) = (outbox(), Progress::default());
        let first = next_mark(&outbox);
        progress.reached(&pod(), 10, Some(first), |_| Delivery::Acknowledged);
        assert_eq!(through(progress.look(|_| Delivery::Acknowledged)), Some(10));
        let is_lost =
            |mark| if mark == first { Delivery::Uncertain } else { Delivery::Acknowledged };
        progress.reached(&pod(), 20, Some(next_mark(&outbox)), is_lost);
        assert_eq!(through(progress.look(is_lost)), Some(10));
    }

    #[test]
    fn a_loss_of_what_was_kept_is_noticed_by_who_takes_over() {
        let (outbox, mut progress) = (outbox(), Progress::default());
        progress.reached(&pod(), 30, None, |_| Delivery::Waiting);
        let before = next_mark(&outbox);
        progress.before_sending(|_| Some(before));
        let is_lost =
            |mark| if mark == before { Delivery::Uncertain } else { Delivery::Acknowledged };
        progress.begin(Delivered::default(), |_| Some(next_mark(&outbox)), is_lost);
        assert_eq!(through(progress.look(is_lost)), None);
        assert!(progress.is_in_doubt());
    }

    #[test]
    fn a_snapshot_ends_no_doubt_that_arose_during_it() {
        let (outbox, mut progress) = (outbox(), Progress::default());
        progress.doubt_all();
        progress.comes(&pod(), None);
        progress.begin_snapshot(|_| None, |_| Delivery::Waiting);
        progress.doubt(&pod());
        progress.listed(&pod(), |_| Delivery::Waiting);
        assert!(progress.is_in_doubt());
        let began = next_mark(&outbox);
        progress.begin_snapshot(|_| Some(began), |_| Delivery::Waiting);
        progress.listed(&pod(), |_| Delivery::Uncertain);
        assert!(progress.is_in_doubt(), "a part of the snapshot was lost");
        progress.begin_snapshot(|_| Some(began), |_| Delivery::Waiting);
        progress.listed(&pod(), |_| Delivery::Waiting);
        assert!(!progress.is_in_doubt());
    }

    #[test]
    fn no_snapshot_brings_back_a_deletion() {
        let mut progress = Progress::default();
        progress.lose_deletions(&pod());
        progress.begin_snapshot(|_| None, |_| Delivery::Waiting);
        progress.listed(&pod(), |_| Delivery::Waiting);
        assert!(progress.is_in_doubt());
        assert_eq!(progress.lacking_deletions().collect::<Vec<_>>(), [&pod()]);
    }
}
