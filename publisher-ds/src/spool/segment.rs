//! A segment's file: its name, and how it is made, appended to, mended and removed.

use super::frame::{HEADER_BYTES, Header};
use super::scan::{Contents, MAGIC};
use bytes::{Bytes, BytesMut};
use service_runtime::read_bounded;
use std::cmp::Ordering;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const EXTENSION: &str = "segment";
const MENDED: &str = "mended";
const CORRUPT: &str = "corrupt";

/// Records tell what runs on a node: only the publisher may read them.
const FILE_MODE: u32 = 0o600;

/// A segment is closed once it has `spool.segment_bytes`, of which there are at most 64 MiB, and ends with an envelope of
/// some MiB. A larger file is none of ours, and is not read into memory.
const LARGEST_FILE: u64 = 128 << 20;

/// Nobody lives to see a lane's segments counted further.
pub(crate) const LARGEST_NUMBER: u64 = 1 << 56;

/// Damaged files kept aside, for a person to look at.
const CORRUPT_FILES_KEPT: usize = 4;

/// What is known of a segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) bytes: u64,
    pub(crate) records: u64,
    /// When it was begun by this run of the program, or found; by the spool's clock.
    pub(crate) begun_at: Duration,
    /// When it was written to last.
    pub(crate) written_at: Duration,
}

/// A place between two frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

impl Position {
    /// Before the first frame of a segment.
    pub(crate) const fn start_of(segment: u64) -> Self {
        Self { segment, offset: MAGIC.len() as u64 }
    }

    /// Behind all that there will ever be: where a destination stands in a lane that it asks for nothing of.
    pub(crate) const END: Self = Self { segment: u64::MAX, offset: u64::MAX };

    /// Before which offset of a segment everything is before this place.
    pub(crate) fn offset_in(self, segment: u64) -> u64 {
        match segment.cmp(&self.segment) {
            Ordering::Less => u64::MAX,
            Ordering::Equal => self.offset,
            Ordering::Greater => 0,
        }
    }
}

/// Where a segment lies.
pub(crate) fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:016x}.{EXTENSION}"))
}

/// Reads a segment whole. What is no file of ours, a link or a pipe say, is an error.
pub(crate) fn read(path: &Path) -> io::Result<Bytes> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no regular file"));
    }
    read_bounded(path, LARGEST_FILE).map(Bytes::from)
}

/// The numbers of all segments in a directory, in order.
pub(crate) fn numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        let found = entry?.path();
        let stem = found.file_stem().and_then(|stem| stem.to_str());
        let number = stem.and_then(|stem| u64::from_str_radix(stem, 16).ok());
        // What is named otherwise is none of ours.
        let is_ours = |number: &u64| *number <= LARGEST_NUMBER && path(directory, *number) == found;
        numbers.extend(number.filter(is_ours));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Makes renames, creations and removals in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Appends to one segment. What was written is durable after [`Writer::sync`].
#[derive(Debug)]
pub(crate) struct Writer {
    file: File,
    written: u64,
    synced: u64,
}

impl Writer {
    /// Makes a segment, durably.
    pub(crate) fn create(directory: &Path, number: u64) -> io::Result<Self> {
        let path = path(directory, number);
        let made = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&path);
        let mut file = made?;
        let begun = file
            .write_all(&MAGIC)
            .and_then(|()| file.sync_all())
            .and_then(|()| sync_directory(directory));
        if let Err(error) = begun {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        let written = MAGIC.len() as u64;
        Ok(Self { file, written, synced: written })
    }

    pub(crate) fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        self.file.write_all_at(frames, self.written)?;
        self.written += frames.len() as u64;
        Ok(())
    }

    /// Makes durable what was written.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.written > self.synced {
            self.file.sync_data()?;
            self.synced = self.written;
        }
        Ok(())
    }

    /// Forgets what was written and not synced. Where even that fails, the rest stays in the file: recovery
    /// reads it as a torn end, or as batches that came twice.
    pub(crate) fn roll_back(self) -> io::Result<()> {
        self.file.set_len(self.synced)?;
        self.file.sync_data()
    }
}

