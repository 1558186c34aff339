//! Follows a file through rotation and truncation.
//!
//! The file is known by device and inode. Once its name belongs to another it is read to its end, and until nothing
//! came for a while: its writer may hold it open still. Then its successors are read by age, the last of them
//! under the name. A file that is shorter than what was read of it, or begins otherwise, was written anew.

use super::lines::{Line, Lines};
use super::now;
use super::position::{self, FileId, Position, PositionFile};
use crate::inventory::{Root, Skipped};
use event_model::Timestamp;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::{Duration, Instant};

/// A writer that is told of a rotation by a signal closes the old file within this.
const GRACE: Duration = Duration::from_millis(1500);

/// Read in one go.
const PIECE_BYTES: usize = 256 << 10;

/// Entries of the folder that are looked at.
const MAXIMUM_ENTRIES: usize = 10_000;

/// Names of packed files end so: what is in them was read before, or is long past.
const PACKED: [&str; 4] = [".gz", ".zst", ".xz", ".bz2"];

/// A file that is followed.
struct Followed {
    file: File,
    id: FileId,
    read: u64,
    /// How it begins.
    head: String,
    lines: Lines,
    /// Since when its name belongs to another and nothing came.
    replaced_since: Option<Instant>,
}

/// Follows the file at a path.
pub struct Follower {
    root: Root,
    folder: String,
    name: String,
    position: Option<PositionFile>,
    followed: Option<Followed>,
    /// The file was looked for once: one that appears from now on is new, and read from its beginning.
    began: bool,
    /// Successors are looked for among files that are none of these.
    done: HashSet<FileId>,
    gap: Option<Timestamp>,
    piece: Vec<u8>,
}

impl Follower {
    /// Of the file at `path` below a root. Without a position that was noted it begins at the file's end.
    pub fn new(root: Root, path: &str, position: Option<PositionFile>) -> Self {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Self {
            root,
            folder: if folder.is_empty() { "/".to_owned() } else { folder.to_owned() },
            name: name.to_owned(),
            position,
            followed: None,
            began: false,
            done: HashSet::new(),
            gap: None,
            piece: vec![0; PIECE_BYTES],
        }
    }

    /// When lines may have been lost last, because the file that was read was nowhere to be found.
    pub const fn gap(&self) -> Option<Timestamp> {
        self.gap
    }

    /// Whether there is a file that is followed.
    pub const fn follows(&self) -> bool {
        self.followed.is_some()
    }

    /// Bytes that wait in the file.
    pub fn backlog(&self) -> u64 {
        let followed = self.followed.as_ref();
        followed.map_or(0, |followed| {
            followed.file.metadata().map_or(0, |now| now.len().saturating_sub(followed.read))
        })
    }

