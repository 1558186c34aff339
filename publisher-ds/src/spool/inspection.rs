//! A look at a spool without touching it, whether a publisher runs on it or not.
//!
//! A publisher that runs appends, removes and replaces files meanwhile. So a file that is gone by the time that it is
//! to be read was removed, and an end that is not whole is a write that is under way.

mod listing;
mod verification;

pub(crate) use listing::{Listing, list};
pub(crate) use verification::{Verification, verify};

use super::cursor::{self, Cursor};
use super::recovery;
use super::scan::{self, Contents};
use super::segment;
use bytes::Bytes;
use event_model::Lane;
use std::io;
use std::path::{Path, PathBuf};

/// A segment as it lies on disk now.
pub(crate) struct Seen {
    pub(crate) lane: Lane,
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: Bytes,
    /// What of it is whole. An unfinished end is cut off.
    pub(crate) contents: Contents,
    /// Where an end begins that was never synced.
    pub(crate) unfinished_from: Option<u64>,
}

/// Reads each segment in turn, in the order in which they are sent: one at a time is in memory.
pub(crate) fn each_segment(
    spool: &Path,
    lanes: &[Lane],
    mut look: impl FnMut(Seen) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for lane in lanes {
        let directory = spool.join(lane.name());
        let Some(numbers) = present(segment::numbers(&directory))? else { continue };
        for number in &numbers {
            let is_last = numbers.last() == Some(number);
            let path = segment::path(&directory, *number);
            // Read before the file: what the cursor says is synced stands there then.
            let synced = synced(spool, *lane, *number);
            let Some(file) = present(segment::read(&path))? else { continue };
            look(see(*lane, *number, path, file, is_last, synced))?;
        }
    }
    Ok(())
}

fn synced(spool: &Path, lane: Lane, number: u64) -> Option<u64> {
    let cursor = cursor::load(spool)?;
    cursor.synced.map(|synced| synced[lane.index()].offset_in(number))
}

fn see(
    lane: Lane,
    number: u64,
    path: PathBuf,
    file: Bytes,
    is_last: bool,
    synced: Option<u64>,
) -> Seen {
    let mut contents = scan::scan(&file);
    let unfinished_from = recovery::torn_at(&file, &contents, synced).filter(|_| is_last);
    if let Some(from) = unfinished_from {
        contents.cut_off(from);
    }
    Seen { lane, number, path, file, contents, unfinished_from }
}

/// What is there; None where it is there no more.
fn present<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// The cursor, where there is one that can be read.
fn cursor_of(spool: &Path) -> Cursor {
    cursor::load(spool).unwrap_or_default()
}
