//! What is done about damage: the whole frames of a segment stay, the rest is set aside.

use super::super::scan;
use super::super::segment::{self, Position};
use super::LaneQueue;
use super::delivery::Delivery;
use std::io;

/// What a lane can't read any more.
#[derive(Debug)]
pub(crate) struct Damage {
    /// The segment that can't be read on.
    pub(crate) segment: u64,
    /// What the disk said, where it gave no bytes at all.
    pub(crate) error: Option<io::Error>,
}

impl LaneQueue {
    /// Records that each destination will lose by the mend of a segment. It is not written to any more.
    pub(crate) fn losses_by_damage(&mut self, number: u64) -> Vec<u64> {
        self.stop_writing_to(number);
        let Ok(file) = segment::read(&segment::path(&self.directory, number)) else {
            return vec![0; self.deliveries.len()];
        };
        let contents = scan::scan(&file);
        let left = |delivery: &Delivery| {
            let open = contents
                .frames
                .iter()
                .filter(|found| !delivery.is_done(Position { segment: number, offset: found.end }));
            open.map(|found| found.records).sum::<u64>()
        };
        let lost = self.losses_of(number).into_iter().zip(&self.deliveries);
        lost.map(|(all, delivery)| all.saturating_sub(left(delivery))).collect()
    }

    fn stop_writing_to(&mut self, number: u64) {
        if self.segments.back().is_some_and(|segment| segment.number == number) {
            self.writer = None;
        }
    }

    /// Mends a segment that a destination can't read on: its whole frames stay, the rest is set aside. A segment that
    /// was mended and still can't be read on is given up, and so is one for which the cursor could not be `prepared`.
    /// Returns the records that each destination loses by it.
    pub(crate) fn repair(
        &mut self,
        to: usize,
        damage: &Damage,
        prepared: io::Result<()>,
    ) -> Vec<u64> {
        let number = damage.segment;
        self.stop_writing_to(number);
        if self.deliveries[to].was_repaired_in_vain(number) {
            tracing::error!(lane = %self.lane, number, "a mended segment still can't be read and is lost");
            return self.abandon(number);
        }
        let before = self.losses_of(number);
        match prepared.and_then(|()| self.mend(number)) {
            Ok(()) => {
                let after = self.losses_of(number);
                self.deliveries[to].note_repaired(number);
                self.retire();
                before
                    .iter()
                    .zip(after)
                    .map(|(before, after)| before.saturating_sub(after))
                    .collect()
            }
            Err(error) => {
                tracing::error!(lane = %self.lane, number, %error, "a damaged segment could not be mended and is lost");
                self.abandon(number)
            }
        }
    }

    fn mend(&mut self, number: u64) -> io::Result<()> {
        let file = segment::read(&segment::path(&self.directory, number))?;
        let contents = scan::scan(&file);
        let bytes = segment::mend(&self.directory, number, &file, &contents)?;
        for segment in self.segments.iter_mut().filter(|it| it.number == number) {
            segment.bytes = bytes;
            segment.records = contents.records_before(u64::MAX);
        }
        self.deliveries.iter_mut().for_each(|delivery| delivery.move_places(number, &contents));
        Ok(())
    }

    /// Gives a segment up. Returns the records that each destination loses by it.
    fn abandon(&mut self, number: u64) -> Vec<u64> {
        let lost = self.losses_of(number);
        self.forget_segment(number);
        if segment::set_aside(&self.directory, number).is_err() {
            self.remove_file(number);
        }
        lost
    }
}