    /// Reads a piece and gives away its lines. False: nothing is to be read now.
    pub fn read(&mut self, now: Instant, take: &mut dyn FnMut(Line<'_>)) -> io::Result<bool> {
        if self.followed.is_none() {
            if !self.begin()? {
                return Ok(false);
            }
            self.note_beginning();
        }
        if self.notice_truncation(take)? {
            return Ok(true);
        }
        let Some(followed) = &mut self.followed else { return Ok(false) };
        let bytes = followed.file.read_at(&mut self.piece, followed.read)?;
        if bytes == 0 {
            return self.notice_rotation(now, take);
        }
        followed.lines.push(&self.piece[..bytes], take);
        followed.read += bytes as u64;
        followed.replaced_since = None;
        if position::is_short(&followed.head) {
            followed.head = position::head(&followed.file, followed.read)?;
        }
        Ok(true)
    }

    /// How far whole lines were given away. None where no place is to be noted.
    pub fn reached(&self) -> Option<Position> {
        self.position.as_ref()?;
        let followed = self.followed.as_ref()?;
        let offset = followed.read - followed.lines.pending();
        let head =
            followed.head.chars().take(usize::try_from(offset).unwrap_or(usize::MAX)).collect();
        Some(Position { file: followed.id, offset, head })
    }

    /// Notes a place from which the next run goes on.
    pub fn note(&mut self, place: &Position) -> io::Result<()> {
        self.position.as_mut().map_or(Ok(()), |file| file.write(place))
    }

    /// The place that was noted last, in this run.
    pub fn noted(&self) -> Option<&Position> {
        self.position.as_ref()?.written()
    }

    /// A run that ends before it noted anything else is followed by one that begins where this did. Trouble is told with
    /// the next note, which meets it, too.
    fn note_beginning(&mut self) {
        if let Some(place) = self.reached() {
            let _ = self.note(&place);
        }
    }

    /// Opens the file to begin with; false where there is none.
    fn begin(&mut self) -> io::Result<bool> {
        let at_start = !std::mem::replace(&mut self.began, true);
        let noted =
            if at_start { self.position.as_ref().and_then(PositionFile::read) } else { None };
        if let Some(noted) = noted {
            if let Some(followed) = self.find(&noted)? {
                self.followed = Some(followed);
                return Ok(true);
            }
            // What was written to that file since is lost, and nobody knows how much.
            self.gap = Some(now());
            return self.open_named(0);
        }
        self.open_named(if at_start { u64::MAX } else { 0 })
    }

    /// Opens what has the name, at this place or its end.
    fn open_named(&mut self, from: u64) -> io::Result<bool> {
        let name = self.name.clone();
        self.followed = self.open(&name)?.map(|file| followed(file, from)).transpose()?;
        Ok(self.followed.is_some())
    }

    fn open(&self, name: &str) -> io::Result<Option<File>> {
        match self.root.open(&format!("{}/{name}", self.folder)) {
            Ok(file) => Ok(Some(file)),
            Err(Skipped::Absent) => Ok(None),
            Err(skipped) => Err(io::Error::other(skipped.to_string())),
        }
    }

    /// The file of a noted position, whatever its name is now. None: it is gone, or was written anew.
    fn find(&self, noted: &Position) -> io::Result<Option<Followed>> {
        for name in [vec![self.name.clone()], self.siblings()?].concat() {
            let Some(file) = self.open(&name)? else { continue };
            let metadata = file.metadata()?;
            let is_it = FileId::of(&file)? == noted.file
                && metadata.len() >= noted.offset
                && position::begins_with(&file, &noted.head)?;
            if is_it {
                return followed(file, noted.offset).map(Some);
            }
        }
        Ok(None)
    }

    /// Begins anew with a file that was written anew. A line that was not whole is lost with the old content.
    fn notice_truncation(&mut self, take: &mut dyn FnMut(Line<'_>)) -> io::Result<bool> {
        let Some(followed) = &mut self.followed else { return Ok(false) };
        let length = followed.file.metadata()?.len();
        let is_new = length < followed.read
            || (length > followed.read && !position::begins_with(&followed.file, &followed.head)?);
        if is_new {
            followed.lines.cut(take);
            followed.read = 0;
            followed.head.clear();
        }
        Ok(is_new)
    }

    /// At the file's end: goes on to the next, where there is one.
    fn notice_rotation(
        &mut self,
        now: Instant,
        take: &mut dyn FnMut(Line<'_>),
    ) -> io::Result<bool> {
        let Some(followed) = &mut self.followed else { return Ok(false) };
        let id = followed.id;
        if self.named()? == Some(id) {
            return Ok(false);
        }
        let successors = self.successors()?;
        let Some((next, _)) = successors.first() else { return Ok(false) };
        let Some(followed) = &mut self.followed else { return Ok(false) };
        let since = *followed.replaced_since.get_or_insert(now);
        // Nobody writes to the last but one.
        if successors.len() == 1 && now.saturating_duration_since(since) < GRACE {
            return Ok(false);
        }
        // What came between the look at the file's end and the look at its successors.
        if followed.file.metadata()?.len() > followed.read {
            return Ok(true);
        }
        followed.lines.end(take);
        let Some(file) = self.open(next)? else { return Ok(true) };
        self.done.insert(id);
        self.followed = Some(self::followed(file, 0)?);
        Ok(true)
    }

    /// What has the name now.
    fn named(&self) -> io::Result<Option<FileId>> {
        self.open(&self.name)?.map(|file| FileId::of(&file)).transpose()
    }

    /// Files that were begun after the followed one, the oldest first, by name and id.
    fn successors(&mut self) -> io::Result<Vec<(String, FileId)>> {
        let Some(followed) = &self.followed else { return Ok(vec![]) };
        let ended = modified(&followed.file)?;
        let mut found = vec![];
        let mut present = HashSet::new();
        for name in self.siblings()? {
            let Some(file) = self.open(&name)? else { continue };
            let id = FileId::of(&file)?;
            present.insert(id);
            let modified = modified(&file)?;
            // What has the name is the newest, also where the one before it is still being written to.
            let is_newest = name == self.name;
            let is_later = is_newest || (!self.done.contains(&id) && modified >= ended);
            if id != followed.id && is_later {
                found.push((is_newest, modified, name, id));
            }
        }
        // The inode of a file that is gone may be given to a new one.
        self.done.retain(|id| present.contains(id));
        found.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
        Ok(found.into_iter().map(|(_, _, name, id)| (name, id)).collect())
    }

    /// The names under which rotation puts the file: `audit-TIME.log`, `audit.log.1`; its own among them.
    fn siblings(&self) -> io::Result<Vec<String>> {
        let (stem, extension) = self.name.rsplit_once('.').unwrap_or((&self.name, ""));
        let listing = self
            .root
            .list(&self.folder, MAXIMUM_ENTRIES)
            .map_err(|skipped| io::Error::other(format!("{}: {skipped}", self.folder)))?;
        let names = listing.entries.into_iter().filter(|entry| !entry.is_directory);
        let is_sibling = |name: &String| {
            let rest = name.strip_prefix(stem);
            rest.is_some_and(|rest| rest.contains(extension))
                && !PACKED.iter().any(|packed| name.ends_with(packed))
        };
        Ok(names.map(|entry| entry.name).filter(is_sibling).collect())
    }
}

/// Follows an open file from this place, or from its end where that is before.
fn followed(file: File, from: u64) -> io::Result<Followed> {
    let read = from.min(whole_lines(&file)?);
    Ok(Followed {
        id: FileId::of(&file)?,
        head: position::head(&file, read)?,
        read,
        lines: Lines::new(kubernetes_audit::MAXIMUM_EVENT_BYTES),
        replaced_since: None,
        file,
    })
}

/// Where the last line that has ended ends: one that is being written is not begun in its middle.
fn whole_lines(file: &File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut piece = vec![0; 64 << 10];
    while end > 0 {
        let begin = end.saturating_sub(piece.len() as u64);
        let bytes = file.read_at(&mut piece[..usize::try_from(end - begin).unwrap_or(0)], begin)?;
        if let Some(place) = piece[..bytes].iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + place as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

fn modified(file: &File) -> io::Result<(i64, i64)> {
    let metadata = file.metadata()?;
    Ok((metadata.mtime(), metadata.mtime_nsec()))
}