/// Reads frames of one segment.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) number: u64,
    file: File,
}

/// Why a frame can't be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The bytes are not those that were written.
    Damaged,
    /// The disk did not give the bytes.
    Disk(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // The file is shorter than it was.
            io::ErrorKind::UnexpectedEof => Self::Damaged,
            _ => Self::Disk(error),
        }
    }
}

impl Reader {
    pub(crate) fn open(directory: &Path, number: u64) -> io::Result<Self> {
        Ok(Self { number, file: File::open(path(directory, number))? })
    }

    /// The body of the frame at `offset`, checked.
    pub(crate) fn frame(&self, offset: u64) -> Result<Bytes, ReadError> {
        let mut head = [0; HEADER_BYTES];
        self.file.read_exact_at(&mut head, offset)?;
        let header = Header::read(head).ok_or(ReadError::Damaged)?;
        let mut body = BytesMut::zeroed(header.length as usize);
        self.file.read_exact_at(&mut body, offset + HEADER_BYTES as u64)?;
        if header.matches(&body) { Ok(body.freeze()) } else { Err(ReadError::Damaged) }
    }
}

/// Cuts a torn end off.
pub(crate) fn truncate(directory: &Path, number: u64, length: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path(directory, number))?;
    file.set_len(length)?;
    file.sync_all()
}

/// Removes a segment, if it is there. The removal need not be durable: a segment that comes back is sent twice, no
/// worse.
pub(crate) fn remove(directory: &Path, number: u64) -> io::Result<()> {
    match fs::remove_file(path(directory, number)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Puts a damaged segment aside and its whole frames into its place. The frames before the first damage keep
/// their offsets, those behind it do not: no cursor on disk may tell of places among them (see
/// `Store::prepare_mend`). Returns the mended length.
pub(crate) fn mend(
    directory: &Path,
    number: u64,
    file: &Bytes,
    contents: &Contents,
) -> io::Result<u64> {
    let original = path(directory, number);
    let mended = original.with_extension(MENDED);
    let mut whole = MAGIC.to_vec();
    for found in &contents.frames {
        let place = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
        whole.extend_from_slice(&file[place(found.start)..place(found.end)]);
    }
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(FILE_MODE);
    let mut copy = options.open(&mended)?;
    copy.write_all(&whole)?;
    copy.sync_all()?;
    set_aside(directory, number)?;
    fs::rename(&mended, &original)?;
    sync_directory(directory)?;
    Ok(whole.len() as u64)
}

/// Renames a damaged segment, so that it is out of the way and can be looked at.
pub(crate) fn set_aside(directory: &Path, number: u64) -> io::Result<()> {
    let original = path(directory, number);
    let corrupt = original.with_extension(CORRUPT);
    fs::rename(&original, &corrupt)?;
    tracing::error!(file = %corrupt.display(), "a damaged segment of the spool was set aside; look at the disk's health");
    if let Err(error) = forget_old_corrupt_files(directory) {
        tracing::warn!(directory = %directory.display(), %error, "damaged segments that were set aside long ago could not be removed");
    }
    Ok(())
}

fn forget_old_corrupt_files(directory: &Path) -> io::Result<()> {
    let mut corrupt = with_extension(directory, CORRUPT)?;
    corrupt.sort_unstable();
    let surplus = corrupt.len().saturating_sub(CORRUPT_FILES_KEPT);
    corrupt.iter().take(surplus).try_for_each(fs::remove_file)
}

/// Finishes or forgets a mend that a crash cut short.
pub(crate) fn finish_mends(directory: &Path) -> io::Result<()> {
    for mended in with_extension(directory, MENDED)? {
        let original = mended.with_extension(EXTENSION);
        if original.exists() {
            fs::remove_file(&mended)?;
        } else {
            fs::rename(&mended, &original)?;
        }
    }
    sync_directory(directory)
}

fn with_extension(directory: &Path, wanted: &str) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == wanted) {
            paths.push(path);
        }
    }
    Ok(paths)
}
