use super::days;
use crate::store::body::decode_kind;
use crate::store::conditions::Conditions;
use crate::store::container_key::ContainerKey;
use crate::store::database;
use crate::store::day::Day;
use crate::store::error::{At, StoreError};
use crate::store::event_store::{EventCursor, EventFilter, EventReader, StoredEvent};
use crate::store::sources::SourceRow;
use crate::store::{moment, timestamp};
use event_model::{Event, ProcessKey, ProcessRef};
use rusqlite::types::Value;
use rusqlite::{Connection, Row};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Reads the files of a folder, the newest first.
pub(super) struct DayFilesReader {
    pub(super) directory: PathBuf,
    pub(super) state: PathBuf,
}

impl EventReader for DayFilesReader {
    fn page(
        &self,
        filter: &EventFilter,
        after: Option<&EventCursor>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let begin = after.map(|cursor| Day::from_number(cursor.day));
        let mut events = Vec::new();
        for day in days(&self.directory)?.into_iter().rev() {
            if begin.is_some_and(|begin| day > begin) || !day.overlaps(filter.since, filter.until) {
                continue;
            }
            let after = after.filter(|_| begin == Some(day));
            self.read_day(day, filter, after, limit, deadline, &mut events)?;
            if events.len() >= limit {
                break;
            }
        }
        Ok(events)
    }
}

impl DayFilesReader {
    fn read_day(
        &self,
        day: Day,
        filter: &EventFilter,
        after: Option<&EventCursor>,
        limit: usize,
        deadline: Instant,
        events: &mut Vec<StoredEvent>,
    ) -> Result<(), StoreError> {
        let path = day.path(&self.directory);
        let mut file = match database::open_for_reading(&path) {
            Ok(file) => file,
            // Retention took it since the folder was listed.
            Err(_) if !path.exists() => return Ok(()),
            Err(error) => return Err(error),
        };
        database::bound(&mut file, deadline).at(&path)?;
        if !has_table(&file).at(&path)? {
            return Ok(());
        }
        attach(&file, &self.state)?;
        let conditions = conditions(filter, after);
        let rest = i64::try_from(limit - events.len()).unwrap_or(i64::MAX);
        let sql = format!(
            "SELECT time, source, sequence, pid, start_time, generation, container, detail
             FROM events e {} ORDER BY time DESC, source DESC, sequence DESC LIMIT ?",
            conditions.sql()
        );
        let mut statement = file.prepare(&sql).at(&path)?;
        let values = conditions.values([Value::Integer(rest)]);
        let mut rows = statement.query(rusqlite::params_from_iter(values)).at(&path)?;
        while let Some(row) = rows.next().at(&path)? {
            events.push(read_row(row, day, &path)?);
        }
        Ok(())
    }
}

/// Whether the writer, which has made the file this moment, has made its table too.
fn has_table(file: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'events')";
    file.query_row(sql, [], |row| row.get(0))
}

fn attach(file: &Connection, state: &Path) -> Result<(), StoreError> {
    let name = state.to_string_lossy();
    file.execute("ATTACH ?1 AS state", [name.as_ref()]).at(state)?;
    Ok(())
}

fn conditions(filter: &EventFilter, after: Option<&EventCursor>) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.add_some("e.time >= ?", filter.since.map(moment));
    conditions.add_some("e.time < ?", filter.until.map(moment));
    if let Some(EventCursor { time, source, sequence, .. }) = after {
        let values = [*time, *source, *sequence].map(Value::Integer);
        conditions.add("(e.time, e.source, e.sequence) < (?, ?, ?)", values);
    }
    conditions.add_any_of("e.kind", filter.kinds.iter().map(|kind| Value::Text(kind.clone())));
    conditions.add_some("e.pid = ?", filter.pid);
    let of_source = |column| format!("e.source IN (SELECT id FROM all_sources WHERE {column} = ?)");
    conditions.add_some(&of_source("cluster"), filter.cluster.clone());
    conditions.add_some(&of_source("node"), filter.node.clone());
    add_container(&mut conditions, filter.container.as_deref());
    conditions.add_some(&in_pod("coalesce(c.namespace, k.namespace)"), filter.namespace.clone());
    conditions.add_some(&in_pod("coalesce(c.pod, k.name)"), filter.pod.clone());
    add_executable(&mut conditions, filter.executable.as_deref());
    conditions
}

fn add_container(conditions: &mut Conditions, container: Option<&str>) {
    let Some(container) = container else { return };
    let named = "e.container IN (SELECT id FROM containers WHERE name = ?)";
    let name = Value::Text(container.to_owned());
    match ContainerKey::range(container) {
        Some((first, last)) => conditions.add(
            &format!("e.container BETWEEN ? AND ? OR {named}"),
            [Value::Blob(first.into()), Value::Blob(last.into()), name],
        ),
        None => conditions.add(&format!("e.container = ? OR {named}"), [name.clone(), name]),
    }
}

fn in_pod(column: &str) -> String {
    format!(
        "e.container IN (
            SELECT c.id FROM containers c
            LEFT JOIN pod_containers pc ON pc.cluster = c.cluster AND pc.container = c.id
            LEFT JOIN kubernetes_objects k
                ON k.cluster = c.cluster AND k.uid = coalesce(c.pod_uid, pc.pod_uid)
            WHERE {column} = ?)"
    )
}

/// A path must be the executable's; a name, its last part.
fn add_executable(conditions: &mut Conditions, executable: Option<&str>) {
    let Some(executable) = executable else { return };
    let process = "SELECT 1 FROM processes p WHERE p.source = e.source AND p.pid = e.pid
        AND p.start_time = e.start_time AND p.generation = e.generation";
    if executable.starts_with('/') {
        let sql = format!("EXISTS ({process} AND p.executable = ?)");
        conditions.add(&sql, [Value::Text(executable.to_owned())]);
    } else {
        let sql = format!(
            "EXISTS ({process} AND (p.executable = ? OR substr(p.executable, -length(?)) = ?))"
        );
        let ending = format!("/{executable}");
        let values = [executable, &ending, &ending].map(|text| Value::Text(text.to_owned()));
        conditions.add(&sql, values);
    }
}

fn read_row(row: &Row<'_>, day: Day, path: &Path) -> Result<StoredEvent, StoreError> {
    let time: i64 = row.get(0).at(path)?;
    let source: SourceRow = row.get(1).at(path)?;
    let sequence: i64 = row.get(2).at(path)?;
    let key = ProcessKey {
        pid: row.get(3).at(path)?,
        start_time: row.get::<_, i64>(4).at(path)?.cast_unsigned(),
    };
    let container: Option<ContainerKey> = row.get(6).at(path)?;
    let detail = row.get_ref(7).at(path)?.as_blob().map_err(rusqlite::Error::from).at(path)?;
    let event = Event {
        time: timestamp(time),
        process: ProcessRef { key, generation: row.get(5).at(path)? },
        container: container.map(|key| key.id().as_str().into()),
        kind: decode_kind(detail)?,
    };
    let cursor = EventCursor { day: day.to_number(), time, source: source.0, sequence };
    Ok(StoredEvent { source, sequence: sequence.cast_unsigned(), event, cursor })
}
