//! Reads a whole segment: which frames stand in it, and what is damaged.

use super::frame::{HEADER_BYTES, Header};
use bytes::Bytes;
use event_model::SourceId;
use prost::Message;
use proto::wire;
use uuid::Uuid;

/// A segment begins with this: the format's name and version.
pub(crate) const MAGIC: [u8; 8] = *b"DFSPOOL1";

/// Records of a stretch whose headers are unreadable too: at least one was there.
pub(crate) const AT_LEAST: u64 = 1;

/// A frame that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where its header begins.
    pub(crate) start: u64,
    /// Where the next frame begins.
    pub(crate) end: u64,
    pub(crate) source: SourceId,
    pub(crate) first_sequence: u64,
    pub(crate) last_sequence: u64,
    pub(crate) records: u64,
}

impl Found {
    /// Its body, in the file that it was found in.
    pub(crate) fn body(&self, file: &Bytes) -> Bytes {
        file.slice(to_place(self.start) + HEADER_BYTES..to_place(self.end))
    }
}

/// Bytes in which no whole frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damaged {
    pub(crate) from: u64,
    to: u64,
    /// Records that are known to have stood there, or that headers tell of.
    pub(crate) records: u64,
}

impl Damaged {
    /// Records of those behind an offset: what lies before it is settled, and so not lost.
    fn records_after(&self, file: &Bytes, offset: u64) -> u64 {
        if offset <= self.from {
            return self.records;
        }
        if offset >= self.to {
            return 0;
        }
        let rest = told_by_headers(file, to_place(offset), to_place(self.to));
        rest.max(AT_LEAST).min(self.records)
    }
}

/// What a segment holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) frames: Vec<Found>,
    /// Stretches that whole frames follow.
    pub(crate) damaged: Vec<Damaged>,
    /// The end, where no whole frame follows.
    pub(crate) unreadable_end: Option<Damaged>,
}

impl Contents {
    /// Whether nothing but whole frames stands there.
    pub(crate) fn is_whole(&self) -> bool {
        self.damaged.is_empty() && self.unreadable_end.is_none()
    }

    /// Where the first damage at or behind an offset begins.
    pub(crate) fn first_damage_from(&self, offset: u64) -> Option<u64> {
        let all = self.damaged.iter().chain(&self.unreadable_end).map(|stretch| stretch.from);
        all.filter(|from| *from >= offset).min()
    }

    /// Forgets all behind an offset, which is the end of a frame.
    pub(crate) fn cut_off(&mut self, offset: u64) {
        self.frames.retain(|found| found.end <= offset);
        self.damaged.retain(|stretch| stretch.from < offset);
        self.unreadable_end = self.unreadable_end.filter(|end| end.from < offset);
    }

    /// Records in damaged stretches, of what lies behind an offset.
    pub(crate) fn damaged_records(&self, file: &Bytes, settled: u64) -> u64 {
        let open = self.damaged.iter().filter(|stretch| stretch.to > settled);
        open.map(|stretch| stretch.records_after(file, settled)).sum()
    }

    /// Records in the unreadable end, of what lies behind an offset.
    pub(crate) fn unreadable_records(&self, file: &Bytes, settled: u64) -> u64 {
        self.unreadable_end.map_or(0, |end| end.records_after(file, settled))
    }

    /// Where an offset lies once the damaged stretches before it are gone.
    pub(crate) fn mended_offset(&self, offset: u64) -> u64 {
        let before = self.frames.iter().filter(|found| found.end <= offset);
        MAGIC.len() as u64 + before.map(|found| found.end - found.start).sum::<u64>()
    }

    /// Records of the whole frames before an offset.
    pub(crate) fn records_before(&self, offset: u64) -> u64 {
        let before = self.frames.iter().filter(|found| found.end <= offset);
        before.map(|found| found.records).sum()
    }
}

