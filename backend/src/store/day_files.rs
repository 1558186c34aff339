//! Events in SQLite, a file a day: a day goes by removing its file.

mod query;

use super::body::encode_kind;
use super::container_key::ContainerKey;
use super::database::{self, Schema};
use super::day::Day;
use super::error::{At, StoreError};
use super::event_store::{EventReader, EventStore, Removed};
use super::sources::SourceRow;
use event_model::{Event, Timestamp};
use query::DayFilesReader;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SCHEMA: Schema = Schema { steps: &[include_str!("schema/events-001.sql")] };
const CACHE_BYTES: u64 = 32 << 20;
/// Files that stay open for writing: today's, and those of nodes that were cut off a while.
const MOST_OPEN: usize = 4;
/// The part of the last file's span that is cut off when that file alone is too large.
const CUT: u64 = 10;

const INSERT: &str = "INSERT OR IGNORE INTO events
    (time, source, sequence, kind, pid, start_time, generation, container, detail)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// The day files of a folder.
pub(crate) struct DayFiles {
    directory: PathBuf,
    /// Of the state, which queries join.
    state: PathBuf,
    open: BTreeMap<Day, DayFile>,
    /// The moment that the group under way began.
    now: Timestamp,
}

struct DayFile {
    path: PathBuf,
    connection: Connection,
    /// Takes part in the group under way.
    writing: bool,
    /// Events that the group added.
    added: usize,
}

impl DayFiles {
    /// Opens a folder. Files that are damaged are set aside, so that one bad day does not keep
    /// the others from being read and written.
    pub(crate) fn open(directory: &Path, state: &Path) -> Result<Self, StoreError> {
        for day in days(directory)? {
            let path = day.path(directory);
            if let Err(error @ StoreError::Damaged { .. }) = probe(&path) {
                set_aside(&path, &error)?;
            }
        }
        Ok(Self {
            directory: directory.to_owned(),
            state: state.to_owned(),
            open: BTreeMap::new(),
            now: Timestamp::now(),
        })
    }

    fn file(&mut self, day: Day) -> Result<&mut DayFile, StoreError> {
        let file = match self.open.entry(day) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(DayFile::open(day.path(&self.directory))?)
            }
        };
        file.begin()?;
        Ok(file)
    }

    /// Closes files that the last group did not write to, the oldest first.
    fn close_idle(&mut self) {
        while self.open.len() > MOST_OPEN {
            let idle = self.open.iter().find(|(_, file)| !file.writing).map(|(day, _)| *day);
            let Some(day) = idle else { return };
            self.open.remove(&day);
        }
    }

    fn remove_file(&mut self, day: Day) -> Result<Removed, StoreError> {
        let path = day.path(&self.directory);
        self.open.remove(&day);
        let events = database::open_for_reading(&path)
            .and_then(|file| count(&file, &path))
            .unwrap_or_default();
        remove(&path)?;
        Ok(Removed { events, before: day.end() })
    }

    /// Cuts the oldest part off the only file that is left. Its pages are used again, so the file
    /// stops growing.
    fn cut(&mut self, day: Day) -> Result<Option<Removed>, StoreError> {
        let file = self.file(day)?;
        let removed = file.cut().at(&file.path)?;
        self.commit()?;
        // Times that cannot be right tell nothing of the age of what the events refer to.
        Ok(removed.map(|removed| Removed { before: removed.before.min(day.end()), ..removed }))
    }
}

impl EventStore for DayFiles {
    fn append(
        &mut self,
        source: SourceRow,
        sequence: u64,
        event: &Event,
    ) -> Result<(), StoreError> {
        let day = Day::of(event.time, self.now);
        let file = self.file(day)?;
        file.insert(source, sequence, event).at(&file.path)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        for file in self.open.values_mut().filter(|file| file.writing) {
            file.commit().at(&file.path)?;
        }
        self.close_idle();
        self.now = Timestamp::now();
        Ok(())
    }

    fn rollback(&mut self) {
        // Closing rolls back, and takes leave of a connection that an error may have left in any state.
        self.open.retain(|_, file| !file.writing);
        self.now = Timestamp::now();
    }

    fn bytes(&self) -> Result<u64, StoreError> {
        let mut bytes = 0;
        for day in days(&self.directory)? {
            bytes += match self.open.get(&day) {
                Some(file) => database::used_bytes(&file.connection).at(&file.path)?,
                None => file_bytes(&day.path(&self.directory)),
            };
        }
        Ok(bytes)
    }

