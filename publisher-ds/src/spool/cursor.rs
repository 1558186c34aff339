//! A small file that saves work after a restart: how far the backend has acknowledged, and what was taken of
//! which source. It is written now and then and without sync; lost or stale, frames are sent twice, no worse. Only
//! before a segment is mended, which moves the places that it tells of, must it be durable.

use super::segment::{Position, sync_directory};
use super::sources::Sources;
use bytes::{Buf, BufMut};
use event_model::{Lane, SourceId};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use uuid::Uuid;

const FILE: &str = "cursor";
const MAGIC: [u8; 8] = *b"DFCURSO1";
const CHECKSUM_BYTES: usize = 4;
const POSITIONS_BYTES: usize = Lane::ALL.len() * 16;
const SOURCE_BYTES: usize = 16 + Lane::ALL.len() * 8;

/// Where the lanes stand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor {
    /// For each lane, before which place everything is acknowledged.
    pub(crate) settled: [Position; Lane::ALL.len()],
    pub(crate) sources: Sources,
}

/// Reads the cursor. None where there is none, or it is not what was written.
pub(crate) fn load(directory: &Path) -> Option<Cursor> {
    let file = fs::read(directory.join(FILE)).ok()?;
    let (content, checksum) = file.split_at_checked(file.len().checked_sub(CHECKSUM_BYTES)?)?;
    let is_whole = crc32fast::hash(content).to_le_bytes() == checksum;
    decode(content.strip_prefix(&MAGIC).filter(|_| is_whole)?)
}

/// Replaces the cursor's file.
pub(crate) fn save(directory: &Path, cursor: &Cursor) -> io::Result<()> {
    fs::rename(write_fresh(directory, cursor)?, directory.join(FILE))
}

/// Replaces the cursor's file, so that none before it can come back.
pub(crate) fn save_durably(directory: &Path, cursor: &Cursor) -> io::Result<()> {
    let fresh = write_fresh(directory, cursor)?;
    File::open(&fresh)?.sync_all()?;
    fs::rename(fresh, directory.join(FILE))?;
    sync_directory(directory)
}

/// Does without a cursor from now on, durably.
pub(crate) fn remove_durably(directory: &Path) -> io::Result<()> {
    match fs::remove_file(directory.join(FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => sync_directory(directory),
    }
}

fn write_fresh(directory: &Path, cursor: &Cursor) -> io::Result<PathBuf> {
    let mut file = MAGIC.to_vec();
    encode(cursor, &mut file);
    let checksum = crc32fast::hash(&file);
    file.put_u32_le(checksum);
    let fresh = directory.join(FILE).with_extension("new");
    fs::write(&fresh, file)?;
    Ok(fresh)
}

fn encode(cursor: &Cursor, file: &mut Vec<u8>) {
    for position in &cursor.settled {
        file.put_u64_le(position.segment);
        file.put_u64_le(position.offset);
    }
    for (source, through) in cursor.sources.all() {
        file.put_slice(source.0.as_bytes());
        for sequence in through {
            file.put_u64_le(sequence);
        }
    }
}

fn decode(mut content: &[u8]) -> Option<Cursor> {
    if content.len() < POSITIONS_BYTES
        || !(content.len() - POSITIONS_BYTES).is_multiple_of(SOURCE_BYTES)
    {
        return None;
    }
    let mut cursor = Cursor::default();
    for position in &mut cursor.settled {
        *position = Position { segment: content.get_u64_le(), offset: content.get_u64_le() };
    }
    while content.has_remaining() {
        let source = SourceId(Uuid::from_u128(content.get_u128()));
        for lane in Lane::ALL {
            match content.get_u64_le() {
                0 => {}
                sequence => cursor.sources.note(source, lane, sequence),
            }
        }
    }
    Some(cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor() -> Cursor {
        let mut cursor = Cursor::default();
        cursor.settled[2] = Position { segment: 7, offset: 4711 };
        cursor.sources.note(SourceId::generate(), Lane::Alert, 12);
        cursor.sources.note(SourceId::generate(), Lane::Telemetry, 99);
        cursor
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        assert!(load(directory.path()).is_none(), "there is none yet");
        let cursor = cursor();
        save(directory.path(), &cursor).unwrap();
        let read = load(directory.path()).expect("there is one now");
        assert_eq!(read.settled, cursor.settled);
        assert_eq!(read.sources.all(), cursor.sources.all());
    }

    #[test]
    fn a_damaged_or_torn_cursor_counts_as_none() {
        let directory = tempfile::tempdir().unwrap();
        save(directory.path(), &cursor()).unwrap();
        let path = directory.path().join(FILE);
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(load(directory.path()).is_none(), "torn at {length}");
        }
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 4;
            fs::write(&path, &damaged).unwrap();
            assert!(load(directory.path()).is_none(), "damaged at {place}");
        }
    }
}
