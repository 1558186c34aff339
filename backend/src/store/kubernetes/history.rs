use super::content::{compress, decompress, is_same};
use super::difference::Difference;
use super::present::{Place, Present};
use super::version::{DELETION, UNKNOWN, number, pack, unpack};
use crate::store::moment;
use event_model::{KubernetesObject, Timestamp};
use rusqlite::{OptionalExtension, Row};

/// Versions of one content that are remembered one by one. Of more, those in the middle are forgotten; they are asked for
/// only where a state comes late that lies between them.
pub(super) const MOST_SAME: usize = 64;

/// The log of one object.
pub(super) struct History<'a> {
    pub(super) place: &'a Place<'a>,
    pub(super) now: Timestamp,
}

/// A content in the log.
struct Entry {
    number: i64,
    version: i64,
    /// Further versions of the same content, in their order.
    same: Vec<i64>,
    /// None: that of the present state.
    content: Option<Vec<u8>>,
}

/// What a new row says.
struct New<'a> {
    version: i64,
    resource_version: &'a str,
    same: &'a [i64],
    observed_at: i64,
    content: Option<Vec<u8>>,
}

const COLUMNS: &str = "number, version, same, content";

impl History<'_> {
    /// The first state of an object of which nothing was known.
    pub(super) fn begin(&self, object: &KubernetesObject, version: i64) -> rusqlite::Result<()> {
        self.write(object, None, &self.entry(object, version, None))
    }

    /// A state behind all others.
    pub(super) fn append(
        &self,
        object: &KubernetesObject,
        version: i64,
        present: &Present,
    ) -> rusqlite::Result<()> {
        if present.version == UNKNOWN {
            return self.begin(object, version);
        }
        let last = self.below(DELETION)?;
        if is_same(&present.object, object) {
            let Some(mut last) = last else { return Ok(()) };
            last.same.push(version);
            return self.keep_same(&mut last);
        }
        if let Some(last) = last.filter(|last| last.content.is_none()) {
            self.set_content(last.number, &present.object)?;
        }
        self.write(object, Some(&present.object), &self.entry(object, version, None))
    }

    /// A state that comes late: behind the present one.
    pub(super) fn insert(
        &self,
        object: &KubernetesObject,
        version: i64,
        present: &Present,
    ) -> rusqlite::Result<()> {
        let lower = self.below(version.saturating_add(1))?;
        let higher = self.above(version)?;
        let Some(mut lower) = lower else {
            return self.insert_between(object, version, None, higher, present);
        };
        if lower.version == version || lower.same.contains(&version) {
            return Ok(());
        }
        let before = content(&lower, present);
        if is_same(&before, object) {
            lower.same.push(version);
            return self.keep_same(&mut lower);
        }
        let split = lower.same.partition_point(|same| *same < version);
        if split == lower.same.len() {
            return self.insert_between(object, version, Some(&before), higher, present);
        }
        self.split(&mut lower, split, &before)?;
        self.write(object, Some(&before), &self.entry(object, version, Some(compress(object))))?;
        let after = self.above(version)?;
        after.map_or(Ok(()), |after| self.differ(after.number, object, &before))
    }

    /// A content between two that are other, or the same as the one above: that gives way.
    fn insert_between(
        &self,
        object: &KubernetesObject,
        version: i64,
        before: Option<&KubernetesObject>,
        higher: Option<Entry>,
        present: &Present,
    ) -> rusqlite::Result<()> {
        let Some(mut higher) = higher else {
            // Retention took what it would stand before.
            return if is_same(&present.object, object) {
                Ok(())
            } else {
                self.write(object, before, &self.entry(object, version, Some(compress(object))))
            };
        };
        let after = content(&higher, present);
        if is_same(&after, object) {
            higher.same.insert(0, higher.version);
            self.place
                .state
                .prepare_cached("UPDATE kubernetes_changes SET version = ?2, resource_version = ?3 WHERE number = ?1")?
                .execute((higher.number, version, &object.resource_version))?;
            return self.keep_same(&mut higher);
        }
        self.write(object, before, &self.entry(object, version, Some(compress(object))))?;
        self.differ(higher.number, object, &after)
    }

    /// Makes two entries of one, between which another content lies. Neither says yet in what the upper one differs.
    fn split(
        &self,
        lower: &mut Entry,
        at: usize,
        before: &KubernetesObject,
    ) -> rusqlite::Result<()> {
        let upper = lower.same.split_off(at);
        self.keep_same(lower)?;
        let content = lower.content.clone();
        if content.is_none() {
            self.set_content(lower.number, before)?;
        }
        let resource_version = upper[0].to_string();
        let new = New {
            version: upper[0],
            resource_version: &resource_version,
            same: &upper[1..],
            observed_at: moment(self.now),
            content,
        };
        self.write(before, Some(before), &new)
    }

    /// The object is gone. A deletion that was seen tells a version; one that was only noticed does not.
    pub(super) fn end(
        &self,
        object: &KubernetesObject,
        named: &KubernetesObject,
    ) -> rusqlite::Result<()> {
        let Place { state, cluster, uid } = self.place;
        let known: Option<String> = state
            .prepare_cached(
                "SELECT resource_version FROM kubernetes_changes WHERE cluster = ?1 AND uid = ?2 AND version = ?3",
            )?
            .query_row((cluster, uid, DELETION), |row| row.get(0))
            .optional()?;
        let rank = |text: &str| (number(text), text.to_owned());
        match known {
            None => {
                let new = New {
                    version: DELETION,
                    resource_version: &object.resource_version,
                    same: &[],
                    observed_at: moment(self.now),
                    content: None,
                };
                self.write(named, None, &new)
            }
            Some(known) => {
                let greater = if rank(&known) < rank(&object.resource_version) {
                    &object.resource_version
                } else {
                    &known
                };
                state
                    .prepare_cached(
                        "UPDATE kubernetes_changes SET resource_version = ?4 WHERE cluster = ?1 AND uid = ?2 AND version = ?3",
                    )?
                    .execute((cluster, uid, DELETION, greater))?;
                self.name_deletion(named)
            }
        }
    }

    /// Says of a deletion that came first what it is that is gone.
    pub(super) fn name_deletion(&self, object: &KubernetesObject) -> rusqlite::Result<()> {
        let Place { state, cluster, uid } = self.place;
        state
            .prepare_cached(
                "UPDATE kubernetes_changes SET kind = ?4, namespace = ?5, name = ?6
                 WHERE cluster = ?1 AND uid = ?2 AND version = ?3",
            )?
            .execute((cluster, uid, DELETION, &object.kind, &object.namespace, &object.name))?;
        Ok(())
    }

    fn entry<'o>(
        &self,
        object: &'o KubernetesObject,
        version: i64,
        content: Option<Vec<u8>>,
    ) -> New<'o> {
        New {
            version,
            resource_version: &object.resource_version,
            same: &[],
            observed_at: moment(self.now),
            content,
        }
    }

    fn write(
        &self,
        object: &KubernetesObject,
        before: Option<&KubernetesObject>,
        new: &New<'_>,
    ) -> rusqlite::Result<()> {
        let (change, parts) = match (new.version, before) {
            (DELETION, _) => ("deleted", String::new()),
            (_, None) => ("added", String::new()),
            (_, Some(before)) => ("modified", parts(before, object)),
        };
        self.place
            .state
            .prepare_cached(
                "INSERT INTO kubernetes_changes (cluster, uid, version, resource_version, same, change, kind,
                    namespace, name, observed_at, parts, content)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute(rusqlite::params![
                self.place.cluster,
                self.place.uid,
                new.version,
                new.resource_version,
                pack(new.same),
                change,
                object.kind,
                object.namespace,
                object.name,
                new.observed_at,
                parts,
                new.content,
            ])?;
        Ok(())
    }

    /// Says anew in what an entry differs from the one before it.
    fn differ(
        &self,
        number: i64,
        before: &KubernetesObject,
        after: &KubernetesObject,
    ) -> rusqlite::Result<()> {
        self.place
            .state
            .prepare_cached(
                "UPDATE kubernetes_changes SET change = 'modified', parts = ?2 WHERE number = ?1",
            )?
            .execute((number, parts(before, after)))?;
        Ok(())
    }

    fn keep_same(&self, entry: &mut Entry) -> rusqlite::Result<()> {
        entry.same.sort_unstable();
        while entry.same.len() > MOST_SAME {
            entry.same.remove(entry.same.len() / 2);
        }
        self.place
            .state
            .prepare_cached("UPDATE kubernetes_changes SET same = ?2 WHERE number = ?1")?
            .execute((entry.number, pack(&entry.same)))?;
        Ok(())
    }

    fn set_content(&self, number: i64, object: &KubernetesObject) -> rusqlite::Result<()> {
        self.place
            .state
            .prepare_cached("UPDATE kubernetes_changes SET content = ?2 WHERE number = ?1")?
            .execute((number, compress(object)))?;
        Ok(())
    }

    /// The entry of the greatest version below this one.
    fn below(&self, version: i64) -> rusqlite::Result<Option<Entry>> {
        self.find("version < ?3 ORDER BY version DESC", version)
    }

    /// The entry of the least version above this one; a deletion has no content to compare.
    fn above(&self, version: i64) -> rusqlite::Result<Option<Entry>> {
        let found = self.find("version > ?3 ORDER BY version", version)?;
        Ok(found.filter(|entry| entry.version != DELETION))
    }

    fn find(&self, which: &str, version: i64) -> rusqlite::Result<Option<Entry>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM kubernetes_changes WHERE cluster = ?1 AND uid = ?2 AND {which} LIMIT 1"
        );
        self.place
            .state
            .prepare_cached(&sql)?
            .query_row((self.place.cluster, self.place.uid, version), read_row)
            .optional()
    }
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        number: row.get(0)?,
        version: row.get(1)?,
        same: unpack(row.get_ref(2)?.as_blob()?),
        content: row.get(3)?,
    })
}

/// A content that the disk spoilt differs from all others.
fn content(entry: &Entry, present: &Present) -> KubernetesObject {
    match &entry.content {
        None => present.object.clone(),
        Some(bytes) => decompress(bytes).unwrap_or_default(),
    }
}

fn parts(before: &KubernetesObject, after: &KubernetesObject) -> String {
    serde_json::to_string(&Difference::between(before, after)).unwrap_or_default()
}
