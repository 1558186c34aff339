//! How far one destination is in a lane: what it has, what is on its way there, what it will read next.

use super::super::frame::HEADER_BYTES;
use super::super::scan::Contents;
use super::super::segment::{Position, ReadError, Reader, Segment};
use super::mending::Damage;
use bytes::Bytes;
use event_model::SourceId;
use prost::Message;
use proto::wire;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
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

    fn last_sequence(&self) -> u64 {
        self.envelope.first_sequence.saturating_add(self.records().saturating_sub(1))
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

/// The segments that are read from.
#[derive(Clone, Copy)]
pub(super) struct Files<'a> {
    pub(super) directory: &'a Path,
    pub(super) segments: &'a VecDeque<Segment>,
}

/// One destination's way through a lane.
///
/// Invariant: settled ≤ each in flight, in order ≤ reading ≤ the lane's end.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    settled: Position,
    /// Records before `settled` in the segment that it lies in.
    settled_records: u64,
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

impl Delivery {
    /// Continues where the destination stood; `settled_records` stand before that place in its segment.
    pub(super) fn new(settled: Position, settled_records: u64) -> Self {
        Self { settled, settled_records, reading: settled, ..Self::default() }
    }

    /// Before which place everything is settled.
    pub(super) fn settled(&self) -> Position {
        self.settled
    }

    /// Records of a segment that are settled.
    pub(super) fn settled_records_of(&self, segment: &Segment) -> u64 {
        match segment.number.cmp(&self.settled.segment) {
            std::cmp::Ordering::Less => segment.records,
            std::cmp::Ordering::Equal => self.settled_records.min(segment.records),
            std::cmp::Ordering::Greater => 0,
        }
    }

    /// Records that the destination would lose with a segment.
    pub(super) fn loss_of(&self, segment: &Segment) -> u64 {
        let of_it = |it: &&InFlight| it.is_done && it.end.segment == segment.number;
        let in_flight: u64 = self.in_flight.iter().filter(of_it).map(|it| it.records).sum();
        let of_number = |(end, _): &(&Position, &u64)| end.segment == segment.number;
        let before: u64 = self.done.iter().filter(of_number).map(|(_, records)| records).sum();
        segment.records.saturating_sub(self.settled_records_of(segment) + in_flight + before)
    }

    /// Whether something of a segment is in flight.
    pub(super) fn is_sending(&self, number: u64) -> bool {
        self.in_flight.iter().any(|frame| frame.end.segment == number)
    }

    /// Whether the destination is done with the frame that ends at a place.
    pub(super) fn is_done(&self, end: Position) -> bool {
        let is_it = |frame: &InFlight| frame.is_done && frame.end == end;
        end <= self.settled || self.done.contains_key(&end) || self.in_flight.iter().any(is_it)
    }

    // ── Reading ──

