use super::uid_map::UidMap;
use serde::Serialize;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use uuid::Uuid;

/// For each object its uid, a hash of what was sent of it and the number of its state: 32 bytes, where the object
/// itself has kilobytes. Its name is not kept, which would take as much again: the backend has it
/// from before, and keeps it when only the uid is told gone. Pure: it reads and sends nothing.
#[derive(Debug, Default)]
pub(crate) struct Index {
    seen: UidMap<Seen>,
    /// Keyed at random: whoever may create pods cannot make two contents look alike.
    hashes: RandomState,
    /// The number of the list that runs, or ran last.
    list: u16,
    /// Each object that is there and was made up to this version of its kind is here. None where one may be missing.
    complete_through: Option<u64>,
}

/// A part of what the index holds, by uids in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Up to which version of its kind none is missing.
    pub(crate) version: u64,
    pub(crate) uids: Vec<Uuid>,
    /// None are behind these.
    pub(crate) is_last: bool,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// The API server's number of the state.
    version: u64,
    /// The hash in the upper 48 bits, and the number of the last list that named the object.
    hash_and_list: u64,
}

impl Seen {
    fn new(version: u64, hash: u64, list: u16) -> Self {
        Self { version, hash_and_list: hash << 16 | u64::from(list) }
    }

    fn hash(self) -> u64 {
        self.hash_and_list >> 16
    }

    fn list(self) -> u16 {
        (self.hash_and_list & 0xffff) as u16
    }
}

/// What a state of an object is to what was known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct News {
    /// What that which we send tells; None where it is what it was.
    pub(crate) change: Option<Change>,
    /// The API server counts another state than the one before, of which perhaps nothing is sent.
    pub(crate) is_other_state: bool,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Modified,
    Deleted,
}

impl Change {
    /// The value of the `change` label in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
        }
    }
}

impl Index {
    /// Notes a state of an object, by a hash of what is sent of it.
    pub(crate) fn put(&mut self, uid: &str, version: u64, hash: u64) -> News {
        let now = Seen::new(version, hash, self.list);
        let Some(before) = self.seen.insert(uid, now) else {
            return News { change: Some(Change::Added), is_other_state: true };
        };
        let change = (before.hash() != now.hash()).then_some(Change::Modified);
        // A server that numbers nothing tells by the contents alone.
        let is_other_state = before.version != version || change.is_some();
        News { change, is_other_state }
    }

    /// The API server's number of the last state of an object that is known.
    pub(crate) fn version(&self, uid: &str) -> Option<u64> {
        self.seen.get(uid).map(|seen| seen.version)
    }

    /// An object is there, of which nothing more is known; in what state it was, where it is known, stays.
    pub(crate) fn touch(&mut self, uid: &str) {
        let (version, hash) = self.seen.get(uid).map_or((0, 0), |seen| (seen.version, seen.hash()));
        self.seen.insert(uid, Seen::new(version, hash, self.list));
    }

    /// An object is there, and nobody knows which: it may be missing here.
    pub(crate) fn pass_by_unknown(&mut self) {
        self.complete_through = None;
    }

    /// All that was made up to this version of the kind, and is there, is here. To be told of no list that passed by an
    /// object of which nothing is known, nor after it.
    pub(crate) fn complete_through(&mut self, version: u64) {
        self.complete_through = Some(version);
    }

    /// Who is here behind a uid, at most so many. None where some may be missing.
    pub(crate) fn part(&self, after: Option<Uuid>, most: usize) -> Option<Part> {
        let version = self.complete_through?;
        let uids = self.seen.uuids_behind(after, most);
        let is_last = uids.len() < most;
        Some(Part { version, uids, is_last })
    }

    /// Forgets an object. Tells whether it was known.
    pub(crate) fn remove(&mut self, uid: &str) -> bool {
        self.seen.remove(uid).is_some()
    }

    /// A list of all objects begins. Its objects come by [`Self::put`].
    pub(crate) fn begin_list(&mut self) {
        self.list = self.list.wrapping_add(1);
    }

    /// The list is complete. Forgets the objects that it did not name, and returns their uids.
    pub(crate) fn finish_list(&mut self) -> Vec<String> {
        let list = self.list;
        self.seen.take_where(|seen| seen.list() != list)
    }

    /// How many objects are known.
    pub(crate) fn len(&self) -> usize {
        self.seen.len()
    }

