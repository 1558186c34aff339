//! The sensors: what each says of itself, how far its streams are held, what was lost.

use super::alert_query::{QueryError, length, optional_body};
use super::body::Body;
use super::held_alerts::{self, HeldRecord};
use super::page::{Page, PageBuilder};
use super::publisher::Publisher;
use super::sources::{self, SourceRow};
use super::timestamp;
use event_model::{Host, SensorStatus, Timestamp};
use rusqlite::{Connection, Row};
use uuid::Uuid;

/// Sensors that were silent for longer are not listed: their node is gone.
const LISTED_FOR_NANOSECONDS: u64 = 7 * 86_400_000_000_000;

/// Takes note of what a source says of itself.
pub(crate) fn put_status(
    state: &Connection,
    source: SourceRow,
    status: &SensorStatus,
) -> rusqlite::Result<()> {
    sources::describe(state, source, &status.description)?;
    state
        .prepare_cached("UPDATE sources SET status = ?2 WHERE id = ?1")?
        .execute((source, status.encode()))?;
    Ok(())
}

/// Which sensors to list. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SensorFilter {
    /// Of this cluster.
    pub cluster: Option<String>,
    /// On this node.
    pub node: Option<String>,
    /// Of this component, such as `collector-ds`.
    pub component: Option<String>,
}

/// A sensor's place in the list: by cluster, node and component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensorCursor {
    /// The cluster.
    pub cluster: String,
    /// The node.
    pub node: String,
    /// The component; empty where it is not known.
    pub component: String,
}

/// A program on a node, by its newest run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensorRecord {
    /// Who brings its records.
    pub publisher: Publisher,
    /// The program. None: it has not said yet.
    pub component: Option<String>,
    /// The program's version.
    pub version: Option<String>,
    /// The newest run.
    pub source: Uuid,
    /// When this run was first heard of.
    pub first_seen: Timestamp,
    /// When this run was last heard of.
    pub last_seen: Timestamp,
    /// How many runs the store remembers.
    pub runs: u32,
    /// What it said of itself last.
    pub status: Option<SensorStatus>,
    /// The host it runs on.
    pub host: Option<Host>,
    /// How far its streams are held.
    pub streams: Vec<StreamRecord>,
    /// Sequences of it that never arrived, the newest.
    pub gaps: Vec<GapRecord>,
    /// What was lost, by all runs that the store remembers.
    pub losses: Vec<LossRecord>,
    /// Alerts that its runs counted instead of sending them.
    pub held_alerts: Vec<HeldRecord>,
}

/// How far a lane of a source is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRecord {
    /// The lane.
    pub lane: String,
    /// Everything up to this sequence is held, or known to be missing.
    pub position: u64,
    /// Records stored.
    pub records: u64,
    /// Records that came again and were not stored again.
    pub repeated: u64,
    /// Times that sequences were missing.
    pub gaps: u64,
    /// Sequences that never arrived.
    pub missing: u64,
}

/// Sequences that never arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapRecord {
    /// The lane.
    pub lane: String,
    /// The first.
    pub first_missing: u64,
    /// The last.
    pub last_missing: u64,
    /// When what follows arrived.
    pub noticed_at: Timestamp,
}

/// Records that were seen and lost on their way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LossRecord {
    /// The lane.
    pub lane: String,
    /// What kind of record.
    pub kind: String,
    /// Why.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// When the first was lost.
    pub since: Timestamp,
    /// When the last was lost.
    pub until: Timestamp,
}

/// Sensors that match, from the one after `after`.
pub(crate) fn page(
    state: &Connection,
    filter: &SensorFilter,
    after: Option<&SensorCursor>,
    limit: usize,
    now: Timestamp,
) -> Result<Page<SensorRecord, SensorCursor>, QueryError> {
    let page = PageBuilder::new(limit);
    // The newest run of a program has the greatest id: ids are UUIDs of version 7.
    let mut statement = state.prepare_cached(
        "SELECT s.id, s.cluster, s.node, coalesce(s.component, ''), s.version, s.uuid,
                s.first_seen, s.last_seen, s.status, s.boot_id, count(*), max(s.uuid)
         FROM sources s
         WHERE (?1 IS NULL OR s.cluster = ?1) AND (?2 IS NULL OR s.node = ?2)
            AND (?3 IS NULL OR s.component = ?3) AND s.last_seen >= ?4
         GROUP BY s.cluster, s.node, coalesce(s.component, '')
         HAVING ?5 IS NULL OR (s.cluster, s.node, coalesce(s.component, '')) > (?5, ?6, ?7)
         ORDER BY s.cluster, s.node, coalesce(s.component, '')
         LIMIT ?8",
    )?;
    let oldest = Timestamp(now.0.saturating_sub(LISTED_FOR_NANOSECONDS));
    let rows = statement.query((
        &filter.cluster,
        &filter.node,
        &filter.component,
        super::moment(oldest),
        after.map(|after| &after.cluster),
        after.map(|after| &after.node),
        after.map(|after| &after.component),
        page.rows_wanted(),
    ))?;
    page.fill(rows, read_place, |row| Ok((read_row(state, row)?, length(row, 8)?)))
}

