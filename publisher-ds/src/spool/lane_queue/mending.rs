//! What is done about damage: the whole frames of a segment stay, the rest is set aside.

use super::super::scan::{self, Contents};
use super::super::segment::{self, Position};
use super::LaneQueue;
use bytes::Bytes;
use std::fs;
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
    /// Mends a segment that can't be read on: its whole frames stay, the rest is set aside. A segment that was
    /// mended and still can't be read on is given up, and so is one for which the cursor could not be `prepared`.
    /// Returns the records that are lost by it.
    pub(crate) fn repair(&mut self, damage: &Damage, prepared: io::Result<()>) -> u64 {
        let number = damage.segment;
        if self.segments.back().is_some_and(|segment| segment.number == number) {
            self.writer = None;
        }
        self.reader = None;
        if self.repaired == Some((number, self.reading)) {
            tracing::error!(lane = %self.lane, number, "a mended segment still can't be read and is lost");
            return self.abandon(number);
        }
        let before = self.loss_of_number(number);
        match prepared.and_then(|()| self.mend(number)) {
            Ok(()) => {
                let lost = before.saturating_sub(self.loss_of_number(number));
                self.repaired = Some((number, self.reading));
                self.retire();
                lost
            }
            Err(error) => {
                tracing::error!(lane = %self.lane, number, %error, "a damaged segment could not be mended and is lost");
                self.abandon(number)
            }
        }
    }

    fn mend(&mut self, number: u64) -> io::Result<()> {
        let file = Bytes::from(fs::read(segment::path(&self.directory, number))?);
        let contents = scan::scan(&file);
        let bytes = segment::mend(&self.directory, number, &file, &contents)?;
        let settled = self.settled.offset_in(number);
        for segment in self.segments.iter_mut().filter(|it| it.number == number) {
            segment.bytes = bytes;
            segment.records = contents.records_before(u64::MAX);
            segment.settled_records = contents.records_before(settled);
        }
        self.move_places(number, &contents);
        Ok(())
    }

    /// Moves all places in a mended segment to where their frames lie now. A damaged frame is in flight no
    /// more: it could not be sent again.
    fn move_places(&mut self, number: u64, contents: &Contents) {
        self.peeked = None;
        let is_left = |end: Position| {
            end.segment != number || contents.frames.iter().any(|found| found.end == end.offset)
        };
        self.in_flight.retain(|frame| is_left(frame.end));
        self.done.retain(|end, _| is_left(*end));
        let moved = |(mut end, records): (Position, u64)| {
            if end.segment == number {
                end.offset = contents.mended_offset(end.offset);
            }
            (end, records)
        };
        self.done = std::mem::take(&mut self.done).into_iter().map(moved).collect();
        let in_flight = self.in_flight.iter_mut().map(|frame| &mut frame.end);
        for place in in_flight.chain([&mut self.settled, &mut self.reading]) {
            if place.segment == number {
                place.offset = contents.mended_offset(place.offset);
            }
        }
    }

    /// Gives a segment up. Returns the records that are lost by it.
    fn abandon(&mut self, number: u64) -> u64 {
        let lost = self.loss_of_number(number);
        self.forget_segment(number);
        if segment::set_aside(&self.directory, number).is_err() {
            self.remove_file(number);
        }
        lost
    }
}
