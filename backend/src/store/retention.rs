//! Keeps the store within its bound: the oldest events go first, with the entities that
//! nothing refers to any more; then, where the state alone is too large, the oldest of it.

use super::database;
use super::error::{At, StoreError};
use super::event_store::Removed;
use super::group::Databases;
use super::moment;
use event_model::Timestamp;
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

/// Rows that one step removes, so that batches do not wait long behind it.
const ROWS_A_STEP: u32 = 20_000;
/// What the state holds beside alerts, in the order in which it goes: kind, table, and what tells its age.
const STATE: [(&str, &str, &str); 10] = [
    ("kubernetes_event", "kubernetes_events", "number"),
    ("audit", "audit_events", "number"),
    ("process", "processes", "seen"),
    ("kubernetes_census", "kubernetes_censuses", "number"),
    ("kubernetes_change", "kubernetes_changes", "number"),
    ("kubernetes_object", "kubernetes_objects", "seen"),
    ("finding", "findings", "seen"),
    ("inventory", "inventory", "seen"),
    ("container", "containers", "seen"),
    ("former_source", "former_sources", "last_seen"),
];
/// Sources that sent nothing for so long are forgotten, once their events have gone.
const FORGOTTEN_AFTER_NANOSECONDS: u64 = 7 * 86_400_000_000_000;

/// For how long what has an end of its own is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    /// Changes of Kubernetes objects, from when they were observed.
    pub(crate) changes: Duration,
    /// Findings, from when they were resolved.
    pub(crate) resolved_findings: Duration,
}

/// The bytes of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) state: u64,
    pub(crate) events: u64,
}

impl Databases {
    /// Measures the store.
    pub(crate) fn sizes(&self, path: &Path) -> Result<Sizes, StoreError> {
        let state = database::used_bytes(&self.state).at(path)?;
        Ok(Sizes { state, events: self.events.bytes()? })
    }

    /// Takes one step towards the bound. False: the store is within it, or nothing can go.
    pub(crate) fn make_room(&mut self, path: &Path, maximum: u64) -> Result<bool, StoreError> {
        if let Some(before) = self.unreferenced_before {
            self.remove_unreferenced(path, before)?;
            return Ok(true);
        }
        let sizes = self.sizes(path)?;
        if sizes.state > maximum / 2 && self.remove_state(path)? {
            return Ok(true);
        }
        if sizes.state + sizes.events <= maximum {
            return Ok(false);
        }
        let Some(removed) = self.events.remove_oldest()? else { return Ok(false) };
        self.note_removal(path, removed)?;
        Ok(true)
    }

    /// Takes one step against what is older than it may be. False: nothing is.
    pub(crate) fn expire(
        &mut self,
        path: &Path,
        retention: Retention,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let before = |age: Duration| {
            let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
            moment(Timestamp(now.0.saturating_sub(age)))
        };
        let changes = remove_changes(&self.state, before(retention.changes)).at(path)?;
        note(&self.state, "kubernetes_change", changes).at(path)?;
        let sql = "DELETE FROM findings WHERE number IN (
            SELECT number FROM findings WHERE resolved_at < ?1 LIMIT ?2)";
        let limit = (before(retention.resolved_findings), ROWS_A_STEP);
        let findings = self.state.execute(sql, limit).at(path)? as u64;
        note(&self.state, "finding", findings).at(path)?;
        Ok(changes + findings > 0)
    }

    fn note_removal(&mut self, path: &Path, removed: Removed) -> Result<(), StoreError> {
        let Removed { events, before } = removed;
        tracing::warn!(events, %before, "store.maximum_bytes is reached: the oldest events were removed");
        note(&self.state, "event", events).at(path)?;
        self.unreferenced_before = Some(before);
        Ok(())
    }

    /// Removes what only removed events referred to, a step at a time.
    fn remove_unreferenced(&mut self, path: &Path, before: Timestamp) -> Result<(), StoreError> {
        let processes = remove_processes(&self.state, before).at(path)?;
        note(&self.state, "process", processes).at(path)?;
        if processes == 0 {
            remove_deleted_objects(&self.state, before).at(path)?;
            forget_sources(&self.state, before).at(path)?;
            self.sources.forget();
            self.positions.forget();
            self.unreferenced_before = None;
        }
        Ok(())
    }

    /// The oldest of the state goes: of each kind all, before of the next any. What a flood of made-up
    /// names fills goes before alerts do.
    fn remove_state(&mut self, path: &Path) -> Result<bool, StoreError> {
        for kind in STATE {
            if self.remove_rows(path, kind)? {
                return Ok(true);
            }
        }
        if self.sources.forget_silent(&self.state, Timestamp::now()).at(path)? {
            return Ok(true);
        }
        self.remove_rows(path, ("alert", "alerts", "number"))
    }

    fn remove_rows(
        &mut self,
        path: &Path,
        (kind, table, age): (&'static str, &str, &str),
    ) -> Result<bool, StoreError> {
        let sql = format!(
            "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} ORDER BY {age} LIMIT ?1)"
        );
        let rows = self.state.execute(&sql, [ROWS_A_STEP]).at(path)? as u64;
        if rows == 0 {
            return Ok(false);
        }
        let half = "the state passes half of store.maximum_bytes: the oldest was removed";
        tracing::warn!(kind, rows, "{half}");
        note(&self.state, kind, rows).at(path)?;
        remove_orphans(&self.state, table).at(path)?;
        Ok(true)
    }
}

