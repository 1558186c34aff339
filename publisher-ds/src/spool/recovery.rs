//! What a start finds on disk: whole segments, a torn end where a crash cut the last write, damage.

use super::clock::SpoolClock;
use super::cursor::Cursor;
use super::directory;
use super::lane_queue::{LaneQueue, Settled};
use super::scan::{self, Contents, MAGIC};
use super::segment::{self, Position, Segment};
use bytes::Bytes;
use event_model::Lane;
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::Duration;

/// A lane as it was found.
pub(crate) struct Recovered {
    pub(crate) queue: LaneQueue,
    /// Segments to mend once their loss is on record.
    pub(crate) damaged: Vec<u64>,
    /// Records that each destination loses to damage.
    pub(crate) lost_records: Vec<u64>,
}

/// Reads a lane's directory, making it where it is missing. Each segment is read whole: after this, every frame
/// that was not cut off or reported as damaged is known to be what was written. `settled` are the places of the
/// destinations; `cursor` tells the rest, and learns of the sources.
pub(crate) fn recover(
    lane: Lane,
    spool: &Path,
    settled: &[Position],
    cursor: &mut Cursor,
) -> io::Result<Recovered> {
    let directory = spool.join(lane.name());
    directory::make(&directory)?;
    segment::finish_mends(&directory)?;
    let mut finding = Finding::new(lane, &directory, settled);
    let numbers = segment::numbers(&directory)?;
    for number in &numbers {
        let is_last = numbers.last() == Some(number);
        finding.look_at(*number, is_last, cursor)?;
    }
    let Finding { segments, settled, damaged, lost_records, .. } = finding;
    let clock = SpoolClock::continued_from(cursor.clock);
    let last_number = cursor.last_number(lane);
    let queue = LaneQueue::new(lane, directory.clone(), segments, &settled, last_number, clock);
    Ok(Recovered { queue, damaged, lost_records })
}

/// Where a crash cut the last write short. That write was never acknowledged; it may be there in part, in pieces,
/// and whole frames of it may stand behind ones that are not: it ends where its first damage begins. Only what is not
/// known to be synced can be torn; damage elsewhere is damage.
pub(crate) fn torn_at(file: &Bytes, contents: &Contents, synced: Option<u64>) -> Option<u64> {
    // What a segment begins with is durable before anything is written behind it.
    let has_begun = file.len() <= MAGIC.len() || file.starts_with(&MAGIC);
    let torn_at = match synced {
        Some(synced) => contents.first_damage_from(synced),
        None => contents.unreadable_end.map(|end| end.from),
    };
    torn_at.filter(|_| has_begun)
}

struct Finding<'a> {
    lane: Lane,
    directory: &'a Path,
    segments: VecDeque<Segment>,
    settled: Vec<Settled>,
    damaged: Vec<u64>,
    lost_records: Vec<u64>,
}

impl<'a> Finding<'a> {
    fn new(lane: Lane, directory: &'a Path, settled: &[Position]) -> Self {
        let (segments, damaged) = (VecDeque::new(), Vec::new());
        let lost_records = vec![0; settled.len()];
        let settled = settled.iter().map(|place| Settled { place: *place, records: 0 }).collect();
        Self { lane, directory, segments, settled, damaged, lost_records }
    }

    fn look_at(&mut self, number: u64, is_last: bool, cursor: &mut Cursor) -> io::Result<()> {
        if self.settled.iter().all(|it| number < it.place.segment) {
            return segment::remove(self.directory, number);
        }
        let file = match segment::read(&segment::path(self.directory, number)) {
            Ok(file) => file,
            Err(error) => return self.give_up(number, &error),
        };
        let mut contents = scan::scan(&file);
        let synced = cursor.synced.map(|synced| synced[self.lane.index()].offset_in(number));
        let torn_at = torn_at(&file, &contents, synced).filter(|_| is_last);
        if let Some(length) = torn_at {
            self.cut_off(number, length)?;
            contents.cut_off(length);
        }
        for found in &contents.frames {
            cursor.sources.note(found.source, self.lane, found.last_sequence);
        }
        if !contents.is_whole() {
            self.note_damage(number, &file, &contents);
        }
        let written_at = cursor.written_at(self.lane, number);
        self.take_in(number, &contents, torn_at.unwrap_or(file.len() as u64), written_at);
        Ok(())
    }

    /// The disk gives the file no more: that must not keep the rest from its way.
    fn give_up(&mut self, number: u64, error: &io::Error) -> io::Result<()> {
        tracing::error!(lane = %self.lane, number, %error, "a segment of the spool can't be read and is lost");
        let losers = self.settled.iter().zip(&mut self.lost_records);
        for (_, lost) in losers.filter(|(settled, _)| settled.place.segment <= number) {
            *lost += scan::AT_LEAST;
        }
        segment::set_aside(self.directory, number)
    }

    /// A last write that a crash cut short was never acknowledged: nothing is lost by cutting it off.
    fn cut_off(&self, number: u64, length: u64) -> io::Result<()> {
        tracing::info!(lane = %self.lane, number, length, "the torn end of a segment is cut off");
        segment::truncate(self.directory, number, length)
    }

    /// What a destination has is not lost to it by damage.
    fn note_damage(&mut self, number: u64, file: &Bytes, contents: &Contents) {
        for (settled, lost_records) in self.settled.iter().zip(&mut self.lost_records) {
            let settled = settled.place.offset_in(number);
            let unreadable = contents.unreadable_records(file, settled);
            *lost_records += contents.damaged_records(file, settled) + unreadable;
        }
        tracing::error!(lane = %self.lane, number, lost_records = ?self.lost_records, "a segment of the spool is damaged");
        self.damaged.push(number);
    }

    fn take_in(&mut self, number: u64, contents: &Contents, bytes: u64, written_at: Duration) {
        for settled in self.settled.iter_mut().filter(|it| it.place.segment == number) {
            settled.records = contents.records_before(settled.place.offset);
        }
        self.segments.push_back(Segment {
            number,
            bytes,
            records: contents.records_before(u64::MAX),
            begun_at: written_at,
            written_at,
        });
    }
}
