//! The spool's directory: where it is, how much may lie there, and that one process alone works in it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Records tell what runs on a node: only the publisher may look in.
const DIRECTORY_MODE: u32 = 0o700;

/// Where the spool lies, and its bounds.
#[derive(Clone, Debug)]
pub struct SpoolConfig {
    /// Its directory, of no other use.
    pub directory: PathBuf,
    /// Bytes of all segments together.
    pub maximum_bytes: u64,
    /// A segment that reached this size is closed.
    pub segment_bytes: u64,
}

/// Why there is no spool.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another process holds the lock.
    #[error(
        "spool.directory {} is in use by another publisher: only one may run on a node",
        .0.display()
    )]
    InUse(PathBuf),
    /// The disk.
    #[error("spool.directory {}: {action}: {error}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// What the disk said.
        error: io::Error,
    },
}

/// Makes a directory of the spool where it is missing.
pub(crate) fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)
}

/// Takes the spool for this process alone.
pub(crate) fn lock(directory: &Path) -> Result<File, SpoolError> {
    let failed = |action| move |error| SpoolError::Io { path: directory.to_owned(), action, error };
    make(directory).map_err(failed("making it"))?;
    let lock = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(directory.join("lock"));
    let lock = lock.map_err(failed("opening its lock file"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(SpoolError::InUse(directory.to_owned())),
        Err(fs::TryLockError::Error(error)) => Err(failed("locking it")(error)),
    }
}