fn read_place(row: &Row<'_>) -> rusqlite::Result<SensorCursor> {
    Ok(SensorCursor { cluster: row.get(1)?, node: row.get(2)?, component: row.get(3)? })
}

fn read_row(state: &Connection, row: &Row<'_>) -> Result<SensorRecord, QueryError> {
    let id: SourceRow = row.get(0)?;
    let publisher = Publisher { cluster: row.get(1)?, node: row.get(2)? };
    let component: String = row.get(3)?;
    Ok(SensorRecord {
        version: row.get(4)?,
        source: Uuid::from_slice(&row.get::<_, Vec<u8>>(5)?).unwrap_or_default(),
        first_seen: timestamp(row.get(6)?),
        last_seen: timestamp(row.get(7)?),
        status: optional_body(row, 8)?,
        host: host(state, &publisher, row.get(9)?)?,
        runs: row.get(10)?,
        streams: streams(state, id)?,
        gaps: gaps(state, &publisher, &component)?,
        losses: losses(state, &publisher, &component)?,
        held_alerts: held_alerts::of_component(state, &publisher, &component)?,
        component: Some(component).filter(|component| !component.is_empty()),
        publisher,
    })
}

fn host(
    state: &Connection,
    publisher: &Publisher,
    boot_id: Option<Vec<u8>>,
) -> Result<Option<Host>, QueryError> {
    let mut statement = state.prepare_cached(
        "SELECT body FROM hosts WHERE cluster = ?1 AND node = ?2
         ORDER BY boot_id = ?3 DESC, seen DESC LIMIT 1",
    )?;
    let mut rows = statement.query((&publisher.cluster, &publisher.node, boot_id))?;
    rows.next()?.map_or(Ok(None), |row| optional_body(row, 0))
}

fn streams(state: &Connection, source: SourceRow) -> rusqlite::Result<Vec<StreamRecord>> {
    let mut statement = state.prepare_cached(
        "SELECT lane, position, records, repeated, gaps, missing FROM positions
         WHERE source = ?1 ORDER BY lane",
    )?;
    let rows = statement.query_map([source], |row| {
        Ok(StreamRecord {
            lane: row.get(0)?,
            position: unsigned(row, 1)?,
            records: unsigned(row, 2)?,
            repeated: unsigned(row, 3)?,
            gaps: unsigned(row, 4)?,
            missing: unsigned(row, 5)?,
        })
    })?;
    rows.collect()
}

/// Gaps that are listed with a sensor; the rest is in the counts.
const GAPS_LISTED: u32 = 20;
/// Losses that are listed with a sensor, the newest: more kinds than any sensor of ours has.
const LOSSES_LISTED: u32 = 200;

fn gaps(
    state: &Connection,
    publisher: &Publisher,
    component: &str,
) -> rusqlite::Result<Vec<GapRecord>> {
    let mut statement = state.prepare_cached(
        "SELECT g.lane, g.first_missing, g.last_missing, g.noticed_at
         FROM sources s JOIN sequence_gaps g ON g.source = s.id
         WHERE s.cluster = ?1 AND s.node = ?2 AND coalesce(s.component, '') = ?3
         ORDER BY g.noticed_at DESC LIMIT ?4",
    )?;
    let key = (&publisher.cluster, &publisher.node, component, GAPS_LISTED);
    let rows = statement.query_map(key, |row| {
        Ok(GapRecord {
            lane: row.get(0)?,
            first_missing: unsigned(row, 1)?,
            last_missing: unsigned(row, 2)?,
            noticed_at: timestamp(row.get(3)?),
        })
    })?;
    rows.collect()
}

fn losses(
    state: &Connection,
    publisher: &Publisher,
    component: &str,
) -> rusqlite::Result<Vec<LossRecord>> {
    let mut statement = state.prepare_cached(
        "SELECT l.lane, l.kind, l.reason, total(l.count), min(l.since), max(l.until)
         FROM sources s JOIN losses l ON l.source = s.id
         WHERE s.cluster = ?1 AND s.node = ?2 AND coalesce(s.component, '') = ?3
         GROUP BY l.lane, l.kind, l.reason ORDER BY max(l.until) DESC, l.lane, l.kind, l.reason
         LIMIT ?4",
    )?;
    let key = (&publisher.cluster, &publisher.node, component, LOSSES_LISTED);
    let rows = statement.query_map(key, |row| {
        Ok(LossRecord {
            lane: row.get(0)?,
            kind: row.get(1)?,
            reason: row.get(2)?,
            count: whole(row.get(3)?),
            since: timestamp(row.get(4)?),
            until: timestamp(row.get(5)?),
        })
    })?;
    rows.collect()
}

/// `total()` adds in floating point, so that it never overflows.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn whole(sum: f64) -> u64 {
    sum as u64
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

/// What retention took away, by kind.
pub(crate) fn removed(state: &Connection) -> rusqlite::Result<Vec<(String, u64, Timestamp)>> {
    let mut statement =
        state.prepare_cached("SELECT kind, count, last_removed_at FROM removed ORDER BY kind")?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, unsigned(row, 1)?, timestamp(row.get(2)?))))?;
    rows.collect()
}
