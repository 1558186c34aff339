//! rpm's package database, in each of the formats that rpm has had.
//!
//! The file is read into memory first, so nothing beside it is opened, and a database that somebody made to hurt costs no
//! more than its size. What stands only in a write-ahead log is told as a problem.

mod berkeley;
mod header;
mod ndb;
mod sqlite;
#[cfg(test)]
mod tests;

use super::limits;
use super::packages::Found;
use super::root::{Root, Skipped};

use header::Noted;
use std::ops::ControlFlow;

/// How a file is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// Fedora since 33, RHEL since 9.
    Sqlite,
    /// SUSE.
    Ndb,
    /// RHEL up to 8.
    Berkeley,
}

/// Where databases are, the newest formats first: what an upgrade left behind is not read.
const DATABASES: [(&str, Format); 6] = [
    ("var/lib/rpm/rpmdb.sqlite", Format::Sqlite),
    ("usr/lib/sysimage/rpm/rpmdb.sqlite", Format::Sqlite),
    ("var/lib/rpm/Packages.db", Format::Ndb),
    ("usr/lib/sysimage/rpm/Packages.db", Format::Ndb),
    ("var/lib/rpm/Packages", Format::Berkeley),
    ("usr/lib/sysimage/rpm/Packages", Format::Berkeley),
];

/// The files that are looked for.
pub fn databases() -> impl Iterator<Item = &'static str> {
    DATABASES.into_iter().map(|(path, _)| path)
}

/// Reads all packages.
pub fn read(root: &Root, found: &mut Found<'_>) {
    for (path, format) in DATABASES {
        match root.read(path, limits::DATABASE_BYTES) {
            Ok(bytes) => {
                read_database(path, format, bytes, found);
                note_log(root, path, format, found);
                // The other place is a link to this one.
                break;
            }
            Err(Skipped::Absent) => {}
            Err(skipped) => found.skipped(path, skipped),
        }
    }
}

fn read_database(path: &str, format: Format, bytes: Vec<u8>, found: &mut Found<'_>) {
    let mut unreadable = 0;
    let mut take = |bytes: &[u8]| {
        match header::read(bytes) {
            Some(Noted::Package(package)) => found.add(package),
            Some(Noted::Key) => {}
            None => unreadable += 1,
        }
        found.pace.rest();
        if found.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let outcome = match format {
        Format::Sqlite => sqlite::headers(bytes, &mut take).map_err(|error| error.to_string()),
        Format::Ndb => ndb::headers(&bytes, &mut take).map_err(|error| error.to_string()),
        Format::Berkeley => berkeley::values(&bytes, &mut take).map_err(|error| error.to_string()),
    };
    match outcome {
        Ok(others) => unreadable += others,
        Err(error) => found.note(format!("{path}: {error}")),
    }
    if unreadable > 0 {
        found.note(format!("{path}: {unreadable} headers of packages can't be read"));
    }
}

fn note_log(root: &Root, path: &str, format: Format, found: &mut Found<'_>) {
    let log = format!("{path}-wal");
    let length = || Ok::<_, Skipped>(root.open(&log)?.metadata()?.len());
    if format == Format::Sqlite && length().is_ok_and(|bytes| bytes > 0) {
        found.note(format!("{log} is not read: the newest changes may be missing"));
    }
}
