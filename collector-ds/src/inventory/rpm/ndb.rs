//! rpm's database in its own format ndb, as SUSE has it (`lib/backend/ndb/rpmpkg.c` of rpm).
//!
//! A header, slots that say where each package's header lies, and these in blocks. Numbers are little-endian.

use std::ops::ControlFlow;

/// The file is no such database.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a database of rpm's format ndb, version 0")]
pub struct NotNdb;

/// The file's header: mark, version, generation, pages of slots, next number.
const HEADER: usize = 32;
const MARK: &[u8] = b"RpmP";
const VERSION: usize = 0;
const SLOT_PAGES_AT: usize = 12;
const SLOT_PAGE: usize = 4096;

/// A slot: mark, number of the package, first block (0 where the slot is free), count of blocks.
const SLOT: usize = 16;
const FIRST_BLOCK_AT: usize = 8;
const SLOT_MARK: &[u8] = b"Slot";

/// A blob: mark, number of the package, generation, bytes of the header, the header.
const BLOB: usize = 16;
const BLOB_MARK: &[u8] = b"BlbS";
const BLOCK: usize = 16;

/// Gives away each header until `take` has enough; returns how many could not be read.
pub fn headers(file: &[u8], mut take: impl FnMut(&[u8]) -> ControlFlow<()>) -> Result<u64, NotNdb> {
    let is_ndb = file.starts_with(MARK) && number(file, 4) == Some(VERSION);
    let pages = number(file, SLOT_PAGES_AT).filter(|_| is_ndb).ok_or(NotNdb)?;
    let slots = file.get(HEADER..pages.saturating_mul(SLOT_PAGE)).ok_or(NotNdb)?;
    // Packages do not share blocks: more than the whole file would be a trap.
    let mut left = file.len();
    let mut unreadable = 0;
    for slot in slots.chunks_exact(SLOT).filter(|slot| number(slot, FIRST_BLOCK_AT) != Some(0)) {
        let header = header(file, slot).filter(|header| header.len() <= left);
        left = left.saturating_sub(header.map_or(BLOB, <[u8]>::len));
        match header {
            Some(header) if take(header).is_break() => break,
            Some(_) => {}
            None => unreadable += 1,
        }
    }
    Ok(unreadable)
}

fn header<'file>(file: &'file [u8], slot: &[u8]) -> Option<&'file [u8]> {
    let package = slot.strip_prefix(SLOT_MARK).and_then(|slot| number(slot, 0))?;
    let blob = file.get(number(slot, FIRST_BLOCK_AT)?.checked_mul(BLOCK)?..)?;
    if !blob.starts_with(BLOB_MARK) || number(blob, 4) != Some(package) {
        return None;
    }
    blob.get(BLOB..BLOB.checked_add(number(blob, 12)?)?)
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = *bytes.get(at..)?.first_chunk()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}
