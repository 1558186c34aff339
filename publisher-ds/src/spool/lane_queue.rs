//! One lane of the spool: a queue of envelopes over segment files, and each destination's way through it.

mod delivery;
mod mending;

pub use delivery::Outgoing;
pub(crate) use mending::Damage;

use super::carried_losses;
use super::clock::SpoolClock;
use super::cursor::Age;
use super::scan;
use super::segment::{self, Position, Segment, Writer};
use delivery::{Delivery, Files};
use event_model::{Lane, Loss, SourceId};
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A queue of envelopes on disk.
///
/// Invariants:
/// - `segments` are in order of their numbers; a number is never used twice.
/// - `writer`, where there is one, appends to the last segment; a segment's `bytes` and `records` are those synced.
/// - A segment file exists until every destination settled each of its frames, or it was dropped and its loss counted.
#[derive(Debug)]
pub(crate) struct LaneQueue {
    pub(crate) lane: Lane,
    directory: PathBuf,
    segments: VecDeque<Segment>,
    writer: Option<Writer>,
    next_number: u64,
    staged: Staged,
    clock: SpoolClock,
    /// One for each destination, in the order in which they were named.
    deliveries: Vec<Delivery>,
}

/// Where a destination stood in a lane when the program ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settled {
    /// Before it everything is settled.
    pub(crate) place: Position,
    /// Records before it in its segment.
    pub(crate) records: u64,
}

/// Written and not yet synced.
#[derive(Clone, Copy, Debug, Default)]
struct Staged {
    bytes: u64,
    records: u64,
}

impl LaneQueue {
    /// A queue over what recovery found. `settled` tells for each destination before which place it has everything;
    /// numbers up to `last_number` are used up.
    pub(crate) fn new(
        lane: Lane,
        directory: PathBuf,
        segments: VecDeque<Segment>,
        settled: &[Settled],
        last_number: u64,
        clock: SpoolClock,
    ) -> Self {
        let last = segments.back().map_or(0, |segment| segment.number).max(last_number);
        Self {
            lane,
            directory,
            segments,
            writer: None,
            next_number: last + 1,
            staged: Staged::default(),
            clock,
            deliveries: settled.iter().map(|it| Delivery::new(it.place, it.records)).collect(),
        }
    }

    /// Bytes on disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// How many files there are.
    pub(crate) fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// Records that a destination has not settled.
    pub(crate) fn records(&self, to: usize) -> u64 {
        let delivery = &self.deliveries[to];
        let open = |segment: &Segment| segment.records - delivery.settled_records_of(segment);
        self.segments.iter().map(open).sum()
    }

    /// Before which place a destination has settled everything.
    pub(crate) fn settled(&self, to: usize) -> Position {
        self.deliveries[to].settled()
    }

    // ── Appending ──

    /// Bytes of the segment that is appended to, staged ones included; 0 where there is none.
    pub(crate) fn active_bytes(&self) -> u64 {
        let synced = self.segments.back().filter(|_| self.writer.is_some());
        synced.map_or(0, |segment| segment.bytes + self.staged.bytes)
    }

    /// Writes frames, to the present segment or a new one. They are durable and visible after [`Self::sync`].
    pub(crate) fn stage(&mut self, frames: &[u8], records: u64) -> io::Result<()> {
        if self.writer.is_none() {
            self.begin_segment()?;
        }
        if let Some(writer) = &mut self.writer {
            writer.write(frames)?;
            self.staged.bytes += frames.len() as u64;
            self.staged.records += records;
        }
        Ok(())
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        let number = self.next_number;
        // Used up even if this fails: the file may be there.
        self.next_number += 1;
        self.writer = Some(Writer::create(&self.directory, number)?);
        let bytes = scan::MAGIC.len() as u64;
        self.segments.push_back(Segment {
            number,
            bytes,
            records: 0,
            begun_at: self.clock.now(),
            written_at: self.clock.now(),
        });
        Ok(())
    }

