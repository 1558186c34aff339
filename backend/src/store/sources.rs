use super::publisher::Publisher;
use super::retention;
use event_model::{SourceDescription, SourceId, Timestamp};
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, ToSql};
use std::collections::HashMap;

/// Sources of one node that are known at a time. A program that restarts each minute needs a week
/// for so many; beyond, a node is broken or hostile, and its oldest make place.
const MOST_PER_NODE: u32 = 10_000;
/// A source that was heard of within ten minutes may be connected: a sensor tells its state each half
/// minute.
const CONNECTED_NANOSECONDS: u64 = 600_000_000_000;
/// Sources that are forgotten at a time where a node has too many.
const MOST_FORGOTTEN: usize = 16;
/// Sources that are forgotten at a time where the state takes too much room.
const MOST_SILENT: u32 = 1000;
/// Sources kept in memory. Beyond, all are asked for again.
const MOST_CACHED: usize = 100_000;

/// A version longer than this is none.
const LONGEST_VERSION: usize = 64;

/// A source's number in this store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SourceRow(pub(crate) i64);

impl ToSql for SourceRow {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for SourceRow {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

/// The numbers of sources.
///
/// A source is keyed by its publisher too: a node that sends under another's
/// source id reaches only a stream of its own.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    known: HashMap<(Publisher, SourceId), SourceRow>,
}

impl Sources {
    /// The number of a source, which is made where it is new: to be called outside a transaction,
    /// so that it is durable before any event is written under the number. A crash between could
    /// give it to another source.
    ///
    /// Where the node has too many, the oldest are forgotten, save those `in_hand`, which the caller
    /// is about to write to. None where all were heard of lately.
    pub(crate) fn register(
        &mut self,
        state: &Connection,
        publisher: &Publisher,
        id: SourceId,
        now: Timestamp,
        in_hand: &[SourceRow],
    ) -> rusqlite::Result<Option<SourceRow>> {
        let key = (publisher.clone(), id);
        if let Some(row) = self.known.get(&key) {
            return Ok(Some(*row));
        }
        let row = match find(state, publisher, id)? {
            Some(row) => row,
            None if self.find_place(state, publisher, now, in_hand)? => {
                insert(state, publisher, id, now)?
            }
            None => return Ok(None),
        };
        if self.known.len() >= MOST_CACHED {
            self.known.clear();
        }
        self.known.insert(key, row);
        Ok(Some(row))
    }

    /// Whether the node may have one more source: where it has too many, the oldest go.
    fn find_place(
        &mut self,
        state: &Connection,
        publisher: &Publisher,
        now: Timestamp,
        in_hand: &[SourceRow],
    ) -> rusqlite::Result<bool> {
        if count(state, publisher)? < MOST_PER_NODE {
            return Ok(true);
        }
        let oldest = oldest(state, publisher, now, in_hand)?;
        self.remove(state, &oldest)?;
        let sources = oldest.len();
        tracing::warn!(%publisher, sources, "a node has too many sources: the oldest were forgotten");
        Ok(sources > 0)
    }

    /// Forgets the sources that were not heard of for the longest time, of whichever node, where the
    /// state takes too much room. False where all were heard of lately.
    pub(crate) fn forget_silent(
        &mut self,
        state: &Connection,
        now: Timestamp,
    ) -> rusqlite::Result<bool> {
        let before = Timestamp(now.0.saturating_sub(CONNECTED_NANOSECONDS));
        let mut statement = state.prepare_cached(
            "SELECT id FROM sources WHERE last_seen < ?1 ORDER BY last_seen LIMIT ?2",
        )?;
        let rows = statement.query_map((super::moment(before), MOST_SILENT), |row| row.get(0))?;
        let silent = rows.collect::<rusqlite::Result<Vec<SourceRow>>>()?;
        self.remove(state, &silent)?;
        Ok(!silent.is_empty())
    }

    fn remove(&mut self, state: &Connection, sources: &[SourceRow]) -> rusqlite::Result<()> {
        remove(state, sources)?;
        self.known.retain(|_, row| !sources.contains(row));
        Ok(())
    }

