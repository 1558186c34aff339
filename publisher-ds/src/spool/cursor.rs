//! A small file that saves work after a restart: how far each destination has acknowledged, and what was taken of
//! which source; up to where each lane is synced; how old its segments are. It is written now and then, durably.
//! Stale, frames are sent twice, no worse; only before a segment is mended, which moves the places that it tells of,
//! must it be written.

use super::destinations::{BACKEND, Lost};
use super::segment::{LARGEST_NUMBER, Position, sync_directory};
use super::sources::Sources;
use bytes::{Buf, BufMut};
use event_model::{Lane, SourceId};
use service_runtime::read_bounded;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;

const FILE: &str = "cursor";
const MAGIC: [u8; 8] = *b"DFCURSO2";
/// Before there were several destinations: the places are the backend's.
const MAGIC_OF_ONE: [u8; 8] = *b"DFCURSO1";
/// Some thousand segments have their ages in it, some hundred sources their sequences.
const LARGEST_FILE: u64 = 16 << 20;
const CHECKSUM_BYTES: usize = 4;
const POSITIONS_BYTES: usize = Lane::ALL.len() * 16;
const PROGRESS_BYTES: usize = POSITIONS_BYTES + Lane::ALL.len() * 8;
const SOURCE_BYTES: usize = 16 + Lane::ALL.len() * 8;

/// For each lane, before which place everything is acknowledged.
pub(crate) type Places = [Position; Lane::ALL.len()];

/// How far one destination is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) settled: Places,
    /// What it will never get, since it is known.
    pub(crate) lost: Lost,
}

/// When a segment was written to last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Age {
    pub(crate) lane: Lane,
    pub(crate) segment: u64,
    /// By the spool's clock.
    pub(crate) written_at: Duration,
}

/// Where the lanes stand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor {
    /// For each lane, before which place all that was written was synced when the cursor was. What lies behind it may
    /// never have been, and so be there in pieces after a power cut. None: nothing is known of it.
    pub(crate) synced: Option<Places>,
    /// What the spool's clock read.
    pub(crate) clock: Duration,
    pub(crate) ages: Vec<Age>,
    /// By name. One that is not among them begins at the oldest that is kept.
    pub(crate) destinations: BTreeMap<String, Progress>,
    pub(crate) sources: Sources,
}

impl Cursor {
    /// The last segment of a lane that any destination, of today or before, was in: its number is used up.
    pub(crate) fn last_number(&self, lane: Lane) -> u64 {
        let numbers = self.destinations.values().map(|it| it.settled[lane.index()].segment);
        numbers.max().unwrap_or(0)
    }

    /// When a segment was written to last; now, where that is not known.
    pub(crate) fn written_at(&self, lane: Lane, segment: u64) -> Duration {
        let age = self.ages.iter().find(|age| age.lane == lane && age.segment == segment);
        age.map_or(self.clock, |age| age.written_at.min(self.clock))
    }
}

/// Where the cursor lies.
pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// Reads the cursor. None where there is none, or it is not what was written.
pub(crate) fn load(directory: &Path) -> Option<Cursor> {
    let file = read_bounded(&directory.join(FILE), LARGEST_FILE).ok()?;
    let (content, checksum) = file.split_at_checked(file.len().checked_sub(CHECKSUM_BYTES)?)?;
    let is_whole = crc32fast::hash(content).to_le_bytes() == checksum;
    if !is_whole {
        return None;
    }
    match content.strip_prefix(&MAGIC_OF_ONE) {
        Some(content) => decode_of_one(content),
        None => decode(content.strip_prefix(&MAGIC)?),
    }
}

