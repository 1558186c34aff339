//! How database files are opened, and brought to this version's schema.
//!
//! Each is in WAL mode with `synchronous=FULL`: a commit returns only when the log
//! is on the medium. What was acknowledged so survives kill -9 (the log is in the
//! page cache at the latest) and power cuts alike; `NORMAL` would lose the last
//! commits to a power cut. Group commit makes the one fsync a commit affordable.

use super::error::{At, StoreError};
use event_model::Timestamp;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::{Duration, Instant};

/// Prepared statements kept by a connection: more than any of ours has.
const STATEMENTS: usize = 64;
/// How many steps of SQLite's machine pass between two looks at a query's deadline.
const STEPS_BETWEEN_LOOKS: i32 = 20_000;
/// The log is cut back to this when a checkpoint left it larger.
const LARGEST_IDLE_LOG: u64 = 64 << 20;

/// The definition of a database's tables, a step a version.
pub(crate) struct Schema {
    /// SQL that leads from each version to the next, the first from an empty file.
    pub(crate) steps: &'static [&'static str],
}

/// Opens a file for writing, making it where it is missing, and brings its schema up to date.
pub(crate) fn open_for_writing(
    path: &Path,
    schema: &Schema,
    cache_bytes: u64,
) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).at(path)?;
    prepare_for_writing(&connection, cache_bytes).at(path)?;
    migrate(&mut connection, path, schema)?;
    Ok(connection)
}

fn prepare_for_writing(connection: &Connection, cache_bytes: u64) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -((cache_bytes >> 10).cast_signed()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", LARGEST_IDLE_LOG, |_| Ok(()))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// Opens a file for queries that must end by `deadline`, each time another.
pub(crate) fn open_for_reading(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).at(path)?;
    connection.busy_timeout(Duration::from_secs(5)).at(path)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Makes queries on this connection fail as too slow once `deadline` has passed.
pub(crate) fn bound(connection: &mut Connection, deadline: Instant) -> rusqlite::Result<()> {
    connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || Instant::now() >= deadline))
}

fn migrate(connection: &mut Connection, path: &Path, schema: &Schema) -> Result<(), StoreError> {
    let version = version(connection).at(path)?;
    let known = i64::try_from(schema.steps.len()).unwrap_or(i64::MAX);
    if version > known {
        return Err(StoreError::Newer { path: path.to_owned(), found: version, known });
    }
    let done = usize::try_from(version).unwrap_or(0);
    for (place, step) in schema.steps.iter().enumerate().skip(done) {
        take_step(connection, place + 1, step).at(path)?;
    }
    Ok(())
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS migrations (
            version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL, program TEXT NOT NULL
        ) STRICT",
    )?;
    connection.query_row("SELECT coalesce(max(version), 0) FROM migrations", [], |row| row.get(0))
}

fn take_step(connection: &mut Connection, version: usize, sql: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(sql)?;
    transaction.execute(
        "INSERT INTO migrations (version, applied_at, program) VALUES (?1, ?2, ?3)",
        (version, Timestamp::now().to_string(), env!("CARGO_PKG_VERSION")),
    )?;
    transaction.commit()
}

/// Bytes of the file in use, without pages that were freed and will be used again.
pub(crate) fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
    Ok(number("page_count")?.saturating_sub(number("freelist_count")?) * number("page_size")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Schema = Schema { steps: &["CREATE TABLE a (x INTEGER) STRICT"] };
    const SECOND: Schema =
        Schema { steps: &["CREATE TABLE a (x INTEGER) STRICT", "ALTER TABLE a ADD y INTEGER"] };

    #[test]
    fn a_schema_is_brought_up_to_date_step_by_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.db");
        open_for_writing(&path, &FIRST, 1 << 20)
            .unwrap()
            .execute("INSERT INTO a VALUES (1)", [])
            .unwrap();
        let connection = open_for_writing(&path, &SECOND, 1 << 20).unwrap();
        let row =
            connection.query_row("SELECT x, y FROM a", [], |row| Ok((row.get(0)?, row.get(1)?)));
        assert_eq!(row.unwrap(), (1, None::<i64>));
    }

    #[test]
    fn a_file_of_a_newer_version_is_refused_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.db");
        drop(open_for_writing(&path, &SECOND, 1 << 20).unwrap());
        let message = open_for_writing(&path, &FIRST, 1 << 20).unwrap_err().to_string();
        assert!(
            message.contains("schema version 2") && message.contains("move the file away"),
            "{message}"
        );
    }

    #[test]
    fn a_file_that_is_no_database_is_refused_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.db");
        std::fs::write(&path, [b'x'; 8192]).unwrap();
        let message = open_for_writing(&path, &FIRST, 1 << 20).unwrap_err().to_string();
        assert!(message.contains("damaged") && message.contains("backup"), "{message}");
    }

    #[test]
    fn a_query_ends_at_its_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.db");
        drop(open_for_writing(&path, &FIRST, 1 << 20).unwrap());
        let mut connection = open_for_reading(&path).unwrap();
        bound(&mut connection, Instant::now() + Duration::from_millis(50)).unwrap();
        let endless =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
        let error = connection.query_row(endless, [], |_| Ok(())).at(&path).unwrap_err();
        assert!(matches!(error, StoreError::Slow), "{error}");
    }
}