    /// Makes durable what was staged.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.sync()?;
        let staged = std::mem::take(&mut self.staged);
        if let Some(segment) = self.segments.back_mut() {
            segment.bytes += staged.bytes;
            segment.records += staged.records;
            segment.written_at = self.clock.now();
        }
        Ok(())
    }

    /// Before which place all that was written is synced.
    pub(crate) fn synced(&self) -> Position {
        match self.segments.back() {
            Some(last) => Position { segment: last.number, offset: last.bytes },
            None => Position::start_of(self.next_number),
        }
    }

    /// When each segment was written to last.
    pub(crate) fn ages(&self) -> impl Iterator<Item = Age> {
        let lane = self.lane;
        let age = move |it: &Segment| Age { lane, segment: it.number, written_at: it.written_at };
        self.segments.iter().map(age)
    }

    /// Forgets what was staged and not synced, after writing or syncing failed. The segment is not written to
    /// any more: after a failed sync nobody knows what the kernel still holds of it.
    pub(crate) fn roll_back(&mut self) {
        self.staged = Staged::default();
        let Some(writer) = self.writer.take() else { return };
        if let Err(error) = writer.roll_back() {
            tracing::debug!(lane = %self.lane, %error, "the unsynced end of a segment could not be cut off");
        }
        // A disk that fails for long must not leave an empty file for each try.
        if let Some(empty) = self.segments.pop_back_if(|segment| segment.records == 0) {
            self.remove_file(empty.number);
        }
        self.retire();
    }

    /// The next frame begins a new segment.
    pub(crate) fn seal(&mut self) {
        self.writer = None;
        self.retire();
    }

    // ── Reading and settling, by destination ──

    /// The next envelope to hand out; [`Self::take_peeked`] takes it.
    pub(crate) fn peek(&mut self, to: usize) -> Result<Option<&Outgoing>, Damage> {
        let files = Files { directory: &self.directory, segments: &self.segments };
        self.deliveries[to].peek(files)
    }

    /// Hands out what was peeked at: it is in flight from now on.
    pub(crate) fn take_peeked(&mut self, to: usize) -> Option<Outgoing> {
        self.deliveries[to].take_peeked()
    }

    /// Begins again after what is settled: another connection will carry what was in flight.
    pub(crate) fn rewind(&mut self, to: usize) {
        self.deliveries[to].rewind();
    }

    /// A destination has everything of a source up to a sequence. Returns the records that this is the first to
    /// tell of.
    pub(crate) fn acknowledge(&mut self, to: usize, source: SourceId, through: u64) -> u64 {
        let records = self.deliveries[to].acknowledge(source, through);
        self.retire();
        records
    }

    /// A destination will never take an envelope that was handed out. Returns its records; None where it is not
    /// in flight.
    pub(crate) fn reject(&mut self, to: usize, source: SourceId, first: u64) -> Option<u64> {
        let records = self.deliveries[to].reject(source, first);
        self.retire();
        records
    }

    /// Removes the files of segments that every destination has settled and that are not written to any more.
    pub(crate) fn retire(&mut self) {
        while let Some(segment) = self.segments.front() {
            let is_active = self.segments.len() == 1 && self.writer.is_some();
            let is_settled = |it: &Delivery| it.settled_records_of(segment) >= segment.records;
            if is_active || !self.deliveries.iter().all(is_settled) {
                return;
            }
            let number = segment.number;
            self.segments.pop_front();
            self.remove_file(number);
        }
    }

    fn remove_file(&mut self, number: u64) {
        self.deliveries.iter_mut().for_each(|delivery| delivery.close(number));
        if let Err(error) = segment::remove(&self.directory, number) {
            tracing::warn!(lane = %self.lane, number, %error, "a segment of the spool could not be removed");
        }
    }

    // ── Losing ──

    /// The segment to drop for want of room: the oldest of which nothing is in flight, for what is in flight will
    /// be gone soon; else the very oldest.
    pub(crate) fn victim(&self) -> Option<u64> {
        let is_untouched = |segment: &&Segment| {
            !self.deliveries.iter().any(|delivery| delivery.is_sending(segment.number))
        };
        let victim = self.segments.iter().find(is_untouched).or(self.segments.front())?;
        Some(victim.number)
    }

    /// The oldest segment, if nothing was written to it for longer than `maximum`. One that is written to for an
    /// eighth of that is closed, lest what came first stay with what came last.
    pub(crate) fn expired(&mut self, maximum: Duration) -> Option<u64> {
        let now = self.clock.now();
        let active = self.segments.back().filter(|segment| segment.records > 0);
        if active.is_some_and(|segment| segment.begun_at + maximum / 8 < now) {
            self.seal();
        }
        let oldest = self.segments.front()?;
        (oldest.written_at + maximum < now).then_some(oldest.number)
    }

    /// Records that each destination would lose with a segment; 0 where it is not there.
    pub(crate) fn losses_of(&self, number: u64) -> Vec<u64> {
        let segment = self.segments.iter().find(|it| it.number == number);
        let loss = |delivery: &Delivery| segment.map_or(0, |segment| delivery.loss_of(segment));
        self.deliveries.iter().map(loss).collect()
    }

    /// The reports of loss in a segment that a destination has not settled. The only place where the publisher
    /// looks into payloads: a segment of alerts is dropped only when alerts alone fill the spool.
    pub(crate) fn unsettled_losses(&self, to: usize, number: u64) -> Vec<Loss> {
        let Ok(file) = segment::read(&segment::path(&self.directory, number)) else {
            return Vec::new();
        };
        let delivery = &self.deliveries[to];
        let is_done = |end: u64| delivery.is_done(Position { segment: number, offset: end });
        let frames = scan::scan(&file).frames;
        let open = frames.iter().filter(|found| !is_done(found.end));
        open.flat_map(|found| carried_losses::in_frame(&file, found)).collect()
    }

    #[cfg(test)]
    pub(crate) fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
    }

    /// Drops a segment and its file.
    pub(crate) fn drop_segment(&mut self, number: u64) {
        self.forget_segment(number);
        self.remove_file(number);
    }

    fn forget_segment(&mut self, number: u64) {
        if self.segments.back().is_some_and(|segment| segment.number == number) {
            self.writer = None;
        }
        self.segments.retain(|segment| segment.number != number);
        self.deliveries.iter_mut().for_each(|delivery| delivery.forget(number));
    }
}
