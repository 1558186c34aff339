//! What clusters are, and what should not be so in them.
//!
//! A node's inventory comes from one sensor, in order. A cluster's comes from whichever node the leader runs on, and what
//! an old leader told may come behind what its successor told since: so what was scanned earlier never undoes what was
//! scanned later. What is resolved stays for a time (`store.resolved_findings_seconds`), with when that was noticed.

use super::body::Body;
use super::moment;
use super::publisher::Publisher;
use event_model::{ClusterFacts, Finding, Inventory, InventoryItem, InventoryKind, Timestamp};
use rusqlite::{Connection, OptionalExtension};

/// Takes a change or a part of a snapshot.
pub(crate) fn put(
    state: &Connection,
    publisher: &Publisher,
    inventory: &Inventory,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let scan = Scan { state, cluster: &publisher.cluster, scanned_at: inventory.scanned_at, now };
    if inventory.kind == InventoryKind::Findings && scan.is_outdated()? {
        return Ok(());
    }
    for item in &inventory.changed {
        match item {
            InventoryItem::Finding(finding) => scan.put_finding(item, finding)?,
            InventoryItem::Cluster(facts) => scan.put_facts(item, facts)?,
            // Nothing else is a cluster's.
            _ => {}
        }
    }
    if inventory.kind == InventoryKind::Findings {
        for id in &inventory.removed {
            scan.resolve(id.as_bytes())?;
        }
        if let Some(items) = inventory.snapshot_items {
            scan.end_snapshot(items)?;
        }
    }
    Ok(())
}

struct Scan<'a> {
    state: &'a Connection,
    cluster: &'a str,
    scanned_at: Timestamp,
    now: Timestamp,
}

