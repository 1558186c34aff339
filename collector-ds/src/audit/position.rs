use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Bytes of a file's beginning that tell it from another that got the same inode, or was written anew: an audit event
/// begins with its id and its time.
const HEAD_BYTES: usize = 512;

/// No real position is larger.
const MAXIMUM_BYTES: u64 = 64 << 10;

/// A file, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileId {
    /// The device.
    pub device: u64,
    /// The inode on it.
    pub inode: u64,
}

impl FileId {
    /// Of an open file.
    pub fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino() })
    }
}

/// How far a file was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Which file.
    #[serde(flatten)]
    pub file: FileId,
    /// Where the first line begins that was not taken.
    pub offset: u64,
    /// How the file begins.
    pub head: String,
}

/// The beginning of a file, at most so far as it was read, as text.
pub fn head(file: &File, read: u64) -> io::Result<String> {
    let bytes = usize::try_from(read).unwrap_or(HEAD_BYTES).min(HEAD_BYTES);
    let mut head = vec![0; bytes];
    file.read_exact_at(&mut head, 0)?;
    Ok(head.iter().map(|byte| char::from(*byte)).collect())
}

/// Whether more of the file's beginning is to be known, once more was read.
pub fn is_short(head: &str) -> bool {
    head.chars().count() < HEAD_BYTES
}

/// Whether a file begins like that still.
pub fn begins_with(file: &File, head: &str) -> io::Result<bool> {
    let mut begins = vec![0; head.chars().count()];
    match file.read_exact_at(&mut begins, 0) {
        Ok(()) => Ok(head.chars().eq(begins.iter().map(|byte| char::from(*byte)))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The file that remembers a position over a restart.
#[derive(Debug)]
pub struct PositionFile {
    path: PathBuf,
    written: Option<Position>,
}

impl PositionFile {
    /// At this path.
    pub const fn new(path: PathBuf) -> Self {
        Self { path, written: None }
    }

    /// What was noted last. None: nothing, or it cannot be read.
    pub fn read(&self) -> Option<Position> {
        let size = fs::metadata(&self.path).ok()?.len();
        let text = (size <= MAXIMUM_BYTES).then(|| fs::read(&self.path).ok()).flatten()?;
        match serde_json::from_slice(&text) {
            Ok(position) => Some(position),
            Err(error) => {
                let path = self.path.display();
                tracing::warn!(%error, %path, "the position is not readable: the audit file is followed from its end");
                None
            }
        }
    }

    /// What was noted last by this one.
    pub const fn written(&self) -> Option<&Position> {
        self.written.as_ref()
    }

    /// Notes a position; when this returns well, it survives a crash of the machine.
    pub fn write(&mut self, position: &Position) -> io::Result<()> {
        if self.written.as_ref() == Some(position) {
            return Ok(());
        }
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        let temporary = self.path.with_extension("new");
        let mut file = File::create(&temporary)?;
        file.write_all(&serde_json::to_vec(position)?)?;
        file.sync_all()?;
        fs::rename(&temporary, &self.path)?;
        File::open(folder)?.sync_all()?;
        self.written = Some(position.clone());
        Ok(())
    }
}
