//! What is gone though nobody told it: found by censuses, which name all objects of a kind that there are.
//!
//! An object is gone that has a state of a version up to the census's, lies in its range and is not named; nothing that
//! arrives before or after changes that. Those that are here are looked at when a census arrives. For those that come
//! later, such as from a dead leader's spool, the newest census of each place is kept: what an older one found to be
//! gone, a newer one does not name either.
//!
//! Nothing is said of an object whose newest version is no number, which has no place before or after the census; and
//! nothing of one that was made after the census was taken: an API server whose data were restored from a backup counts
//! from a number that it had before.

use super::present::{Place, Present};
use super::version::number;
use crate::store::moment;
use crate::store::publisher::Publisher;
use event_model::{KubernetesCensus, KubernetesObject, Timestamp, group_of, usual_uuid};
use rusqlite::{Connection, OptionalExtension, Row};
use uuid::Uuid;

/// Takes note of a census: what it shows to be gone is deleted.
pub(crate) fn put(
    state: &Connection,
    publisher: &Publisher,
    census: &KubernetesCensus,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let range = Range { behind: census.after, through: census.through.unwrap_or(Uuid::max()) };
    let Some(version) = number(&census.resource_version).filter(|_| !range.is_empty()) else {
        return Ok(());
    };
    let cluster = &*publisher.cluster;
    let counted =
        Counted { range, version, taken_at: moment(census.taken_at), uids: census.uids.clone() };
    let kind = CountedKind { state, cluster, kind: &census.kind, group: &census.group };
    for uid in kind.missing(&counted)? {
        let place = Place { state, cluster, uid: &uid };
        if let Some(present) = place.read()?
            && group_of(&present.object.api_version) == census.group
            && counted.is_before(&present.object)
        {
            find_gone(&place, &present, now)?;
        }
    }
    kind.remember(&counted)
}

/// Looks whether an object that was just told for the first time was found to be gone already.
pub(super) fn look(place: &Place<'_>, now: Timestamp) -> rusqlite::Result<()> {
    let (Some(uid), Some(present)) = (usual_uuid(place.uid), place.read()?) else { return Ok(()) };
    let (state, cluster) = (place.state, place.cluster);
    let object = &present.object;
    let group = group_of(&object.api_version);
    let kind = CountedKind { state, cluster, kind: &object.kind, group };
    let counted = kind.at(uid)?;
    if counted.is_some_and(|counted| counted.is_before(object) && !counted.names(uid)) {
        find_gone(place, &present, now)?;
    }
    Ok(())
}

fn find_gone(place: &Place<'_>, present: &Present, now: Timestamp) -> rusqlite::Result<()> {
    metrics::counter!("defender_kubernetes_objects_found_gone_total").increment(1);
    let uid = place.uid.to_owned();
    let deletion = KubernetesObject { uid, deleted: true, ..KubernetesObject::default() };
    super::put_deletion(place, &deletion, Some(present), now)
}

/// Uids behind the one and up to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    /// None: from the first.
    behind: Option<Uuid>,
    through: Uuid,
}

impl Range {
    fn is_empty(&self) -> bool {
        self.behind >= Some(self.through)
    }

    fn has(&self, uid: Uuid) -> bool {
        self.behind < Some(uid) && uid <= self.through
    }

    /// What is left without another that overlaps it.
    fn without(self, other: Self) -> impl Iterator<Item = Self> {
        let before = other.behind.filter(|_| self.behind < other.behind);
        let before = before.map(|through| Self { behind: self.behind, through });
        let after = (other.through < self.through)
            .then_some(Self { behind: Some(other.through), through: self.through });
        before.into_iter().chain(after)
    }

    fn columns(&self) -> (&[u8], &[u8]) {
        let behind = self.behind.as_ref().map_or(&[][..], |uid| &uid.as_bytes()[..]);
        (behind, self.through.as_bytes())
    }
}

/// A census as it is kept.
#[derive(Clone, Debug, PartialEq)]
struct Counted {
    range: Range,
    version: i64,
    taken_at: i64,
    /// In order.
    uids: Vec<Uuid>,
}

impl Counted {
    /// Whether the census says of this object what became of it, by its newest state.
    fn is_before(&self, object: &KubernetesObject) -> bool {
        let is_counted = number(&object.resource_version).is_some_and(|it| it <= self.version);
        is_counted && object.created_at.is_some_and(|at| moment(at) <= self.taken_at)
    }

    fn names(&self, uid: Uuid) -> bool {
        self.uids.binary_search(&uid).is_ok()
    }

    /// What it says of a part of its range.
    fn part(&self, range: Range) -> Self {
        let uids = self.uids.iter().copied().filter(|uid| range.has(*uid)).collect();
        Self { range, uids, ..*self }
    }
}