/// Finds all whole frames, also where the file does not begin with [`MAGIC`] as it should.
pub(crate) fn scan(file: &Bytes) -> Contents {
    let mut contents = Contents::default();
    let mut at = if file.starts_with(&MAGIC) { MAGIC.len() } else { 0 };
    while at < file.len() {
        if let Some(found) = frame_at(file, at) {
            at = to_place(found.end);
            contents.frames.push(found);
            continue;
        }
        let Some(next) = next_whole(file, at) else {
            contents.unreadable_end = Some(unreadable_end(file, at));
            break;
        };
        let last = contents.frames.last().copied();
        contents.damaged.push(damaged_between(file, at, last, &next));
        at = to_place(next.start);
    }
    contents
}

fn unreadable_end(file: &Bytes, at: usize) -> Damaged {
    let records = told_by_headers(file, at.max(MAGIC.len()), file.len()).max(AT_LEAST);
    Damaged { from: at as u64, to: file.len() as u64, records }
}

fn damaged_between(file: &Bytes, at: usize, last: Option<Found>, next: &Found) -> Damaged {
    let by_headers = || told_by_headers(file, at.max(MAGIC.len()), to_place(next.start));
    let records = match lost_between(last, next) {
        Some(records) => records,
        // Only the file's beginning is damaged, and it is before all frames.
        None if to_place(next.start) == MAGIC.len() => 0,
        None => by_headers().max(AT_LEAST),
    };
    Damaged { from: at as u64, to: next.start, records }
}

/// The whole frame at a place, if there is one.
fn frame_at(file: &Bytes, at: usize) -> Option<Found> {
    let (header, body) = split(file, at)?;
    if !header.matches(&body) {
        return None;
    }
    let envelope = wire::Envelope::decode(body).ok()?;
    let source = SourceId(Uuid::from_slice(&envelope.source_id).ok()?);
    let records = u64::from(envelope.count);
    Some(Found {
        start: at as u64,
        end: at as u64 + header.frame_bytes(),
        source,
        first_sequence: envelope.first_sequence,
        last_sequence: envelope.first_sequence.saturating_add(records.saturating_sub(1)),
        records,
    })
}

fn split(file: &Bytes, at: usize) -> Option<(Header, Bytes)> {
    let body_at = at + HEADER_BYTES;
    let header = Header::read(file.get(at..body_at)?.try_into().ok()?)?;
    let end = body_at.checked_add(header.length as usize)?;
    (end <= file.len()).then(|| (header, file.slice(body_at..end)))
}

/// Tries every byte: a damaged length must not hide the frames behind it.
fn next_whole(file: &Bytes, after: usize) -> Option<Found> {
    (after + 1..file.len()).find_map(|at| frame_at(file, at))
}

/// Where the frames before and after a damaged stretch are of one source, its sequences tell exactly.
fn lost_between(before: Option<Found>, after: &Found) -> Option<u64> {
    let before = before.filter(|before| before.source == after.source)?;
    after.first_sequence.checked_sub(before.last_sequence.checked_add(1)?).filter(|lost| *lost > 0)
}

/// Sums what readable headers in a damaged stretch say.
fn told_by_headers(file: &Bytes, from: usize, to: usize) -> u64 {
    let mut records = 0;
    let mut at = from;
    while at + HEADER_BYTES <= to {
        let header = file[at..at + HEADER_BYTES].try_into().ok().and_then(Header::read);
        let Some(header) = header else { break };
        records += u64::from(header.records);
        at = at.saturating_add(to_place(header.frame_bytes()));
    }
    records
}

