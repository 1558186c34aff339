//! Whether a spool is what it should be: each frame, each checksum, the order of each source, the cursor.

use super::super::cursor;
use super::super::scan::{Found, MAGIC};
use super::{Seen, cursor_of, each_segment};
use event_model::{Lane, SourceId};
use prost::Message;
use proto::{Envelope, decode_batch, wire};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Something that is not as it should be.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    pub(crate) file: String,
    pub(crate) offset: u64,
    pub(crate) what: String,
}

/// What was looked at, and what is wrong with it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Verification {
    pub(crate) segments: u64,
    pub(crate) envelopes: u64,
    pub(crate) records: u64,
    /// Bytes at the end of lanes that were never synced: of a write under way, or that a crash cut short.
    pub(crate) unfinished_bytes: u64,
    /// Envelopes that stand there twice: a disk failed while they were written. They are sent twice, and kept once.
    pub(crate) repeated_envelopes: u64,
    pub(crate) faults: Vec<Fault>,
}

impl Verification {
    fn find(&mut self, path: &Path, offset: u64, what: impl Into<String>) {
        let file = path.display().to_string();
        self.faults.push(Fault { file, offset, what: what.into() });
    }
}

/// Looks at everything in a spool.
pub(crate) fn verify(spool: &Path, lanes: &[Lane]) -> anyhow::Result<Verification> {
    let mut found = Verification::default();
    verify_cursor(spool, &mut found);
    let mut order = Order::default();
    each_segment(spool, lanes, |seen| {
        found.segments += 1;
        verify_bytes(&seen, &mut found);
        for frame in &seen.contents.frames {
            found.envelopes += 1;
            found.records += frame.records;
            verify_envelope(&seen, frame, &mut found);
            order.verify(&seen, frame, &mut found);
        }
        verify_places(spool, &seen, &mut found);
        Ok(())
    })?;
    Ok(found)
}

fn verify_cursor(spool: &Path, found: &mut Verification) {
    let path = cursor::path(spool);
    if path.exists() && cursor::load(spool).is_none() {
        found.find(&path, 0, "the cursor is not what was written; all is sent again");
    }
}

fn verify_bytes(seen: &Seen, found: &mut Verification) {
    if let Some(from) = seen.unfinished_from {
        found.unfinished_bytes += seen.file.len() as u64 - from;
    }
    for stretch in seen.contents.damaged.iter().chain(&seen.contents.unreadable_end) {
        let fault = format!("no whole frame here; about {} records", stretch.records);
        found.find(&seen.path, stretch.from, fault);
    }
}

fn verify_envelope(seen: &Seen, frame: &Found, found: &mut Verification) {
    let envelope = wire::Envelope::decode(frame.body(&seen.file)).map_err(|it| it.to_string());
    let envelope = envelope.and_then(|raw| Envelope::try_from(raw).map_err(|it| it.to_string()));
    match envelope {
        Err(error) => found.find(&seen.path, frame.start, format!("no envelope: {error}")),
        Ok(envelope) if envelope.lane() != seen.lane => {
            let fault = format!("an envelope of the {} lane", envelope.lane());
            found.find(&seen.path, frame.start, fault);
        }
        Ok(envelope) => {
            if let Err(error) = decode_batch(&envelope) {
                found.find(&seen.path, frame.start, format!("its records: {error}"));
            }
        }
    }
}

/// Which sequences came in which order.
#[derive(Default)]
struct Order {
    reached: HashMap<(Lane, SourceId), u64>,
    seen: HashSet<(Lane, SourceId, u64, u64)>,
}

impl Order {
    fn verify(&mut self, seen: &Seen, frame: &Found, found: &mut Verification) {
        let (source, first, last) = (frame.source, frame.first_sequence, frame.last_sequence);
        if !self.seen.insert((seen.lane, source, first, last)) {
            found.repeated_envelopes += 1;
            return;
        }
        let reached = self.reached.entry((seen.lane, source)).or_default();
        if first <= *reached {
            let fault = format!("sequence {first} of {source} stands behind {reached}");
            found.find(&seen.path, frame.start, fault);
        }
        *reached = last.max(*reached);
    }
}

/// A destination's place lies between two frames.
fn verify_places(spool: &Path, seen: &Seen, found: &mut Verification) {
    let is_between = |offset: u64| {
        offset <= MAGIC.len() as u64 || seen.contents.frames.iter().any(|it| it.end == offset)
    };
    for (name, progress) in &cursor_of(spool).destinations {
        let place = progress.settled[seen.lane.index()];
        if place.segment == seen.number && seen.contents.is_whole() && !is_between(place.offset) {
            let fault = format!("the cursor's place of {name} lies within a frame");
            found.find(&seen.path, place.offset, fault);
        }
    }
}