/// Replaces the cursor's file, so that none before it can come back.
pub(crate) fn save(directory: &Path, cursor: &Cursor) -> io::Result<()> {
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
    file.put_u64_le(cursor.destinations.len() as u64);
    for (name, progress) in &cursor.destinations {
        file.put_u64_le(name.len() as u64);
        file.put_slice(name.as_bytes());
        for position in &progress.settled {
            file.put_u64_le(position.segment);
            file.put_u64_le(position.offset);
        }
        progress.lost.iter().for_each(|records| file.put_u64_le(*records));
    }
    // An offset that no place has says that nothing is known.
    let unknown = [Position { segment: 0, offset: u64::MAX }; Lane::ALL.len()];
    for position in cursor.synced.unwrap_or(unknown) {
        file.put_u64_le(position.segment);
        file.put_u64_le(position.offset);
    }
    file.put_u64_le(milliseconds(cursor.clock));
    file.put_u64_le(cursor.ages.len() as u64);
    for age in &cursor.ages {
        file.put_u64_le(age.lane.index() as u64);
        file.put_u64_le(age.segment);
        file.put_u64_le(milliseconds(age.written_at));
    }
    for (source, through) in cursor.sources.all() {
        file.put_slice(source.0.as_bytes());
        for sequence in through {
            file.put_u64_le(sequence);
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn decode(mut content: &[u8]) -> Option<Cursor> {
    let count = content.try_get_u64_le().ok()?;
    let mut destinations = BTreeMap::new();
    for _ in 0..count {
        let length = usize::try_from(content.try_get_u64_le().ok()?).ok()?;
        let (name, rest) = content.split_at_checked(length)?;
        let (mut progress, rest) = rest.split_at_checked(PROGRESS_BYTES)?;
        content = rest;
        let name = std::str::from_utf8(name).ok()?.to_owned();
        let settled = decode_places(&mut progress)?;
        let lost = std::array::from_fn(|_| progress.get_u64_le());
        destinations.insert(name, Progress { settled, lost });
    }
    let (mut places, rest) = content.split_at_checked(POSITIONS_BYTES)?;
    let synced = Some(decode_places(&mut places)?).filter(|all| all[0].offset != u64::MAX);
    content = rest;
    let clock = Duration::from_millis(content.try_get_u64_le().ok()?);
    let ages = decode_ages(&mut content)?;
    Some(Cursor { destinations, synced, clock, ages, sources: decode_sources(content)? })
}

fn decode_of_one(content: &[u8]) -> Option<Cursor> {
    let (mut places, rest) = content.split_at_checked(POSITIONS_BYTES)?;
    let progress = Progress { settled: decode_places(&mut places)?, lost: Lost::default() };
    let destinations = BTreeMap::from([(BACKEND.to_owned(), progress)]);
    Some(Cursor { destinations, sources: decode_sources(rest)?, ..Cursor::default() })
}

fn decode_ages(content: &mut &[u8]) -> Option<Vec<Age>> {
    let mut ages = Vec::new();
    for _ in 0..content.try_get_u64_le().ok()? {
        let lane = usize::try_from(content.try_get_u64_le().ok()?).ok()?;
        ages.push(Age {
            lane: *Lane::ALL.get(lane)?,
            segment: content.try_get_u64_le().ok()?,
            written_at: Duration::from_millis(content.try_get_u64_le().ok()?),
        });
    }
    Some(ages)
}

/// None where a segment has a number that none is ever given.
fn decode_places(content: &mut &[u8]) -> Option<Places> {
    let places: Places = std::array::from_fn(|_| Position {
        segment: content.get_u64_le(),
        offset: content.get_u64_le(),
    });
    places.iter().all(|place| place.segment <= LARGEST_NUMBER).then_some(places)
}

fn decode_sources(mut content: &[u8]) -> Option<Sources> {
    if !content.len().is_multiple_of(SOURCE_BYTES) {
        return None;
    }
    let mut sources = Sources::default();
    while content.has_remaining() {
        let source = SourceId(Uuid::from_u128(content.get_u128()));
        for lane in Lane::ALL {
            match content.get_u64_le() {
                0 => {}
                sequence => sources.note(source, lane, sequence),
            }
        }
    }
    Some(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor() -> Cursor {
        let mut cursor = Cursor::default();
        let mut progress = Progress::default();
        progress.settled[2] = Position { segment: 7, offset: 4711 };
        cursor.destinations.insert(BACKEND.into(), progress);
        progress.lost[1] = 12;
        cursor.destinations.insert("siem".into(), progress);
        cursor.synced = Some([Position { segment: 7, offset: 5000 }; Lane::ALL.len()]);
        cursor.clock = Duration::from_secs(1000);
        let written_at = Duration::from_millis(999_001);
        cursor.ages = vec![Age { lane: Lane::Telemetry, segment: 7, written_at }];
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
        assert_eq!(read.destinations, cursor.destinations);
        assert_eq!(read.sources.all(), cursor.sources.all());
        assert_eq!(read.synced, cursor.synced);
        assert_eq!((read.clock, read.ages), (cursor.clock, cursor.ages));
    }

    #[test]
    fn a_cursor_of_the_time_before_there_were_several_destinations_is_the_backends() {
        let directory = tempfile::tempdir().unwrap();
        let written = cursor();
        let mut file = MAGIC_OF_ONE.to_vec();
        for position in &written.destinations[BACKEND].settled {
            file.put_u64_le(position.segment);
            file.put_u64_le(position.offset);
        }
        for (source, through) in written.sources.all() {
            file.put_slice(source.0.as_bytes());
            for sequence in through {
                file.put_u64_le(sequence);
            }
        }
        let checksum = crc32fast::hash(&file);
        file.put_u32_le(checksum);
        fs::write(directory.path().join(FILE), file).unwrap();
        let read = load(directory.path()).expect("it is read");
        assert_eq!(read.destinations.keys().collect::<Vec<_>>(), [BACKEND]);
        assert_eq!(read.destinations[BACKEND], written.destinations[BACKEND]);
        assert_eq!(read.sources.all(), written.sources.all());
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