/// A kind of object of a cluster.
struct CountedKind<'a> {
    state: &'a Connection,
    cluster: &'a str,
    kind: &'a str,
    group: &'a str,
}

impl CountedKind<'_> {
    /// Objects of the kind's name that are held for living, and are not named. Some may be of another group.
    fn missing(&self, counted: &Counted) -> rusqlite::Result<Vec<String>> {
        let Range { behind, through } = counted.range;
        let behind = behind.map_or_else(String::new, |uid| uid.to_string());
        let mut statement = self.state.prepare_cached(
            "SELECT uid FROM kubernetes_objects INDEXED BY kubernetes_objects_living
             WHERE cluster = ?1 AND kind = ?2 AND deleted_at IS NULL AND uid > ?3 AND uid <= ?4",
        )?;
        let mut rows = statement.query((self.cluster, self.kind, behind, through.to_string()))?;
        let mut missing = Vec::new();
        while let Some(row) = rows.next()? {
            let uid = row.get_ref(0)?.as_str()?;
            if usual_uuid(uid).is_some_and(|uid| !counted.names(uid)) {
                missing.push(uid.to_owned());
            }
        }
        Ok(missing)
    }

    /// The census that is kept of this place.
    fn at(&self, uid: Uuid) -> rusqlite::Result<Option<Counted>> {
        let found = self
            .state
            .prepare_cached(
                "SELECT behind, through, version, taken_at, uids FROM kubernetes_censuses
                 WHERE cluster = ?1 AND kind = ?2 AND api_group = ?3 AND through >= ?4
                 ORDER BY through LIMIT 1",
            )?
            .query_row((self.cluster, self.kind, self.group, uid.as_bytes()), read_row)
            .optional()?;
        Ok(found.filter(|counted| counted.range.has(uid)))
    }

    /// Keeps a census where none is kept that is newer.
    fn remember(&self, new: &Counted) -> rusqlite::Result<()> {
        let mut places = vec![new.range];
        for old in self.overlapping(new.range)? {
            if old.version > new.version {
                places = places.into_iter().flat_map(|place| cut(place, old.range)).collect();
                continue;
            }
            self.remove(old.range)?;
            for left in old.range.without(new.range) {
                self.keep(&old.part(left))?;
            }
        }
        places.into_iter().try_for_each(|place| self.keep(&new.part(place)))
    }

    fn overlapping(&self, range: Range) -> rusqlite::Result<Vec<Counted>> {
        let (behind, through) = range.columns();
        self.state
            .prepare_cached(
                "SELECT behind, through, version, taken_at, uids FROM kubernetes_censuses
                 WHERE cluster = ?1 AND kind = ?2 AND api_group = ?3 AND through > ?4 AND behind < ?5",
            )?
            .query_map((self.cluster, self.kind, self.group, behind, through), read_row)?
            .collect()
    }

    fn remove(&self, range: Range) -> rusqlite::Result<()> {
        self.state
            .prepare_cached(
                "DELETE FROM kubernetes_censuses
                 WHERE cluster = ?1 AND kind = ?2 AND api_group = ?3 AND through = ?4",
            )?
            .execute((self.cluster, self.kind, self.group, range.columns().1))?;
        Ok(())
    }

    fn keep(&self, counted: &Counted) -> rusqlite::Result<()> {
        let (behind, through) = counted.range.columns();
        let uids: Vec<u8> = counted.uids.iter().flat_map(Uuid::as_bytes).copied().collect();
        self.state
            .prepare_cached(
                "INSERT INTO kubernetes_censuses (cluster, kind, api_group, behind, through, version, taken_at, uids)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute((
                self.cluster,
                self.kind,
                self.group,
                behind,
                through,
                counted.version,
                counted.taken_at,
                uids,
            ))?;
        Ok(())
    }
}

/// What is left of a place without another, which need not overlap it.
fn cut(place: Range, other: Range) -> Vec<Range> {
    let overlaps = place.behind < Some(other.through) && other.behind < Some(place.through);
    if overlaps { place.without(other).collect() } else { vec![place] }
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<Counted> {
    let uids = row.get_ref(4)?.as_blob()?.as_chunks().0;
    Ok(Counted {
        range: Range {
            behind: Uuid::from_slice(row.get_ref(0)?.as_blob()?).ok(),
            through: Uuid::from_slice(row.get_ref(1)?.as_blob()?).unwrap_or_default(),
        },
        version: row.get(2)?,
        taken_at: row.get(3)?,
        uids: uids.iter().map(|bytes| Uuid::from_bytes(*bytes)).collect(),
    })
}

#[cfg(test)]
mod tests;