    /// Forgets all objects and returns their uids.
    pub(crate) fn drain(&mut self) -> Vec<String> {
        self.complete_through = None;
        self.seen.take_where(|_| true)
    }

    /// Of what is sent of an object.
    pub(crate) fn hash(&self, told: &impl Serialize) -> u64 {
        let mut hash = HashWriter(self.hashes.build_hasher());
        // Neither the writer nor maps with string keys can fail.
        let written = serde_json::to_writer(&mut hash, told);
        debug_assert!(written.is_ok(), "{written:?}");
        hash.0.finish()
    }
}

/// Hashes what is written to it.
struct HashWriter<H>(H);

impl<H: Hasher> io::Write for HashWriter<H> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Index, News};

    fn put(index: &mut Index, uid: &str, node: &str) -> Option<Change> {
        let hash = index.hash(&node);
        index.put(uid, 1, hash).change
    }

    #[test]
    fn an_object_is_new_then_known_then_modified() {
        let mut index = Index::default();
        assert_eq!(put(&mut index, "a", "one"), Some(Change::Added));
        assert_eq!(put(&mut index, "a", "one"), None);
        assert_eq!(put(&mut index, "a", "two"), Some(Change::Modified));
        assert_eq!(put(&mut index, "a", "one"), Some(Change::Modified));
        assert_eq!(index.len(), 1);
    }

    #[test]
    fn a_state_of_which_nothing_is_sent_is_another_all_the_same() {
        let mut index = Index::default();
        index.put("a", 1, 7);
        assert_eq!(index.put("a", 2, 7), News { change: None, is_other_state: true });
        assert_eq!(index.put("a", 2, 7), News { change: None, is_other_state: false });
        assert_eq!((index.version("a"), index.version("b")), (Some(2), None));
    }

    #[test]
    fn what_a_list_does_not_name_is_gone() {
        let mut index = Index::default();
        index.begin_list();
        put(&mut index, "a", "one");
        put(&mut index, "b", "one");
        assert_eq!(index.finish_list(), [""; 0]);
        put(&mut index, "c", "one");
        index.begin_list();
        assert_eq!(put(&mut index, "b", "one"), None);
        let mut gone = index.finish_list();
        gone.sort();
        assert_eq!(gone, ["a", "c"]);
        assert_eq!(put(&mut index, "a", "one"), Some(Change::Added));
    }

    #[test]
    fn a_list_that_was_begun_anew_counts_only_its_last_run() {
        let mut index = Index::default();
        index.begin_list();
        put(&mut index, "a", "one");
        index.finish_list();
        index.begin_list();
        put(&mut index, "a", "one");
        index.begin_list();
        assert_eq!(index.finish_list(), ["a"]);
    }

    #[test]
    fn an_object_that_cannot_be_read_is_there_all_the_same() {
        let mut index = Index::default();
        index.begin_list();
        index.touch("a");
        assert_eq!(index.finish_list(), [""; 0]);
        assert_eq!(put(&mut index, "a", "one"), Some(Change::Modified), "now it can");
        assert_eq!(index.len(), 1);
    }

    #[test]
    fn nobody_is_counted_while_some_may_be_missing() {
        let mut index = Index::default();
        put(&mut index, "00000000-0000-4000-8000-000000000001", "one");
        assert_eq!(index.part(None, 10), None, "no list has ended");
        index.complete_through(7);
        let part = index.part(None, 10).unwrap();
        assert_eq!((part.version, part.uids.len(), part.is_last), (7, 1, true));
        let uids = index.part(None, 1).unwrap().uids;
        let part = index.part(uids.first().copied(), 1).unwrap();
        assert_eq!((part.uids.len(), part.is_last), (0, true));
        index.pass_by_unknown();
        assert_eq!(index.part(None, 10), None);
        index.complete_through(8);
        index.drain();
        assert_eq!(index.part(None, 10), None, "the kind is gone");
    }

    #[test]
    fn what_is_removed_is_new_when_it_comes_back() {
        let mut index = Index::default();
        put(&mut index, "a", "one");
        assert!(index.remove("a"));
        assert!(!index.remove("never there"));
        assert_eq!(index.len(), 0);
        assert_eq!(put(&mut index, "a", "one"), Some(Change::Added));
        assert_eq!(index.drain(), ["a"]);
        assert_eq!(index.len(), 0);
    }
}
