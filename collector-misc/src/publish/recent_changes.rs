use super::delivered::Delivered;
use super::kind::Kind;
use event_model::{KubernetesObject, Record};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The part of the bound that is kept for what is left of deletions that had to go.
const DELETIONS: u64 = 4;

/// What a standby would have sent and the leader has not yet told delivered: what is to be sent by whoever takes over.
///
/// Bounded: the oldest go first. Of a deletion that goes so much is kept as says who is gone, since of a later snapshot
/// only the census would show it.
///
/// Invariants:
/// - `bytes` is the sum of the sizes of `changes`, `deletion_bytes` of those of `deletions`.
/// - All that was pushed and is neither here nor delivered is covered by `evicted`.
#[derive(Debug)]
pub(super) struct RecentChanges {
    changes: VecDeque<Change>,
    bytes: u64,
    /// Of deletions that were evicted: the uid, and nothing else of the object.
    deletions: VecDeque<Change>,
    deletion_bytes: u64,
    bound: u64,
    /// Up to which version changes of a kind were let go for want of room.
    evicted: BTreeMap<Kind, u64>,
    /// Up to which version deletions of a kind were let go, without even the uid.
    lost_deletions: BTreeMap<Kind, u64>,
    /// Up to which version changes of a kind were forgotten, since a leader told them delivered.
    forgotten: BTreeMap<Kind, u64>,
    /// Kinds of which some changes have no version yet.
    unversioned: BTreeSet<Kind>,
}

#[derive(Debug)]
struct Change {
    kind: Kind,
    /// None where the API server told none: the object was found to be gone.
    version: Option<u64>,
    record: Record,
    bytes: u64,
}

impl RecentChanges {
    /// Holds at most `bound` bytes of memory.
    pub(super) fn new(bound: u64) -> Self {
        Self {
            changes: VecDeque::new(),
            bytes: 0,
            deletions: VecDeque::new(),
            deletion_bytes: 0,
            bound,
            evicted: BTreeMap::new(),
            lost_deletions: BTreeMap::new(),
            forgotten: BTreeMap::new(),
            unversioned: BTreeSet::new(),
        }
    }

    /// Keeps a change; lets the oldest go while over the bound.
    pub(super) fn push(&mut self, kind: Kind, version: Option<u64>, record: Record) {
        if version.is_none() {
            self.unversioned.insert(kind.clone());
        }
        let change = Change::new(kind, version, record);
        self.bytes += change.bytes;
        self.changes.push_back(change);
        while self.bytes > self.bound - self.bound / DELETIONS {
            let Some(oldest) = self.changes.pop_front() else { return };
            self.bytes -= oldest.bytes;
            self.evict(&oldest);
        }
    }

    fn evict(&mut self, change: &Change) {
        let Some(deletion) = change.without_contents() else { return self.give_up(change) };
        self.deletion_bytes += deletion.bytes;
        self.deletions.push_back(deletion);
        while self.deletion_bytes > self.bound / DELETIONS {
            let Some(oldest) = self.deletions.pop_front() else { return };
            self.deletion_bytes -= oldest.bytes;
            self.give_up(&oldest);
            raise(&mut self.lost_deletions, &oldest.kind, oldest.version.unwrap_or(u64::MAX));
        }
    }

    fn give_up(&mut self, change: &Change) {
        // Without a version nothing proves that it was delivered, until its kind is listed anew.
        let version = change.version.unwrap_or(u64::MAX);
        raise(&mut self.evicted, &change.kind, version);
    }

    /// All changes of `kind` up to `version` are here: those that had none of their own are not newer.
    pub(super) fn reached(&mut self, kind: &Kind, version: u64) {
        if !self.unversioned.remove(kind) {
            return;
        }
        let of_kind = self.changes.iter_mut().chain(&mut self.deletions);
        for change in of_kind.filter(|change| change.kind == *kind) {
            change.version.get_or_insert(version);
        }
    }

