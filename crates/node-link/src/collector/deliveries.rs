use event_model::Lane;

/// A moment in what an outbox was given of one lane: see [`crate::Outbox::mark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    lane: Lane,
    given: u64,
    lost: u64,
}

impl Mark {
    /// How many records the lane had been given, in this run.
    #[must_use]
    pub const fn given(&self) -> u64 {
        self.given
    }
}

/// What became of all that an outbox was given before a [`Mark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Some of it is not acknowledged yet.
    Waiting,
    /// The publisher acknowledged all of it as durable.
    Acknowledged,
    /// Something of the lane was lost since the mark. Perhaps it was given after it: nobody can tell any more.
    Uncertain,
}

impl Delivery {
    fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Uncertain, _) | (_, Self::Uncertain) => Self::Uncertain,
            (Self::Waiting, _) | (_, Self::Waiting) => Self::Waiting,
            (Self::Acknowledged, Self::Acknowledged) => Self::Acknowledged,
        }
    }
}

/// A moment in what an outbox was given of several lanes, and in which losses it had to report: see
/// [`crate::Outbox::moment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    lanes: [Option<Mark>; Lane::ALL.len()],
    /// How often losses were reported once all are that had been counted.
    reports: u64,
}

/// How many records each lane was given, and what became of them.
///
/// A lane's records leave in the order in which they came, and are acknowledged in it. So as long as none is lost, what
/// was given first is what was acknowledged. Among alerts reports of loss leave, which nobody gave: of as many
/// acknowledged records as there are reports one may be a report, so that many more are waited for.
#[derive(Default)]
pub(crate) struct Deliveries {
    lanes: [Tally; Lane::ALL.len()],
    /// How often losses were put among the alerts, and as how many records.
    reports: u64,
    reported: u64,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    given: u64,
    acknowledged: u64,
    lost: u64,
}

impl Deliveries {
    pub(crate) fn note_given(&mut self, lane: Lane) {
        self.lanes[lane.index()].given += 1;
    }

    pub(crate) fn note_acknowledged(&mut self, lane: Lane, records: u64) {
        self.lanes[lane.index()].acknowledged += records;
    }

    pub(crate) fn note_lost(&mut self, lane: Lane, records: u64) {
        self.lanes[lane.index()].lost += records;
    }

    /// All losses that were counted so far go among the alerts, as so many records.
    pub(crate) fn note_reported(&mut self, records: u64) {
        self.reports += 1;
        self.reported += records;
    }

    /// None in the lane of alerts, where reports of loss mix in: see [`Self::moment`].
    pub(crate) fn mark(&self, lane: Lane) -> Option<Mark> {
        (lane != Lane::Alert).then(|| self.mark_of(lane))
    }

    fn mark_of(&self, lane: Lane) -> Mark {
        let Tally { given, lost, .. } = self.lanes[lane.index()];
        Mark { lane, given, lost }
    }

    /// `owes_report`: whether losses were counted that are not among the alerts yet.
    pub(crate) fn moment(&self, lanes: &[Lane], owes_report: bool) -> Moment {
        let mark = |lane| lanes.contains(&lane).then(|| self.mark_of(lane));
        Moment { lanes: Lane::ALL.map(mark), reports: self.reports + u64::from(owes_report) }
    }

    pub(crate) fn since(&self, mark: Mark) -> Delivery {
        let tally = self.lanes[mark.lane.index()];
        let among = if mark.lane == Lane::Alert { self.reported } else { 0 };
        if tally.lost != mark.lost {
            Delivery::Uncertain
        } else if tally.acknowledged + tally.lost >= mark.given + among {
            Delivery::Acknowledged
        } else {
            Delivery::Waiting
        }
    }

    /// What became of all that was given before `through`, uncertain where something was lost since `from`, of the same
    /// lanes.
    pub(crate) fn between(&self, from: &Moment, through: &Moment) -> Delivery {
        let marks = from.lanes.iter().flatten().zip(through.lanes.iter().flatten());
        let outcomes =
            marks.map(|(from, through)| self.since(Mark { lost: from.lost, ..*through }));
        let waits_for_report = self.reports < through.reports;
        let begin = if waits_for_report { Delivery::Waiting } else { Delivery::Acknowledged };
        outcomes.fold(begin, Delivery::worse)
    }
}

#[cfg(test)]
mod tests {
    use super::{Deliveries, Delivery};
    use event_model::Lane;

