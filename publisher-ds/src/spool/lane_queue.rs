//! One lane of the spool: a queue of envelopes over segment files.

mod mending;

pub(crate) use mending::Damage;

use super::carried_losses;
use super::scan;
use super::segment::{self, Position, ReadError, Reader, Segment, Writer};
use bytes::Bytes;
use event_model::{Lane, Loss, SourceId};
use prost::Message;
use proto::wire;
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::path::PathBuf;
use uuid::Uuid;

/// An envelope on its way out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// The envelope as it came.
    pub envelope: wire::Envelope,
    source: SourceId,
    segment: u64,
    end: u64,
}

impl Outgoing {
    /// Bytes of payload: what credit is counted in.
    pub fn payload_bytes(&self) -> u64 {
        self.envelope.payload.len() as u64
    }

    fn records(&self) -> u64 {
        u64::from(self.envelope.count)
    }

    fn end(&self) -> Position {
        Position { segment: self.segment, offset: self.end }
    }
}

/// A frame that was handed out and is not yet settled, in the order of the queue.
#[derive(Debug)]
struct InFlight {
    source: SourceId,
    first_sequence: u64,
    last_sequence: u64,
    records: u64,
    end: Position,
    is_done: bool,
}

/// A queue of envelopes on disk.
///
/// Invariants:
/// - `segments` are in order of their numbers; a number is never used twice.
/// - `writer`, where there is one, appends to the last segment; a segment's `bytes` and `records` are those synced.
/// - settled ≤ each in flight, in order ≤ reading ≤ end.
/// - A segment file exists until each of its frames is settled, or it was dropped and its loss counted.
#[derive(Debug)]
pub(crate) struct LaneQueue {
    pub(crate) lane: Lane,
    directory: PathBuf,
    segments: VecDeque<Segment>,
    writer: Option<Writer>,
    next_number: u64,
    staged: Staged,
    settled: Position,
    reading: Position,
    reader: Option<Reader>,
    peeked: Option<Outgoing>,
    in_flight: VecDeque<InFlight>,
    /// Records of frames that were done with over a connection that is gone, though not all before them were, by
    /// where they end. They are not handed out again.
    done: BTreeMap<Position, u64>,
    /// The segment that was mended last and where that left `reading`, until something is read.
    repaired: Option<(u64, Position)>,
}

/// Written and not yet synced.
#[derive(Clone, Copy, Debug, Default)]
struct Staged {
    bytes: u64,
    records: u64,
}

