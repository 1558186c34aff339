use super::alert_query::{QueryError, length, optional_body};
use super::container_key::ContainerKey;
use super::event_store::{EventCursor, StoredEvent};
use super::page::{Page, PageBuilder};
use super::publisher::Publisher;
use super::sources::SourceRow;
use event_model::{Container, Event, KubernetesObject, Process, ProcessRef};
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;
use uuid::Uuid;

/// An event, with what it refers to as far as that is known.
#[derive(Clone, Debug)]
pub struct EventRecord {
    /// Who saw it.
    pub source: Rc<SourceRecord>,
    /// Its sequence in the source's telemetry lane.
    pub sequence: u64,
    /// The event.
    pub event: Event,
    /// The process that acted.
    pub process: Option<Rc<Process>>,
    /// Where it acted.
    pub place: Option<Rc<Place>>,
}

/// A run of a sensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRecord {
    /// Who brought its records.
    pub publisher: Publisher,
    /// The run's id.
    pub id: Uuid,
    /// The boot of the host that it ran in.
    pub boot_id: Option<Uuid>,
}

/// A container, and its pod as Kubernetes tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The newest state of the container.
    pub container: Option<Container>,
    /// Its pod.
    pub pod: Option<KubernetesObject>,
}

/// Joins events with what they refer to; ends the page early where that is very large. More events
/// than `limit` tell that there is a next page.
pub(crate) fn join(
    state: &Connection,
    events: Vec<StoredEvent>,
    limit: usize,
) -> Result<Page<EventRecord, EventCursor>, QueryError> {
    let mut page = PageBuilder::new(limit);
    let mut known = Known::default();
    let is_last = events.len() <= limit;
    for stored in events {
        if !page.has_room() {
            return Ok(page.finish(true));
        }
        let Some(source) = known.source(state, stored.source)? else {
            // Nobody knows whose it is. The next page begins behind it all the same.
            page.skip(stored.cursor);
            continue;
        };
        let (process, process_bytes) = known.process(state, stored.source, stored.event.process)?;
        let (place, place_bytes) = match &stored.event.container {
            Some(id) => known.place(state, &source, ContainerKey::from(&*id.0))?,
            None => (None, 0),
        };
        let record =
            EventRecord { source, sequence: stored.sequence, event: stored.event, process, place };
        page.push(record, stored.cursor, process_bytes + place_bytes);
    }
    Ok(page.finish(!is_last))
}

/// A record, and how many bytes it has in the store.
type Found<T> = (Option<Rc<T>>, usize);

/// What this page referred to before.
#[derive(Default)]
struct Known {
    sources: HashMap<SourceRow, Rc<SourceRecord>>,
    processes: HashMap<(SourceRow, ProcessRef), Found<Process>>,
    places: HashMap<(Publisher, ContainerKey), Found<Place>>,
}

impl Known {
    fn source(
        &mut self,
        state: &Connection,
        row: SourceRow,
    ) -> Result<Option<Rc<SourceRecord>>, QueryError> {
        if let Some(source) = self.sources.get(&row) {
            return Ok(Some(Rc::clone(source)));
        }
        let found = find_source(state, row)?.map(Rc::new);
        if let Some(source) = &found {
            self.sources.insert(row, Rc::clone(source));
        }
        Ok(found)
    }

    fn process(
        &mut self,
        state: &Connection,
        source: SourceRow,
        process: ProcessRef,
    ) -> Result<Found<Process>, QueryError> {
        match self.processes.entry((source, process)) {
            Entry::Occupied(entry) => Ok(entry.get().clone()),
            Entry::Vacant(entry) => {
                let (found, bytes) = find_process(state, source, process)?;
                Ok(entry.insert((found.map(Rc::new), bytes)).clone())
            }
        }
    }

    fn place(
        &mut self,
        state: &Connection,
        source: &SourceRecord,
        container: ContainerKey,
    ) -> Result<Found<Place>, QueryError> {
        match self.places.entry((source.publisher.clone(), container)) {
            Entry::Occupied(entry) => Ok(entry.get().clone()),
            Entry::Vacant(entry) => {
                let (publisher, container) = entry.key();
                let (found, bytes) = find_place(state, publisher, container)?;
                Ok(entry.insert((Some(Rc::new(found)), bytes)).clone())
            }
        }
    }
}

fn find_source(state: &Connection, row: SourceRow) -> rusqlite::Result<Option<SourceRecord>> {
    state
        .prepare_cached("SELECT cluster, node, uuid, boot_id FROM all_sources WHERE id = ?1")?
        .query_row([row], |row| {
            let uuid = |bytes: Vec<u8>| Uuid::from_slice(&bytes).unwrap_or_default();
            Ok(SourceRecord {
                publisher: Publisher { cluster: row.get(0)?, node: row.get(1)? },
                id: uuid(row.get(2)?),
                boot_id: row.get::<_, Option<Vec<u8>>>(3)?.map(uuid),
            })
        })
        .optional()
}

fn find_process(
    state: &Connection,
    source: SourceRow,
    process: ProcessRef,
) -> Result<(Option<Process>, usize), QueryError> {
    let mut statement = state.prepare_cached(
        "SELECT body FROM processes
         WHERE source = ?1 AND pid = ?2 AND start_time = ?3 AND generation = ?4",
    )?;
    let start_time = process.key.start_time.cast_signed();
    let mut rows = statement.query((source, process.key.pid, start_time, process.generation))?;
    let Some(row) = rows.next()? else { return Ok((None, 0)) };
    Ok((optional_body(row, 0)?, length(row, 0)?))
}

fn find_place(
    state: &Connection,
    Publisher { cluster, node }: &Publisher,
    container: &ContainerKey,
) -> Result<(Place, usize), QueryError> {
    let mut statement = state.prepare_cached(
        "SELECT c.body, k.body FROM (SELECT 1)
         LEFT JOIN containers c ON c.cluster = ?1 AND c.node = ?2 AND c.id = ?3
         LEFT JOIN pod_containers pc ON pc.cluster = ?1 AND pc.container = ?3
         LEFT JOIN kubernetes_objects k ON k.cluster = ?1 AND k.kind = 'Pod'
            AND k.uid = coalesce(c.pod_uid, pc.pod_uid)",
    )?;
    let mut rows = statement.query((cluster, node, container))?;
    let Some(row) = rows.next()? else { return Ok((Place { container: None, pod: None }, 0)) };
    let place = Place { container: optional_body(row, 0)?, pod: optional_body(row, 1)? };
    Ok((place, length(row, 0)? + length(row, 1)?))
}