    fn given(count: u64) -> Deliveries {
        let mut deliveries = Deliveries::default();
        (0..count).for_each(|_| deliveries.note_given(Lane::Entity));
        deliveries
    }

    #[test]
    fn what_was_given_before_a_mark_is_delivered_when_all_of_it_is_acknowledged() {
        let mut deliveries = given(3);
        let mark = deliveries.mark(Lane::Entity).unwrap();
        deliveries.note_given(Lane::Entity);
        deliveries.note_acknowledged(Lane::Entity, 2);
        assert_eq!(deliveries.since(mark), Delivery::Waiting);
        deliveries.note_acknowledged(Lane::Telemetry, 5);
        assert_eq!(deliveries.since(mark), Delivery::Waiting, "that was another lane");
        deliveries.note_acknowledged(Lane::Entity, 1);
        assert_eq!(deliveries.since(mark), Delivery::Acknowledged);
    }

    #[test]
    fn a_moment_is_delivered_once_each_of_its_lanes_is() {
        let mut deliveries = given(2);
        let lanes = [Lane::Entity, Lane::Telemetry];
        let begin = deliveries.moment(&lanes, false);
        assert_eq!(deliveries.between(&begin, &begin), Delivery::Waiting);
        deliveries.note_given(Lane::Telemetry);
        deliveries.note_given(Lane::Inventory);
        let end = deliveries.moment(&lanes, false);
        deliveries.note_acknowledged(Lane::Entity, 2);
        assert_eq!(deliveries.between(&begin, &begin), Delivery::Acknowledged);
        assert_eq!(deliveries.between(&begin, &end), Delivery::Waiting);
        deliveries.note_acknowledged(Lane::Telemetry, 1);
        assert_eq!(
            deliveries.between(&begin, &end),
            Delivery::Acknowledged,
            "that lane is not its"
        );
    }

    #[test]
    fn what_was_lost_after_the_first_of_two_moments_and_before_the_second_is_uncertain() {
        let mut deliveries = given(1);
        let begin = deliveries.moment(&[Lane::Entity], false);
        deliveries.note_lost(Lane::Entity, 1);
        let end = deliveries.moment(&[Lane::Entity], false);
        assert_eq!(deliveries.between(&begin, &end), Delivery::Uncertain);
        assert_eq!(deliveries.between(&end, &end), Delivery::Acknowledged);
    }

    #[test]
    fn reports_of_loss_stand_for_no_alert_and_are_waited_for() {
        let mut deliveries = Deliveries::default();
        let lanes = [Lane::Alert];
        deliveries.note_given(Lane::Alert);
        let moment = deliveries.moment(&lanes, true);
        deliveries.note_acknowledged(Lane::Alert, 1);
        assert_eq!(
            deliveries.between(&moment, &moment),
            Delivery::Waiting,
            "of a loss counted before"
        );
        deliveries.note_reported(2);
        assert_eq!(deliveries.between(&moment, &moment), Delivery::Waiting);
        deliveries.note_acknowledged(Lane::Alert, 1);
        assert_eq!(deliveries.between(&moment, &moment), Delivery::Waiting, "one report of two");
        deliveries.note_acknowledged(Lane::Alert, 1);
        assert_eq!(deliveries.between(&moment, &moment), Delivery::Acknowledged);
    }

    #[test]
    fn a_mark_on_an_untouched_lane_is_delivered() {
        let deliveries = Deliveries::default();
        let mark = deliveries.mark(Lane::Entity).unwrap();
        assert_eq!(deliveries.since(mark), Delivery::Acknowledged);
        assert_eq!(deliveries.mark(Lane::Alert), None);
    }

    #[test]
    fn a_loss_makes_marks_before_it_uncertain_and_no_mark_after_it() {
        let mut deliveries = given(3);
        let before = deliveries.mark(Lane::Entity).unwrap();
        deliveries.note_lost(Lane::Entity, 1);
        deliveries.note_acknowledged(Lane::Entity, 1);
        assert_eq!(deliveries.since(before), Delivery::Uncertain);
        let after = deliveries.mark(Lane::Entity).unwrap();
        assert_eq!(deliveries.since(after), Delivery::Waiting, "one is neither lost nor held");
        deliveries.note_acknowledged(Lane::Entity, 1);
        assert_eq!(deliveries.since(after), Delivery::Acknowledged);
        assert_eq!(deliveries.since(before), Delivery::Uncertain);
    }
}