    /// Lets go of what the leader told delivered.
    pub(super) fn forget(&mut self, delivered: &Delivered) {
        let mut forgotten = std::mem::take(&mut self.forgotten);
        let mut is_new = |change: &Change| match (change.version, delivered.through(&change.kind)) {
            (Some(version), Some(through)) if version <= through => {
                raise(&mut forgotten, &change.kind, version);
                false
            }
            _ => true,
        };
        self.changes.retain(&mut is_new);
        self.deletions.retain(&mut is_new);
        self.forgotten = forgotten;
        self.bytes = self.changes.iter().map(|change| change.bytes).sum();
        self.deletion_bytes = self.deletions.iter().map(|change| change.bytes).sum();
        for (kind, version) in &self.evicted {
            if delivered.through(kind).is_some_and(|through| *version <= through) {
                raise(&mut self.forgotten, kind, *version);
            }
        }
        let is_missing = |kind: &Kind, version: &mut u64| {
            delivered.through(kind).is_none_or(|through| *version > through)
        };
        self.evicted.retain(is_missing);
        self.lost_deletions.retain(is_missing);
    }

    /// The kinds of which some changes are missing here that were not delivered: for want of room, or since the word of
    /// a leader before counts no more.
    pub(super) fn incomplete(&self, delivered: &Delivered) -> BTreeSet<Kind> {
        let is_gone = |kind: &Kind, version| delivered.through(kind).is_none_or(|it| version > it);
        let forgotten = self.forgotten.iter().filter(|(kind, version)| is_gone(kind, **version));
        forgotten.map(|(kind, _)| kind).chain(self.evicted.keys()).cloned().collect()
    }

    /// The kinds of which changes were let go for want of room that nobody told delivered.
    pub(super) fn evicted(&self) -> impl Iterator<Item = &Kind> {
        self.evicted.keys()
    }

    /// The kinds of which deletions were let go that nobody told delivered.
    pub(super) fn lost_deletions(&self) -> impl Iterator<Item = &Kind> {
        self.lost_deletions.keys()
    }

    /// All changes, the oldest first; none are left.
    pub(super) fn take(&mut self) -> Vec<Record> {
        self.bytes = 0;
        self.deletion_bytes = 0;
        self.evicted.clear();
        self.lost_deletions.clear();
        self.forgotten.clear();
        self.unversioned.clear();
        let changes = std::mem::take(&mut self.changes);
        let deletions = std::mem::take(&mut self.deletions);
        deletions.into_iter().chain(changes).map(|change| change.record).collect()
    }

    /// Memory held.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes + self.deletion_bytes
    }
}

fn raise(versions: &mut BTreeMap<Kind, u64>, kind: &Kind, version: u64) {
    let highest = versions.entry(kind.clone()).or_insert(version);
    *highest = version.max(*highest);
}

impl Change {
    fn new(kind: Kind, version: Option<u64>, record: Record) -> Self {
        let bytes = node_link::footprint(&record) + size_of::<Self>() as u64;
        Self { kind, version, record, bytes }
    }

    /// Of a deletion who is gone; None of anything else.
    fn without_contents(&self) -> Option<Self> {
        let Record::KubernetesObject(object) = &self.record else { return None };
        let deletion = object.deleted.then(|| KubernetesObject {
            api_version: object.api_version.clone(),
            kind: object.kind.clone(),
            uid: object.uid.clone(),
            resource_version: object.resource_version.clone(),
            deleted: true,
            ..KubernetesObject::default()
        })?;
        let record = Record::KubernetesObject(Box::new(deletion));
        Some(Self::new(self.kind.clone(), self.version, record))
    }
}

#[cfg(test)]
mod tests {
    use super::{Delivered, Kind, KubernetesObject, RecentChanges, Record};

    const ROOMY: u64 = 1 << 20;

    fn pod(version: u64) -> Record {
        Record::KubernetesObject(Box::new(KubernetesObject {
            kind: "Pod".to_owned(),
            name: "n".repeat(100),
            uid: version.to_string(),
            ..KubernetesObject::default()
        }))
    }

