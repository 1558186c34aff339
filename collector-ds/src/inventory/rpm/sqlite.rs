//! rpm's database in SQLite.
//!
//! The file is read into memory first and opened there, read-only: no journal beside it is opened, whatever its header
//! says, and SQLite's own limits hold for a database that somebody made to hurt.

use super::super::limits;
use rusqlite::Connection;
use rusqlite::limits::Limit;
use std::ops::ControlFlow;

/// The largest header: that of a kernel's package with its thousands of files has two.
const HEADER_BYTES: i32 = 16 << 20;
/// What SQLite may allocate, the database itself included.
const HEAP_BYTES: u64 = 2 * limits::DATABASE_BYTES;
/// Steps of SQLite's machine between two looks, and how many looks there are: a real database needs a thousandth.
const STEPS: (i32, u32) = (10_000, 2_000);

/// Gives away each header until `take` has enough; returns how many could not be read.
pub fn headers(
    mut bytes: Vec<u8>,
    mut take: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> rusqlite::Result<u64> {
    // Format version numbers of the file's header (sqlite.org/fileformat, 1.3.3): in memory there is no write-ahead log.
    if let Some(versions) = bytes.get_mut(18..20) {
        versions.copy_from_slice(&[1, 1]);
    }
    let mut database = Connection::open_in_memory()?;
    database.pragma_update(None, "hard_heap_limit", HEAP_BYTES)?;
    database.pragma_update(None, "trusted_schema", false)?;
    database.pragma_update(None, "cell_size_check", true)?;
    database.set_limit(Limit::SQLITE_LIMIT_LENGTH, HEADER_BYTES)?;
    let mut looks = 0;
    database.progress_handler(
        STEPS.0,
        Some(move || {
            looks += 1;
            looks > STEPS.1
        }),
    )?;
    let length = bytes.len();
    database.deserialize_read_exact("main", bytes.as_slice(), length, true)?;
    drop(bytes);
    let mut statement = database.prepare("SELECT blob FROM Packages")?;
    let mut rows = statement.query([])?;
    let mut unreadable = 0;
    while let Some(row) = rows.next()? {
        match row.get_ref(0)?.as_blob() {
            Ok(header) if take(header).is_break() => break,
            Ok(_) => {}
            Err(_) => unreadable += 1,
        }
    }
    Ok(unreadable)
}
