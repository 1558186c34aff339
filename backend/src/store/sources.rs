use super::publisher::Publisher;
use event_model::{SourceDescription, SourceId, Timestamp};
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, ToSql};
use std::collections::HashMap;

/// Sources of one node that are known at a time. A program that restarts each minute needs a week
/// for so many; beyond, a node is broken or hostile.
const MOST_PER_NODE: u32 = 10_000;
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
    /// give it to another source. None where the node has too many.
    pub(crate) fn register(
        &mut self,
        state: &Connection,
        publisher: &Publisher,
        id: SourceId,
        now: Timestamp,
    ) -> rusqlite::Result<Option<SourceRow>> {
        let key = (publisher.clone(), id);
        if let Some(row) = self.known.get(&key) {
            return Ok(Some(*row));
        }
        let Some(row) = find_or_insert(state, publisher, id, now)? else { return Ok(None) };
        if self.known.len() >= MOST_CACHED {
            self.known.clear();
        }
        self.known.insert(key, row);
        Ok(Some(row))
    }

    /// Forgets what memory holds, as when sources were removed.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }
}

/// Why no further source of a publisher is taken.
pub(crate) fn too_many(publisher: &Publisher) -> String {
    format!("{publisher} has {MOST_PER_NODE} sources already: a program there restarts without end")
}

fn find_or_insert(
    state: &Connection,
    Publisher { cluster, node }: &Publisher,
    id: SourceId,
    now: Timestamp,
) -> rusqlite::Result<Option<SourceRow>> {
    let found = state
        .prepare_cached("SELECT id FROM sources WHERE cluster = ?1 AND node = ?2 AND uuid = ?3")?
        .query_row((cluster, node, id.0.as_bytes()), |row| row.get(0))
        .optional()?;
    if found.is_some() {
        return Ok(found);
    }
    let count: u32 = state
        .prepare_cached("SELECT count(*) FROM sources WHERE cluster = ?1 AND node = ?2")?
        .query_row((cluster, node), |row| row.get(0))?;
    if count >= MOST_PER_NODE {
        return Ok(None);
    }
    state
        .prepare_cached(
            "INSERT INTO sources (cluster, node, uuid, first_seen, last_seen)
             VALUES (?1, ?2, ?3, ?4, ?4)",
        )?
        .execute((cluster, node, id.0.as_bytes(), super::moment(now)))?;
    Ok(Some(SourceRow(state.last_insert_rowid())))
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
            let row = sources.register(&state, &publisher, id, Timestamp::now()).unwrap().unwrap();
            sources.forget();
            row
        };
        let (first, second) = (number("a"), number("b"));
        assert_ne!(first, second);
        assert_eq!(number("a"), first, "the database knows it");
    }
}