impl Scan<'_> {
    /// Whether a whole snapshot that is newer has been taken: it told all that there was. One that was scanned in the
    /// future, by a clock that is wrong, must not hold off all that is scanned until then.
    fn is_outdated(&self) -> rusqlite::Result<bool> {
        let newest: Option<i64> = self
            .state
            .prepare_cached(
                "SELECT scanned_at FROM cluster_snapshots WHERE cluster = ?1 AND scanned_at <= ?2",
            )?
            .query_row((self.cluster, moment(self.now)), |row| row.get(0))
            .optional()?;
        Ok(newest.is_some_and(|newest| moment(self.scanned_at) < newest))
    }

    fn put_finding(&self, item: &InventoryItem, finding: &Finding) -> rusqlite::Result<()> {
        let object = &finding.object;
        self.state
            .prepare_cached(
                "INSERT INTO findings (cluster, id, source, policy, severity, kind, namespace, name, object_uid,
                    scanned_at, first_seen, seen, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, ?12)
                 ON CONFLICT DO UPDATE SET severity = ?5, object_uid = ?9, scanned_at = ?10, seen = ?11,
                    resolved_at = NULL, body = ?12
                 WHERE scanned_at <= ?10 OR scanned_at > ?11",
            )?
            .execute(rusqlite::params![
                self.cluster,
                item.id().as_bytes(),
                finding.source.name(),
                finding.policy,
                finding.severity as i64,
                object.kind,
                object.namespace,
                object.name,
                object.uid,
                moment(self.scanned_at),
                moment(self.now),
                item.encode(),
            ])?;
        Ok(())
    }

    fn put_facts(&self, item: &InventoryItem, _: &ClusterFacts) -> rusqlite::Result<()> {
        self.state
            .prepare_cached(
                "INSERT INTO clusters (cluster, scanned_at, first_seen, seen, body) VALUES (?1, ?2, ?3, ?3, ?4)
                 ON CONFLICT DO UPDATE SET scanned_at = ?2, seen = ?3, body = ?4
                 WHERE scanned_at <= ?2 OR scanned_at > ?3",
            )?
            .execute((self.cluster, moment(self.scanned_at), moment(self.now), item.encode()))?;
        Ok(())
    }

    fn resolve(&self, id: &[u8; 16]) -> rusqlite::Result<()> {
        self.state
            .prepare_cached(
                "UPDATE findings SET resolved_at = ?3, scanned_at = ?3 WHERE cluster = ?1 AND id = ?2
                    AND resolved_at IS NULL AND (scanned_at <= ?3 OR scanned_at > ?4)",
            )?
            .execute((self.cluster, id, moment(self.scanned_at), moment(self.now)))?;
        Ok(())
    }

    /// Parts of a snapshot may be lost on their way: then nothing is known to be resolved. What was told since the
    /// snapshot stays.
    fn end_snapshot(&self, items: u64) -> rusqlite::Result<()> {
        let (scanned_at, now) = (moment(self.scanned_at), moment(self.now));
        let arrived: i64 = self
            .state
            .prepare_cached("SELECT count(*) FROM findings WHERE cluster = ?1 AND scanned_at = ?2 AND resolved_at IS NULL")?
            .query_row((self.cluster, scanned_at), |row| row.get(0))?;
        if arrived.cast_unsigned() < items {
            return Ok(());
        }
        self.state
            .prepare_cached(
                "UPDATE findings SET resolved_at = ?2, scanned_at = ?2
                 WHERE cluster = ?1 AND resolved_at IS NULL AND scanned_at <> ?2
                    AND (scanned_at < ?2 OR scanned_at > ?3)",
            )?
            .execute((self.cluster, scanned_at, now))?;
        self.state
            .prepare_cached(
                "INSERT OR REPLACE INTO cluster_snapshots (cluster, scanned_at) VALUES (?1, ?2)",
            )?
            .execute((self.cluster, scanned_at))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;
    use event_model::{FindingSeverity, FindingSource, InventorySubject, ObjectReference};

    const LATER: Timestamp = Timestamp(1000);

    fn finding(name: &str) -> InventoryItem {
        InventoryItem::Finding(Box::new(Finding {
            source: FindingSource::Posture,
            policy: "privileged-containers".into(),
            title: "A container is privileged".into(),
            severity: FindingSeverity::High,
            object: ObjectReference { name: name.into(), ..ObjectReference::default() },
            part: String::new(),
            message: String::new(),
            evidence: vec![],
            tags: vec![],
        }))
    }

    /// A snapshot of so many, of which these arrive.
    fn snapshot(scanned_at: u64, names: &[&str], items: usize) -> Inventory {
        Inventory { snapshot_items: Some(items as u64), ..change(scanned_at, names, &[]) }
    }

    fn change(scanned_at: u64, names: &[&str], removed: &[&str]) -> Inventory {
        Inventory {
            subject: InventorySubject::Cluster,
            kind: InventoryKind::Findings,
            scanned_at: Timestamp(scanned_at),
            changed: names.iter().map(|name| finding(name)).collect(),
            removed: removed.iter().map(|name| finding(name).id()).collect(),
            snapshot_items: None,
        }
    }

    fn told(scans: &[Inventory]) -> Vec<(String, Option<i64>)> {
        told_at(scans, LATER)
    }

    /// Names, and when each was resolved.
    fn told_at(scans: &[Inventory], now: Timestamp) -> Vec<(String, Option<i64>)> {
        let (_folder, state) = testing::state();
        for scan in scans {
            put(&state, &testing::publisher(), scan, now).unwrap();
        }
        let mut statement =
            state.prepare("SELECT name, resolved_at FROM findings ORDER BY name").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    fn open(name: &str) -> (String, Option<i64>) {
        (name.to_owned(), None)
    }

    fn resolved(name: &str, at: i64) -> (String, Option<i64>) {
        (name.to_owned(), Some(at))
    }

    #[test]
    fn what_is_resolved_stays_with_when_that_was_noticed() {
        let scans =
            [snapshot(1, &["a", "b", "c"], 3), change(2, &[], &["b"]), snapshot(3, &["a"], 1)];
        assert_eq!(told(&scans), [open("a"), resolved("b", 2), resolved("c", 3)]);
    }

    #[test]
    fn a_late_scan_does_not_undo_a_newer_one() {
        let (newer, late) = (snapshot(5, &["a"], 1), snapshot(2, &["a", "old"], 2));
        assert_eq!(told(&[newer.clone(), late]), [open("a")]);
        let removal = change(6, &[], &["a"]);
        let late = change(4, &["a", "old"], &[]);
        assert_eq!(told(&[newer.clone(), removal, late]), [resolved("a", 6)]);
        let late_removal = change(4, &[], &["a"]);
        assert_eq!(told(&[newer, late_removal]), [open("a")]);
    }

    #[test]
    fn a_snapshot_of_which_a_part_was_lost_resolves_nothing() {
        let scans = [snapshot(1, &["a", "b"], 2), snapshot(2, &["a"], 2)];
        assert_eq!(told(&scans), [open("a"), open("b")]);
    }

    #[test]
    fn what_comes_back_is_open_again() {
        let scans = [snapshot(1, &["a"], 1), change(2, &[], &["a"]), change(3, &["a"], &[])];
        assert_eq!(told(&scans), [open("a")]);
    }

    #[test]
    fn a_scan_of_the_future_does_not_hold_off_those_of_the_present() {
        let scans = [snapshot(5000, &["a"], 1), snapshot(900, &["b"], 1)];
        assert_eq!(told_at(&scans, LATER), [resolved("a", 900), open("b")]);
    }
}