/// Places in a file that is in memory fit.
fn to_place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::frame;

    const ONE: Uuid = Uuid::from_u128(1);
    const TWO: Uuid = Uuid::from_u128(2);

    fn segment(envelopes: &[wire::Envelope]) -> (Vec<u8>, Vec<usize>) {
        let mut file = MAGIC.to_vec();
        let mut starts = Vec::new();
        for envelope in envelopes {
            starts.push(file.len());
            frame::append(&mut file, envelope);
        }
        (file, starts)
    }

    fn batch(source: Uuid, first_sequence: u64, count: u32) -> wire::Envelope {
        wire::Envelope {
            source_id: source.as_bytes().to_vec(),
            first_sequence,
            count,
            payload: vec![7; 50].into(),
            ..wire::Envelope::default()
        }
    }

    fn firsts(contents: &Contents) -> Vec<u64> {
        contents.frames.iter().map(|found| found.first_sequence).collect()
    }

    #[test]
    fn a_whole_segment_has_all_its_frames() {
        let (file, _) = segment(&[batch(ONE, 1, 10), batch(TWO, 1, 5), batch(ONE, 11, 3)]);
        let contents = scan(&file.into());
        assert_eq!(firsts(&contents), [1, 1, 11]);
        assert_eq!((contents.damaged, contents.unreadable_end), (vec![], None));
    }

    #[test]
    fn a_damaged_body_costs_only_its_own_records() {
        let (mut file, starts) = segment(&[batch(ONE, 1, 10), batch(TWO, 1, 5), batch(ONE, 11, 3)]);
        file[starts[1] + HEADER_BYTES + 30] ^= 0xff;
        let contents = scan(&file.into());
        assert_eq!(firsts(&contents), [1, 11]);
        assert_eq!(contents.damaged.iter().map(|it| it.records).sum::<u64>(), 5);
    }

    #[test]
    fn a_damaged_header_is_skipped_and_the_sequences_tell_what_was_lost() {
        let (mut file, starts) =
            segment(&[batch(ONE, 1, 10), batch(ONE, 11, 5), batch(ONE, 16, 3)]);
        file[starts[1]] ^= 0xff;
        let contents = scan(&file.into());
        assert_eq!(firsts(&contents), [1, 16]);
        assert_eq!(contents.damaged.iter().map(|it| it.records).sum::<u64>(), 5);
    }

    #[test]
    fn a_torn_end_is_told_from_damage_within() {
        let (file, starts) = segment(&[batch(ONE, 1, 10), batch(ONE, 11, 5)]);
        for length in starts[1] + 1..file.len() {
            let contents = scan(&Bytes::copy_from_slice(&file[..length]));
            assert_eq!(firsts(&contents), [1], "cut at {length}");
            let end = contents.unreadable_end.expect("the end is torn");
            assert_eq!(end.from, starts[1] as u64, "cut at {length}");
            assert_eq!(contents.damaged, [], "cut at {length}");
        }
    }

    #[test]
    fn a_file_of_another_kind_is_unreadable_from_its_start() {
        let contents = scan(&Bytes::from_static(b"#!/bin/sh\necho hello\n"));
        assert_eq!(contents.unreadable_end.map(|end| (end.from, end.records)), Some((0, AT_LEAST)));
    }

    #[test]
    fn a_damaged_beginning_costs_nothing_that_stands_behind_it() {
        let (mut file, _) = segment(&[batch(ONE, 1, 10), batch(TWO, 1, 5)]);
        file[3] ^= 0xff;
        let file = Bytes::from(file);
        let contents = scan(&file);
        assert_eq!(firsts(&contents), [1, 1]);
        assert_eq!(contents.damaged.len(), 1);
        assert_eq!(contents.damaged_records(&file, 0), 0);
    }

    #[test]
    fn of_damage_only_what_lies_behind_an_offset_is_counted() {
        let batches: Vec<_> = (0..6).map(|n| batch(ONE, 1 + n * 10, 10)).collect();
        let (mut file, starts) = segment(&batches);
        for damaged in [1, 2, 4, 5] {
            file[starts[damaged] + HEADER_BYTES + 30] ^= 0xff;
        }
        let file = Bytes::from(file);
        let contents = scan(&file);
        let lost = |offset: usize| {
            let offset = offset as u64;
            contents.damaged_records(&file, offset) + contents.unreadable_records(&file, offset)
        };
        let lost: Vec<_> = starts.iter().copied().chain([file.len()]).map(lost).collect();
        assert_eq!(lost, [40, 40, 30, 20, 20, 10, 0]);
    }
}