    fn deletion(version: u64) -> Record {
        let Record::KubernetesObject(mut object) = pod(version) else { unreachable!() };
        object.deleted = true;
        Record::KubernetesObject(object)
    }

    fn delivered(kind: &str, through: u64) -> Delivered {
        [(Kind::from(kind), through)].into_iter().collect()
    }

    fn uids(changes: &mut RecentChanges) -> Vec<String> {
        let objects = changes.take().into_iter().map(|record| match record {
            Record::KubernetesObject(object) => object.uid,
            other => panic!("a {}", other.kind()),
        });
        objects.collect()
    }

    fn gaps(changes: &RecentChanges) -> Vec<String> {
        changes.incomplete(&delivered("Pod", 1000)).iter().map(Kind::to_string).collect()
    }

    fn push(changes: &mut RecentChanges, versions: impl IntoIterator<Item = u64>) {
        for version in versions {
            changes.push("Pod".into(), Some(version), pod(version));
        }
    }

    #[test]
    fn what_the_leader_delivered_is_forgotten_kind_by_kind() {
        let mut changes = RecentChanges::new(ROOMY);
        push(&mut changes, [3, 1, 2, 5]);
        changes.push("Node".into(), Some(2), pod(22));
        changes.forget(&delivered("Pod", 2));
        assert_eq!(uids(&mut changes), ["3", "5", "22"]);
        assert_eq!(changes.bytes(), 0);
    }

    #[test]
    fn what_went_for_want_of_room_is_a_gap_until_it_is_delivered() {
        let mut changes = RecentChanges::new(4000);
        push(&mut changes, 1..=100);
        assert!(changes.bytes() <= 4000);
        assert_eq!(gaps(&changes), ["Pod"]);
        changes.forget(&delivered("Node", 100));
        changes.forget(&delivered("Pod", 50));
        assert_eq!(gaps(&changes), ["Pod"]);
        changes.forget(&delivered("Pod", 99));
        assert_eq!(gaps(&changes), [""; 0]);
        assert_eq!(uids(&mut changes), ["100"]);
    }

    #[test]
    fn a_deletion_that_goes_leaves_its_uid() {
        let mut changes = RecentChanges::new(8000);
        changes.push("Pod".into(), Some(1), deletion(1));
        push(&mut changes, 2..=100);
        changes.forget(&delivered("Node", 100));
        let records = changes.take();
        let Record::KubernetesObject(first) = &records[0] else { panic!("{:?}", records[0]) };
        assert_eq!((first.uid.as_str(), first.name.as_str(), first.deleted), ("1", "", true));
    }

    #[test]
    fn deletions_are_bounded_too() {
        let mut changes = RecentChanges::new(8000);
        for version in 1..=200 {
            changes.push("Pod".into(), Some(version), deletion(version));
        }
        assert!(changes.bytes() <= 8000, "{}", changes.bytes());
        assert_eq!(gaps(&changes), ["Pod"]);
        assert_eq!(changes.lost_deletions().collect::<Vec<_>>(), [&Kind::from("Pod")]);
    }

    #[test]
    fn what_was_forgotten_on_a_word_that_counts_no_more_is_missing() {
        let mut changes = RecentChanges::new(ROOMY);
        push(&mut changes, 1..=9);
        changes.forget(&delivered("Pod", 9));
        assert!(changes.incomplete(&delivered("Pod", 9)).is_empty());
        assert!(changes.incomplete(&Delivered::default()).contains(&"Pod".into()));
    }

    #[test]
    fn what_has_no_version_is_as_new_as_the_next_that_its_kind_reaches() {
        let mut changes = RecentChanges::new(ROOMY);
        changes.push("Pod".into(), None, deletion(1));
        changes.forget(&delivered("Pod", 100));
        changes.reached(&"Node".into(), 40);
        changes.reached(&"Pod".into(), 50);
        changes.forget(&delivered("Pod", 49));
        assert!(changes.bytes() > 0, "it was forgotten though it may not be delivered");
        changes.forget(&delivered("Pod", 50));
        assert_eq!(changes.bytes(), 0);
    }
}