    fn remove_oldest(&mut self) -> Result<Option<Removed>, StoreError> {
        let days = days(&self.directory)?;
        match days.as_slice() {
            [] => Ok(None),
            [only] => self.cut(*only),
            [oldest, ..] => self.remove_file(*oldest).map(Some),
        }
    }

    fn reader(&self) -> Arc<dyn EventReader> {
        Arc::new(DayFilesReader { directory: self.directory.clone(), state: self.state.clone() })
    }
}

impl DayFile {
    fn open(path: PathBuf) -> Result<Self, StoreError> {
        let connection = match database::open_for_writing(&path, &SCHEMA, CACHE_BYTES) {
            Err(error @ StoreError::Damaged { .. }) => {
                set_aside(&path, &error)?;
                database::open_for_writing(&path, &SCHEMA, CACHE_BYTES)?
            }
            opened => opened?,
        };
        Ok(Self { path, connection, writing: false, added: 0 })
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        if !self.writing {
            self.connection.execute_batch("BEGIN IMMEDIATE").at(&self.path)?;
            self.writing = true;
        }
        Ok(())
    }

    fn commit(&mut self) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("UPDATE tally SET events = events + ?1")?
            .execute([self.added])?;
        self.connection.execute_batch("COMMIT")?;
        self.writing = false;
        self.added = 0;
        Ok(())
    }

    fn cut(&self) -> rusqlite::Result<Option<Removed>> {
        let span = "SELECT min(time), max(time) FROM events";
        let span: (Option<i64>, Option<i64>) =
            self.connection.query_row(span, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (Some(first), Some(last)) = span else { return Ok(None) };
        let through = first + (last.abs_diff(first) / CUT).cast_signed();
        let delete = "DELETE FROM events WHERE time <= ?1";
        let events = self.connection.execute(delete, [through])?;
        self.connection.execute("UPDATE tally SET events = events - ?1", [events])?;
        let before = super::timestamp(through.saturating_add(1));
        Ok(Some(Removed { events: events as u64, before }))
    }

    fn insert(&mut self, source: SourceRow, sequence: u64, event: &Event) -> rusqlite::Result<()> {
        let process = event.process;
        self.added += self.connection.prepare_cached(INSERT)?.execute((
            super::moment(event.time),
            source,
            sequence.cast_signed(),
            event.kind.name(),
            process.key.pid,
            process.key.start_time.cast_signed(),
            process.generation,
            event.container.as_ref().map(|id| ContainerKey::from(&*id.0)),
            encode_kind(event),
        ))?;
        Ok(())
    }
}

/// The days that have a file, the oldest first.
fn days(directory: &Path) -> Result<Vec<Day>, StoreError> {
    let entries =
        std::fs::read_dir(directory).map_err(|error| StoreError::directory(directory, error))?;
    let mut days: Vec<_> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| Day::of_file(entry.file_name().to_str()?))
        .collect();
    days.sort_unstable();
    Ok(days)
}

/// Reads enough of a file to know whether it is a database.
fn probe(path: &Path) -> Result<(), StoreError> {
    let file = database::open_for_reading(path)?;
    file.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).at(path)
}

fn set_aside(path: &Path, error: &StoreError) -> Result<(), StoreError> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".damaged-{}", Timestamp::now().0 / 1_000_000_000));
    std::fs::rename(path, &aside).map_err(|error| StoreError::directory(path, error))?;
    for log in logs(path) {
        let _ = std::fs::remove_file(log);
    }
    metrics::counter!("defender_store_damaged_files_total").increment(1);
    let kept_as = PathBuf::from(aside);
    tracing::error!(%error, kept_as = %kept_as.display(), "a day of events is damaged and set aside");
    Ok(())
}

fn remove(path: &Path) -> Result<(), StoreError> {
    std::fs::remove_file(path).map_err(|error| StoreError::directory(path, error))?;
    for log in logs(path) {
        let _ = std::fs::remove_file(log);
    }
    Ok(())
}

/// The files that SQLite keeps beside a database in WAL mode.
fn logs(path: &Path) -> [PathBuf; 2] {
    ["-wal", "-shm"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    })
}

fn file_bytes(path: &Path) -> u64 {
    let [log, _] = logs(path);
    [path, log.as_path()]
        .iter()
        .filter_map(|path| path.metadata().ok())
        .map(|file| file.len())
        .sum()
}

fn count(file: &Connection, path: &Path) -> Result<u64, StoreError> {
    file.query_row("SELECT events FROM tally", [], |row| row.get(0)).at(path)
}

#[cfg(test)]
mod tests;