/// Removes what stood for rows of this table that were removed.
fn remove_orphans(state: &Connection, table: &str) -> rusqlite::Result<()> {
    let sql = match table {
        "alerts" => {
            "DELETE FROM alert_tags WHERE alert < (
                SELECT coalesce(min(number), 9223372036854775807) FROM alerts)"
        }
        "kubernetes_objects" => {
            "DELETE FROM pod_containers WHERE NOT EXISTS (
                SELECT 1 FROM kubernetes_objects k
                WHERE k.cluster = pod_containers.cluster AND k.uid = pod_containers.pod_uid);
             DELETE FROM kubernetes_images WHERE NOT EXISTS (
                SELECT 1 FROM kubernetes_objects k
                WHERE k.cluster = kubernetes_images.cluster AND k.uid = kubernetes_images.uid)"
        }
        _ => return Ok(()),
    };
    state.execute_batch(sql)
}

/// Removes processes that ended, or whose sensor did, before any event that is left.
pub(super) fn remove_processes(state: &Connection, before: Timestamp) -> rusqlite::Result<u64> {
    let removed = state.execute(
        "DELETE FROM processes WHERE rowid IN (
            SELECT rowid FROM processes WHERE seen < ?1 AND (ended_at < ?1
                OR source IN (SELECT id FROM all_sources WHERE last_seen < ?1))
            ORDER BY seen LIMIT ?2)",
        (moment(before), ROWS_A_STEP),
    )?;
    Ok(removed as u64)
}

/// Removes changes that were observed before; of an object that is gone all go with its deletion.
fn remove_changes(state: &Connection, before: i64) -> rusqlite::Result<u64> {
    let old = "SELECT number FROM kubernetes_changes
        WHERE (content IS NOT NULL OR change = 'deleted') AND observed_at < ?1
        ORDER BY observed_at LIMIT ?2";
    let gone = state.execute(
        &format!(
            "DELETE FROM kubernetes_changes WHERE number IN (
                SELECT last.number FROM kubernetes_changes deletion
                JOIN kubernetes_changes last ON last.uid = deletion.uid AND last.cluster = deletion.cluster
                WHERE deletion.number IN ({old}) AND deletion.change = 'deleted' AND last.change <> 'deleted')"
        ),
        (before, ROWS_A_STEP),
    )?;
    let sql = format!("DELETE FROM kubernetes_changes WHERE number IN ({old})");
    Ok((gone + state.execute(&sql, (before, ROWS_A_STEP))?) as u64)
}

fn remove_deleted_objects(state: &Connection, before: Timestamp) -> rusqlite::Result<()> {
    let before = moment(before);
    state.execute(
        "DELETE FROM pod_containers WHERE (cluster, pod_uid) IN (
            SELECT cluster, uid FROM kubernetes_objects WHERE deleted_at < ?1)",
        [before],
    )?;
    state.execute(
        "DELETE FROM kubernetes_images WHERE (cluster, uid) IN (
            SELECT cluster, uid FROM kubernetes_objects WHERE deleted_at < ?1)",
        [before],
    )?;
    state.execute("DELETE FROM kubernetes_objects WHERE deleted_at < ?1", [before])?;
    Ok(())
}

/// Forgets sources that sent nothing for long, and whose records have gone.
fn forget_sources(state: &Connection, before: Timestamp) -> rusqlite::Result<()> {
    let long_ago = Timestamp::now().0.saturating_sub(FORGOTTEN_AFTER_NANOSECONDS);
    let limit = moment(before.min(Timestamp(long_ago)));
    let old = "SELECT id FROM sources WHERE last_seen < ?1
        AND NOT EXISTS (SELECT 1 FROM alerts WHERE alerts.source = sources.id)
        AND NOT EXISTS (SELECT 1 FROM processes WHERE processes.source = sources.id)";
    for table in ["positions", "sequence_gaps", "losses", "held_alerts"] {
        state.execute(&format!("DELETE FROM {table} WHERE source IN ({old})"), [limit])?;
    }
    state.execute(&format!("DELETE FROM sources WHERE id IN ({old})"), [limit])?;
    state.execute("DELETE FROM former_sources WHERE last_seen < ?1", [moment(before)])?;
    Ok(())
}

/// Retention is loss too: it is counted, and shown with the sensors.
pub(super) fn note(state: &Connection, kind: &'static str, count: u64) -> rusqlite::Result<()> {
    metrics::counter!("defender_store_removed_total", "kind" => kind).increment(count);
    if count == 0 {
        return Ok(());
    }
    state.execute(
        "INSERT INTO removed (kind, count, last_removed_at) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET count = count + ?2, last_removed_at = ?3",
        (kind, count.cast_signed(), moment(Timestamp::now())),
    )?;
    Ok(())
}
