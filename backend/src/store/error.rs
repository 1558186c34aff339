use super::publisher::Publisher;
use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What can go wrong with the store. Cheap to clone: one failed commit answers many batches.
#[derive(Clone, Debug, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum StoreError {
    #[error("cannot use {}: {source}", path.display())]
    Directory { path: PathBuf, source: Arc<std::io::Error> },
    #[error(
        "another backend uses {}: stop it, or give this one a store.directory of its own",
        path.display()
    )]
    InUse { path: PathBuf },
    #[error(
        "{} is damaged ({source}). Restore it and its -wal file from a backup, or move both away \
         to go on without what they hold; what publishers have not had acknowledged, they send again",
        path.display()
    )]
    Damaged { path: PathBuf, source: Arc<rusqlite::Error> },
    #[error(
        "{} has schema version {found}, this backend knows up to {known}: it was written by a newer \
         one. Run that version, or move the file away",
        path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("the disk under {} refuses ({source}): free some space, or mend it", path.display())]
    Disk { path: PathBuf, source: Arc<rusqlite::Error> },
    #[error("{}: {source}", path.display())]
    Database { path: PathBuf, source: Arc<rusqlite::Error> },
    #[error("the query took too long: ask for a shorter time range or fewer records")]
    Slow,
    #[error("a stored record cannot be read: {0}")]
    Record(String),
    #[error(
        "{0} has as many sources as are kept already, all heard of lately: does a program there restart without end?"
    )]
    TooManySources(Publisher),
    #[error("the store has stopped")]
    Stopped,
}

impl StoreError {
    /// An error of SQLite's, sorted by what its reader can do about it.
    pub(crate) fn of(path: &Path, source: rusqlite::Error) -> Self {
        let code = source.sqlite_error_code();
        let path = path.to_owned();
        let source = Arc::new(source);
        match code {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, source }
            }
            Some(
                ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied,
            ) => Self::Disk { path, source },
            Some(ErrorCode::OperationInterrupted) => Self::Slow,
            _ => Self::Database { path, source },
        }
    }

    pub(crate) fn directory(path: &Path, source: std::io::Error) -> Self {
        Self::Directory { path: path.to_owned(), source: Arc::new(source) }
    }

    /// Whether only the batch itself is concerned: the store may well take others.
    pub fn blames_batch(&self) -> bool {
        matches!(self, Self::TooManySources(_)) || self.is_final()
    }

    /// Whether the batch itself is at fault: to try it again cannot help.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Database { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch)
            ),
            _ => false,
        }
    }
}

/// Names the file in errors of SQLite's.
pub(crate) trait At<T> {
    fn at(self, path: &Path) -> Result<T, StoreError>;
}

impl<T> At<T> for rusqlite::Result<T> {
    fn at(self, path: &Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::of(path, source))
    }
}