impl LaneQueue {
    /// A queue over what recovery found.
    pub(crate) fn new(
        lane: Lane,
        directory: PathBuf,
        segments: VecDeque<Segment>,
        settled: Position,
    ) -> Self {
        let last = segments.back().map_or(0, |segment| segment.number).max(settled.segment);
        Self {
            lane,
            directory,
            segments,
            writer: None,
            next_number: last + 1,
            staged: Staged::default(),
            settled,
            reading: settled,
            reader: None,
            peeked: None,
            in_flight: VecDeque::new(),
            done: BTreeMap::new(),
            repaired: None,
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

    /// Records that are not settled.
    pub(crate) fn records(&self) -> u64 {
        self.segments.iter().map(|segment| segment.records - segment.settled_records).sum()
    }

    /// Before which place everything is settled.
    pub(crate) fn settled(&self) -> Position {
        self.settled
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
        self.segments.push_back(Segment { number, bytes, records: 0, settled_records: 0 });
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
        }
        Ok(())
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

    // ── Reading ──

    /// The next envelope to hand out; [`Self::take_peeked`] takes it.
    pub(crate) fn peek(&mut self) -> Result<Option<&Outgoing>, Damage> {
        while self.peeked.is_none() {
            self.peeked = self.read_next()?;
            self.repaired = None;
            if !self.pass_over_what_is_done() {
                break;
            }
        }
        Ok(self.peeked.as_ref())
    }

    /// Whether what was peeked at is done with already; it is peeked at no more then.
    fn pass_over_what_is_done(&mut self) -> bool {
        let end = self.peeked.as_ref().map(Outgoing::end);
        if end.and_then(|end| self.done.remove(&end)).is_none() {
            return false;
        }
        self.take_peeked();
        if let Some(frame) = self.in_flight.back_mut() {
            frame.is_done = true;
        }
        self.settle();
        true
    }

    /// Hands out what was peeked at: it is in flight from now on.
    pub(crate) fn take_peeked(&mut self) -> Option<Outgoing> {
        let outgoing = self.peeked.take()?;
        self.reading = outgoing.end();
        self.in_flight.push_back(InFlight {
            source: outgoing.source,
            first_sequence: outgoing.envelope.first_sequence,
            last_sequence: outgoing.envelope.first_sequence + outgoing.records().saturating_sub(1),
            records: outgoing.records(),
            end: self.reading,
            is_done: false,
        });
        Some(outgoing)
    }

    fn read_next(&mut self) -> Result<Option<Outgoing>, Damage> {
        let Some(number) = self.segment_to_read() else { return Ok(None) };
        let offset = self.reading.offset;
        let damage = |error| Damage { segment: number, error };
        let body = self.read_frame(number, offset).map_err(|error| match error {
            ReadError::Damaged => damage(None),
            ReadError::Disk(error) => damage(Some(error)),
        })?;
        let end = offset + super::frame::HEADER_BYTES as u64 + body.len() as u64;
        let envelope = wire::Envelope::decode(body).map_err(|_| damage(None))?;
        let source = Uuid::from_slice(&envelope.source_id).map_err(|_| damage(None))?;
        Ok(Some(Outgoing { envelope, source: SourceId(source), segment: number, end }))
    }

    /// The segment that `reading` stands in, moved on past ends. None where nothing is left to read.
    fn segment_to_read(&mut self) -> Option<u64> {
        let mut index = self.segments.partition_point(|it| it.number < self.reading.segment);
        loop {
            let segment = self.segments.get(index)?;
            if segment.number > self.reading.segment {
                self.reading = Position::start_of(segment.number);
            }
            if self.reading.offset < segment.bytes {
                return Some(segment.number);
            }
            index += 1;
        }
    }

    fn read_frame(&mut self, number: u64, offset: u64) -> Result<Bytes, ReadError> {
        let reader = match self.reader.take().filter(|reader| reader.number == number) {
            Some(reader) => reader,
            None => Reader::open(&self.directory, number).map_err(ReadError::Disk)?,
        };
        self.reader.insert(reader).frame(offset)
    }

    /// Begins again after what is settled: another connection will carry what was in flight.
    pub(crate) fn rewind(&mut self) {
        let done = self.in_flight.drain(..).filter(|frame| frame.is_done);
        self.done.extend(done.map(|frame| (frame.end, frame.records)));
        self.peeked = None;
        self.reader = None;
        self.reading = self.settled;
    }

    // ── Settling ──

    /// The backend has everything of a source up to a sequence. Returns the records that this is the first to tell of.
    pub(crate) fn acknowledge(&mut self, source: SourceId, through_sequence: u64) -> u64 {
        // A source's frames stand in the order of their sequences.
        let of_source = self.in_flight.iter_mut().filter(|frame| frame.source == source);
        let reached = of_source.take_while(|frame| frame.last_sequence <= through_sequence);
        let mut records = 0;
        for frame in reached.filter(|frame| !frame.is_done) {
            frame.is_done = true;
            records += frame.records;
        }
        self.settle();
        records
    }

    /// The backend will never take an envelope that was handed out. Returns its records; None where it is not
    /// in flight.
    pub(crate) fn reject(&mut self, source: SourceId, first_sequence: u64) -> Option<u64> {
        let is_it = |it: &&mut InFlight| {
            it.source == source && it.first_sequence == first_sequence && !it.is_done
        };
        let frame = self.in_flight.iter_mut().find(is_it)?;
        frame.is_done = true;
        let records = frame.records;
        self.settle();
        Some(records)
    }

    fn settle(&mut self) {
        while let Some(frame) = self.in_flight.pop_front_if(|frame| frame.is_done) {
            self.settled = self.settled.max(frame.end);
            let segment = self.segments.iter_mut().find(|it| it.number == frame.end.segment);
            if let Some(segment) = segment {
                segment.settled_records += frame.records;
            }
        }
        self.retire();
    }

    /// Removes the files of segments that are settled and not written to any more.
    pub(crate) fn retire(&mut self) {
        while let Some(segment) = self.segments.front() {
            let is_active = self.segments.len() == 1 && self.writer.is_some();
            if is_active || segment.settled_records < segment.records {
                return;
            }
            let number = segment.number;
            self.segments.pop_front();
            self.remove_file(number);
        }
    }

    fn remove_file(&mut self, number: u64) {
        self.reader = self.reader.take().filter(|reader| reader.number != number);
        if let Err(error) = segment::remove(&self.directory, number) {
            tracing::warn!(lane = %self.lane, number, %error, "a segment of the spool could not be removed");
        }
    }

    // ── Losing ──

    /// The segment to drop for want of room, and the records that it loses: the oldest of which nothing is in
    /// flight, for what is in flight will be gone soon; else the very oldest.
    pub(crate) fn victim(&self) -> Option<(u64, u64)> {
        let in_flight = self.in_flight.back().map_or(0, |frame| frame.end.segment);
        let untouched = self.segments.iter().find(|segment| segment.number > in_flight);
        let victim = untouched.or(self.segments.front())?;
        Some((victim.number, self.loss_of(victim)))
    }

    /// The reports of loss in a segment that nobody has acknowledged. The only place where the publisher looks
    /// into payloads: a segment of alerts is dropped only when alerts alone fill the spool.
    pub(crate) fn unsettled_losses(&self, number: u64) -> Vec<Loss> {
        let Ok(file) = fs::read(segment::path(&self.directory, number)) else { return Vec::new() };
        let file = Bytes::from(file);
        let is_settled = |end: u64| Position { segment: number, offset: end } <= self.settled;
        let is_done = |end: u64| {
            let place = Position { segment: number, offset: end };
            let is_it = |frame: &InFlight| frame.is_done && frame.end == place;
            self.done.contains_key(&place) || self.in_flight.iter().any(is_it)
        };
        let frames = scan::scan(&file).frames;
        let open = frames.iter().filter(|found| !is_settled(found.end) && !is_done(found.end));
        open.flat_map(|found| carried_losses::in_frame(&file, found)).collect()
    }

    /// Drops a segment and its file.
    pub(crate) fn drop_segment(&mut self, number: u64) {
        self.forget_segment(number);
        self.remove_file(number);
    }

    fn loss_of(&self, segment: &Segment) -> u64 {
        let of_it = |it: &&InFlight| it.is_done && it.end.segment == segment.number;
        let in_flight: u64 = self.in_flight.iter().filter(of_it).map(|it| it.records).sum();
        let of_number = |(end, _): &(&Position, &u64)| end.segment == segment.number;
        let before: u64 = self.done.iter().filter(of_number).map(|(_, records)| records).sum();
        segment.records.saturating_sub(segment.settled_records + in_flight + before)
    }

    /// Records that would be lost with a segment; 0 where it is not there.
    fn loss_of_number(&self, number: u64) -> u64 {
        let segment = self.segments.iter().find(|it| it.number == number);
        segment.map_or(0, |segment| self.loss_of(segment))
    }

    fn forget_segment(&mut self, number: u64) {
        if self.segments.back().is_some_and(|segment| segment.number == number) {
            self.writer = None;
        }
        self.segments.retain(|segment| segment.number != number);
        self.in_flight.retain(|frame| frame.end.segment != number);
        self.done.retain(|end, _| end.segment != number);
        self.peeked = self.peeked.take().filter(|peeked| peeked.segment != number);
    }
}
