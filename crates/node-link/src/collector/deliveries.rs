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

/// How many records each lane was given, and what became of them.
///
/// A lane's records leave in the order in which they came, and are acknowledged in it. So as long as none is lost, what
/// was given first is what was acknowledged.
#[derive(Default)]
pub(crate) struct Deliveries {
    lanes: [Tally; Lane::ALL.len()],
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

    /// None in the lane of alerts: reports of loss mix in there, which nobody gave.
    pub(crate) fn mark(&self, lane: Lane) -> Option<Mark> {
        let Tally { given, lost, .. } = self.lanes[lane.index()];
        (lane != Lane::Alert).then_some(Mark { lane, given, lost })
    }

    pub(crate) fn since(&self, mark: Mark) -> Delivery {
        let tally = self.lanes[mark.lane.index()];
        if tally.lost != mark.lost {
            Delivery::Uncertain
        } else if tally.acknowledged + tally.lost >= mark.given {
            Delivery::Acknowledged
        } else {
            Delivery::Waiting
        }
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
