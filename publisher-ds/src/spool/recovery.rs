//! What a start finds on disk: whole segments, a torn end where a crash cut the last write, damage.

use super::directory;
use super::lane_queue::LaneQueue;
use super::scan::{self, Contents, MAGIC};
use super::segment::{self, Position, Segment};
use super::sources::Sources;
use bytes::Bytes;
use event_model::Lane;
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;

/// A lane as it was found.
pub(crate) struct Recovered {
    pub(crate) queue: LaneQueue,
    /// Segments to mend once their loss is on record.
    pub(crate) damaged: Vec<u64>,
    /// Records that are lost to damage.
    pub(crate) lost_records: u64,
}

/// Reads a lane's directory, making it where it is missing. Each segment is read whole: after this, every frame
/// that was not cut off or reported as damaged is known to be what was written.
pub(crate) fn recover(
    lane: Lane,
    spool: &Path,
    settled: Position,
    sources: &mut Sources,
) -> io::Result<Recovered> {
    let directory = spool.join(lane.name());
    directory::make(&directory)?;
    segment::finish_mends(&directory)?;
    let mut finding = Finding::new(lane, &directory, settled);
    let numbers = segment::numbers(&directory)?;
    for number in &numbers {
        let is_last = numbers.last() == Some(number);
        finding.look_at(*number, is_last, sources)?;
    }
    let Finding { segments, settled, damaged, lost_records, .. } = finding;
    let queue = LaneQueue::new(lane, directory.clone(), segments, settled);
    Ok(Recovered { queue, damaged, lost_records })
}

struct Finding<'a> {
    lane: Lane,
    directory: &'a Path,
    segments: VecDeque<Segment>,
    settled: Position,
    damaged: Vec<u64>,
    lost_records: u64,
}

impl<'a> Finding<'a> {
    fn new(lane: Lane, directory: &'a Path, settled: Position) -> Self {
        let (segments, damaged) = (VecDeque::new(), Vec::new());
        Self { lane, directory, segments, settled, damaged, lost_records: 0 }
    }

    fn look_at(&mut self, number: u64, is_last: bool, sources: &mut Sources) -> io::Result<()> {
        if number < self.settled.segment {
            return segment::remove(self.directory, number);
        }
        let file = match fs::read(segment::path(self.directory, number)) {
            Ok(file) => Bytes::from(file),
            Err(error) => return self.give_up(number, &error),
        };
        let contents = scan::scan(&file);
        for found in &contents.frames {
            sources.note(found.source, self.lane, found.last_sequence);
        }
        // What a segment begins with is durable before anything is written behind it.
        let has_begun = file.len() <= MAGIC.len() || file.starts_with(&MAGIC);
        let torn_at = contents.unreadable_end.map(|end| end.from).filter(|_| is_last && has_begun);
        if let Some(length) = torn_at {
            self.cut_off(number, length)?;
        }
        if !contents.damaged.is_empty() || (contents.unreadable_end.is_some() && torn_at.is_none())
        {
            self.note_damage(number, &file, &contents, torn_at.is_some());
        }
        self.take_in(number, &contents, torn_at.unwrap_or(file.len() as u64));
        Ok(())
    }

    /// The disk gives the file no more: that must not keep the rest from its way.
    fn give_up(&mut self, number: u64, error: &io::Error) -> io::Result<()> {
        tracing::error!(lane = %self.lane, number, %error, "a segment of the spool can't be read and is lost");
        self.lost_records += scan::AT_LEAST;
        segment::set_aside(self.directory, number)
    }

    /// A last write that a crash cut short was never acknowledged: nothing is lost by cutting it off.
    fn cut_off(&self, number: u64, length: u64) -> io::Result<()> {
        tracing::info!(lane = %self.lane, number, length, "the torn end of a segment is cut off");
        segment::truncate(self.directory, number, length)
    }

    /// What is settled is not lost by damage: the backend has it.
    fn note_damage(&mut self, number: u64, file: &Bytes, contents: &Contents, is_torn: bool) {
        let settled = self.settled.offset_in(number);
        let unreadable = if is_torn { 0 } else { contents.unreadable_records(file, settled) };
        let lost = contents.damaged_records(file, settled) + unreadable;
        tracing::error!(lane = %self.lane, number, lost_records = lost, "a segment of the spool is damaged");
        self.lost_records += lost;
        self.damaged.push(number);
    }

    fn take_in(&mut self, number: u64, contents: &Contents, bytes: u64) {
        self.segments.push_back(Segment {
            number,
            bytes,
            records: contents.records_before(u64::MAX),
            settled_records: contents.records_before(self.settled.offset_in(number)),
        });
    }
}