    /// The next envelope to hand out; [`Self::take_peeked`] takes it.
    pub(super) fn peek(&mut self, files: Files<'_>) -> Result<Option<&Outgoing>, Damage> {
        while self.peeked.is_none() {
            self.peeked = self.read_next(files)?;
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
    pub(super) fn take_peeked(&mut self) -> Option<Outgoing> {
        let outgoing = self.peeked.take()?;
        self.reading = outgoing.end();
        self.in_flight.push_back(InFlight {
            source: outgoing.source,
            first_sequence: outgoing.envelope.first_sequence,
            last_sequence: outgoing.last_sequence(),
            records: outgoing.records(),
            end: self.reading,
            is_done: false,
        });
        Some(outgoing)
    }

    fn read_next(&mut self, files: Files<'_>) -> Result<Option<Outgoing>, Damage> {
        let Some(number) = self.segment_to_read(files.segments) else { return Ok(None) };
        let offset = self.reading.offset;
        let damage = |error| Damage { segment: number, error };
        let body =
            self.read_frame(files.directory, number, offset).map_err(|error| match error {
                ReadError::Damaged => damage(None),
                ReadError::Disk(error) => damage(Some(error)),
            })?;
        let end = offset + HEADER_BYTES as u64 + body.len() as u64;
        let envelope = wire::Envelope::decode(body).map_err(|_| damage(None))?;
        let source = Uuid::from_slice(&envelope.source_id).map_err(|_| damage(None))?;
        Ok(Some(Outgoing { envelope, source: SourceId(source), segment: number, end }))
    }

    /// The segment that `reading` stands in, moved on past ends. None where nothing is left to read.
    fn segment_to_read(&mut self, segments: &VecDeque<Segment>) -> Option<u64> {
        let mut index = segments.partition_point(|it| it.number < self.reading.segment);
        loop {
            let segment = segments.get(index)?;
            if segment.number > self.reading.segment {
                self.reading = Position::start_of(segment.number);
            }
            if self.reading.offset < segment.bytes {
                return Some(segment.number);
            }
            index += 1;
        }
    }

    fn read_frame(
        &mut self,
        directory: &Path,
        number: u64,
        offset: u64,
    ) -> Result<Bytes, ReadError> {
        let reader = match self.reader.take().filter(|reader| reader.number == number) {
            Some(reader) => reader,
            None => Reader::open(directory, number).map_err(ReadError::Disk)?,
        };
        self.reader.insert(reader).frame(offset)
    }

    /// Begins again after what is settled: another connection will carry what was in flight.
    pub(super) fn rewind(&mut self) {
        let done = self.in_flight.drain(..).filter(|frame| frame.is_done);
        self.done.extend(done.map(|frame| (frame.end, frame.records)));
        self.peeked = None;
        self.reader = None;
        self.reading = self.settled;
    }

    // ── Settling ──

    /// The destination has everything of a source up to a sequence. Returns the records that this is the first to
    /// tell of.
    pub(super) fn acknowledge(&mut self, source: SourceId, through_sequence: u64) -> u64 {
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

    /// The destination will never take an envelope that was handed out. Returns its records; None where it is not
    /// in flight.
    pub(super) fn reject(&mut self, source: SourceId, first_sequence: u64) -> Option<u64> {
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
            if frame.end.segment != self.settled.segment {
                self.settled_records = 0;
            }
            self.settled_records += frame.records;
            self.settled = self.settled.max(frame.end);
        }
    }

    // ── Losing ──

    /// Nothing is read of a segment's file any more as it was.
    pub(super) fn close(&mut self, number: u64) {
        self.reader = self.reader.take().filter(|reader| reader.number != number);
    }

    /// A segment is there no more.
    pub(super) fn forget(&mut self, number: u64) {
        self.close(number);
        self.in_flight.retain(|frame| frame.end.segment != number);
        self.done.retain(|end, _| end.segment != number);
        self.peeked = self.peeked.take().filter(|peeked| peeked.segment != number);
    }

    /// Whether the segment was mended already and nothing could be read since.
    pub(super) fn was_repaired_in_vain(&self, number: u64) -> bool {
        self.repaired == Some((number, self.reading))
    }

    /// Notes that a segment was mended, until something is read.
    pub(super) fn note_repaired(&mut self, number: u64) {
        self.repaired = Some((number, self.reading));
    }

    /// Moves all places in a mended segment to where their frames lie now. A damaged frame is in flight no
    /// more: it could not be sent again.
    pub(super) fn move_places(&mut self, number: u64, contents: &Contents) {
        self.peeked = None;
        self.close(number);
        let is_left = |end: Position| {
            end.segment != number || contents.frames.iter().any(|found| found.end == end.offset)
        };
        self.in_flight.retain(|frame| is_left(frame.end));
        self.done.retain(|end, _| is_left(*end));
        if self.settled.segment == number {
            self.settled_records = contents.records_before(self.settled.offset);
        }
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
}
