//! What lies in a spool, and how far each destination is.

use super::super::segment::Position;
use super::{cursor_of, each_segment};
use event_model::Lane;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// A spool in numbers.
#[derive(Debug, Serialize)]
pub(crate) struct Listing {
    pub(crate) segments: Vec<ListedSegment>,
    pub(crate) destinations: Vec<ListedDestination>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ListedSegment {
    pub(crate) lane: &'static str,
    pub(crate) segment: u64,
    pub(crate) bytes: u64,
    pub(crate) envelopes: u64,
    pub(crate) records: u64,
    /// Since it was written to last, as far as the cursor knows: while the publisher ran.
    pub(crate) age_seconds: u64,
    pub(crate) is_damaged: bool,
}

/// How far a destination is in a lane, as the cursor tells: it is saved every few seconds.
#[derive(Debug, Serialize)]
pub(crate) struct ListedDestination {
    pub(crate) destination: String,
    pub(crate) lane: &'static str,
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    pub(crate) waiting_records: u64,
    pub(crate) lost_records: u64,
}

/// Looks through a spool.
pub(crate) fn list(spool: &Path, lanes: &[Lane]) -> anyhow::Result<Listing> {
    let cursor = cursor_of(spool);
    let mut segments = Vec::new();
    let mut waiting: BTreeMap<(String, Lane), u64> = BTreeMap::new();
    each_segment(spool, lanes, |seen| {
        for (name, progress) in &cursor.destinations {
            let settled = progress.settled[seen.lane.index()].offset_in(seen.number);
            let open = seen.contents.frames.iter().filter(|found| found.end > settled);
            *waiting.entry((name.clone(), seen.lane)).or_default() +=
                open.map(|found| found.records).sum::<u64>();
        }
        let written_at = cursor.written_at(seen.lane, seen.number);
        segments.push(ListedSegment {
            lane: seen.lane.name(),
            segment: seen.number,
            bytes: seen.file.len() as u64,
            envelopes: seen.contents.frames.len() as u64,
            records: seen.contents.records_before(u64::MAX),
            age_seconds: cursor.clock.saturating_sub(written_at).as_secs(),
            is_damaged: !seen.contents.is_whole(),
        });
        Ok(())
    })?;
    let mut destinations = Vec::new();
    for (name, progress) in &cursor.destinations {
        for lane in lanes {
            let Position { segment, offset } = progress.settled[lane.index()];
            destinations.push(ListedDestination {
                destination: name.clone(),
                lane: lane.name(),
                segment,
                offset,
                waiting_records: waiting.get(&(name.clone(), *lane)).copied().unwrap_or(0),
                lost_records: progress.lost[lane.index()],
            });
        }
    }
    Ok(Listing { segments, destinations })
}
