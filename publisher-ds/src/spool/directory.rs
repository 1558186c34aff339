//! The spool's directory: where it is, how much may lie there, and that one process alone works in it.

use nix::fcntl::OFlag;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    /// What is older is dropped, but for alerts. Zero: nothing is too old.
    pub maximum_age: Duration,
    /// How long what comes waits for a destination that takes things to make room, before the oldest is dropped.
    pub patience: Duration,
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
    /// The destinations that it is to be kept for.
    #[error("the destinations of the spool: {0}")]
    Destinations(String),
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

/// Makes a directory of the spool where it is missing. What else stands there, and a link above all, is left alone: who
/// put it there would have us write where he can't, or read what he wrote.
pub(crate) fn make(directory: &Path) -> io::Result<()> {
    match fs::symlink_metadata(directory) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(found) => {
            let kind = if found.is_symlink() { "a symbolic link" } else { "no directory" };
            let text = format!("{} is {kind}; name a directory itself", directory.display());
            Err(io::Error::new(io::ErrorKind::NotADirectory, text))
        }
        Err(_) => DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory),
    }
}

/// Takes the spool for this process alone.
pub(crate) fn lock(directory: &Path) -> Result<File, SpoolError> {
    let failed = |action| move |error| SpoolError::Io { path: directory.to_owned(), action, error };
    make(directory).map_err(failed("making it"))?;
    let lock = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(directory.join("lock"));
    let lock = lock.map_err(failed("opening its lock file"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(SpoolError::InUse(directory.to_owned())),
        Err(fs::TryLockError::Error(error)) => Err(failed("locking it")(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn refusal(directory: &Path) -> String {
        lock(directory).expect_err("the spool was taken").to_string()
    }

    #[test]
    fn a_symbolic_link_or_file_at_the_spools_path_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (elsewhere, spool) = (folder.path().join("elsewhere"), folder.path().join("spool"));
        fs::create_dir(&elsewhere).unwrap();
        symlink(&elsewhere, &spool).unwrap();
        assert!(refusal(&spool).contains("is a symbolic link; name a directory itself"));
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0, "something was written there");
        fs::remove_file(&spool).unwrap();
        fs::write(&spool, "precious").unwrap();
        assert!(refusal(&spool).contains("is no directory"));
        assert_eq!(fs::read_to_string(&spool).unwrap(), "precious");
    }

    #[test]
    fn a_link_in_the_place_of_a_lane_or_of_the_lock_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (target, lane) = (folder.path().join("target"), folder.path().join("alert"));
        fs::write(&target, "precious").unwrap();
        symlink(&target, &lane).unwrap();
        assert!(make(&lane).is_err());
        symlink(&target, folder.path().join("lock")).unwrap();
        assert!(refusal(folder.path()).contains("opening its lock file"));
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    }
}