    /// Forgets what memory holds, as when sources were removed.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }
}

fn find(
    state: &Connection,
    Publisher { cluster, node }: &Publisher,
    id: SourceId,
) -> rusqlite::Result<Option<SourceRow>> {
    state
        .prepare_cached("SELECT id FROM sources WHERE cluster = ?1 AND node = ?2 AND uuid = ?3")?
        .query_row((cluster, node, id.0.as_bytes()), |row| row.get(0))
        .optional()
}

fn count(state: &Connection, Publisher { cluster, node }: &Publisher) -> rusqlite::Result<u32> {
    state
        .prepare_cached("SELECT count(*) FROM sources WHERE cluster = ?1 AND node = ?2")?
        .query_row((cluster, node), |row| row.get(0))
}

fn insert(
    state: &Connection,
    Publisher { cluster, node }: &Publisher,
    id: SourceId,
    now: Timestamp,
) -> rusqlite::Result<SourceRow> {
    state
        .prepare_cached(
            "INSERT INTO sources (cluster, node, uuid, first_seen, last_seen)
             VALUES (?1, ?2, ?3, ?4, ?4)",
        )?
        .execute((cluster, node, id.0.as_bytes(), super::moment(now)))?;
    Ok(SourceRow(state.last_insert_rowid()))
}

/// The sources of a node that were not heard of for the longest time; those with alerts come last.
fn oldest(
    state: &Connection,
    Publisher { cluster, node }: &Publisher,
    now: Timestamp,
    in_hand: &[SourceRow],
) -> rusqlite::Result<Vec<SourceRow>> {
    let before = Timestamp(now.0.saturating_sub(CONNECTED_NANOSECONDS));
    let mut statement = state.prepare_cached(
        "SELECT id FROM sources WHERE cluster = ?1 AND node = ?2 AND last_seen < ?3
         ORDER BY EXISTS (SELECT 1 FROM alerts WHERE alerts.source = sources.id), last_seen
         LIMIT ?4",
    )?;
    let limit = MOST_FORGOTTEN + in_hand.len();
    let rows = statement.query_map(
        (cluster, node, super::moment(before), i64::try_from(limit).unwrap_or(i64::MAX)),
        |row| row.get(0),
    )?;
    let rows = rows.collect::<rusqlite::Result<Vec<SourceRow>>>()?;
    Ok(rows.into_iter().filter(|row| !in_hand.contains(row)).take(MOST_FORGOTTEN).collect())
}

/// Removes sources with how far their streams were held and what they lost. Their alerts, and their
/// events with the processes of these, stay as long as those of others.
fn remove(state: &Connection, sources: &[SourceRow]) -> rusqlite::Result<()> {
    let transaction = state.unchecked_transaction()?;
    for source in sources {
        for table in ["positions", "sequence_gaps", "losses", "held_alerts"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE source = ?1"), [source])?;
        }
        transaction.execute(
            "INSERT INTO former_sources SELECT id, cluster, node, uuid, boot_id, last_seen
             FROM sources WHERE id = ?1",
            [source],
        )?;
        transaction.execute("DELETE FROM sources WHERE id = ?1", [source])?;
    }
    retention::note(&transaction, "source", sources.len() as u64)?;
    transaction.commit()
}

/// Takes note of what a source says it is.
pub(crate) fn describe(
    state: &Connection,
    source: SourceRow,
    description: &SourceDescription,
) -> rusqlite::Result<()> {
    state
        .prepare_cached(
            "UPDATE sources SET component = ?2, version = ?3, boot_id = ?4 WHERE id = ?1",
        )?
        .execute((
            source,
            description.component.name(),
            description.version.chars().take(LONGEST_VERSION).collect::<String>(),
            description.boot_id.as_bytes(),
        ))?;
    Ok(())
}

/// Takes note that a source was heard of.
pub(crate) fn seen(state: &Connection, source: SourceRow, now: Timestamp) -> rusqlite::Result<()> {
    state
        .prepare_cached("UPDATE sources SET last_seen = max(last_seen, ?2) WHERE id = ?1")?
        .execute((source, super::moment(now)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    #[test]
    fn the_same_source_id_from_two_nodes_is_two_sources() {
        let (_folder, state) = testing::state();
        let mut sources = Sources::default();
        let id = SourceId::generate();
        let mut number = |node: &str| {
            let publisher = Publisher { cluster: "c".into(), node: node.into() };
            let row =
                sources.register(&state, &publisher, id, Timestamp::now(), &[]).unwrap().unwrap();
            sources.forget();
            row
        };
        let (first, second) = (number("a"), number("b"));
        assert_ne!(first, second);
        assert_eq!(number("a"), first, "the database knows it");
    }

    #[test]
    fn where_a_node_has_too_many_sources_the_oldest_make_place() {
        let (_folder, state) = testing::state();
        let now = Timestamp::now();
        let publisher = testing::publisher();
        testing::fill_sources(&state, Timestamp(now.0 - 2 * CONNECTED_NANOSECONDS));
        state.execute("INSERT INTO positions VALUES (3, 'entity', 1, 1, 0, 0, 0)", []).unwrap();
        let mut sources = Sources::default();
        let in_hand = [SourceRow(2)];
        let new = sources.register(&state, &publisher, SourceId::generate(), now, &in_hand);
        assert!(new.unwrap().is_some());
        assert!(count(&state, &publisher).unwrap() <= MOST_PER_NODE);
        let left = |sql| state.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(left("SELECT min(id) FROM sources"), 2, "the oldest went, but for that in hand");
        assert_eq!(left("SELECT min(id) FROM sources WHERE id > 2"), 18);
        assert_eq!(left("SELECT count(*) FROM positions"), 0);
    }
}
