//! How far the file is done with: up to where all that came of its lines is durable.

use super::position::Position;
use event_model::Lane;
use node_link::{Delivery, Moment, Outbox};

/// The lanes of what comes of a line: alerts, reports of loss, and the event.
const LANES: [Lane; 2] = [Lane::Alert, Lane::Telemetry];

/// Who tells what became of what it was given.
pub trait Receipts {
    /// This moment in what was given of these lanes.
    fn moment(&self, lanes: &[Lane]) -> Moment;

    /// What became of all that was given before a moment.
    fn delivery(&self, moment: &Moment) -> Delivery;
}

impl Receipts for Outbox {
    fn moment(&self, lanes: &[Lane]) -> Moment {
        Self::moment(self, lanes)
    }

    fn delivery(&self, moment: &Moment) -> Delivery {
        self.delivery_between(moment, moment)
    }
}

/// Whether the publisher holds all alerts that were given so far.
pub fn has_delivered_alerts(receipts: &impl Receipts) -> bool {
    receipts.delivery(&receipts.moment(&[Lane::Alert])) == Delivery::Acknowledged
}

/// Waits for one place of the file after another to be done with.
#[derive(Debug)]
pub struct Bookmark {
    waiting: Option<(Position, Moment)>,
    most_behind: u64,
}

impl Bookmark {
    /// Where records are lost for want of room, nobody can tell whether they came of the file's lines; they are counted.
    /// No place is done with until a moment without losses, unless more bytes than these would be read again.
    pub const fn new(most_behind: u64) -> Self {
        Self { waiting: None, most_behind }
    }

    /// No place is waited for.
    pub const fn is_settled(&self) -> bool {
        self.waiting.is_none()
    }

    /// The next place that is done with. To be called every second or so, with the place that was noted last and the one up
    /// to which all was given away.
    pub fn advance(
        &mut self,
        noted: Option<&Position>,
        reached: Option<Position>,
        receipts: &impl Receipts,
    ) -> Option<Position> {
        let done = match self.waiting.take() {
            Some((place, moment)) => match receipts.delivery(&moment) {
                Delivery::Waiting => {
                    self.waiting = Some((place, moment));
                    return None;
                }
                Delivery::Acknowledged => Some(place),
                Delivery::Uncertain => Some(place).filter(|place| self.is_far(place, noted)),
            },
            None => None,
        };
        let last = done.as_ref().or(noted);
        self.waiting = reached
            .filter(|place| Some(place) != last)
            .map(|place| (place, receipts.moment(&LANES)));
        done
    }

    fn is_far(&self, place: &Position, noted: Option<&Position>) -> bool {
        noted.is_some_and(|noted| {
            noted.file != place.file || place.offset.saturating_sub(noted.offset) > self.most_behind
        })
    }
}
