use super::uid::Uid;
use event_model::KubernetesObject;
use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher, Hasher};
use std::io;

/// For each object its uid and a hash of what was sent of it: some 50 bytes, where the object
/// itself has kilobytes. Its name is not kept, which would take as much again: the backend has it
/// from before, and keeps it when only the uid is told gone. Pure: it reads and sends nothing.
#[derive(Debug, Default)]
pub(crate) struct Index {
    seen: HashMap<Uid, Seen>,
    /// Keyed at random: whoever may create pods cannot make two contents look alike.
    hashes: RandomState,
    /// The number of the list that runs, or ran last.
    list: u32,
}

#[derive(Debug)]
struct Seen {
    hash: u64,
    /// The last list that named the object.
    list: u32,
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
    /// Notes an object as it is now. None where nothing that we send of it is new.
    pub(crate) fn put(&mut self, object: &KubernetesObject) -> Option<Change> {
        let now = Seen { hash: self.hash(object), list: self.list };
        match self.seen.entry(object.uid.as_str().into()) {
            Entry::Vacant(place) => {
                place.insert(now);
                Some(Change::Added)
            }
            Entry::Occupied(mut place) => {
                let before = place.insert(now).hash;
                (before != place.get().hash).then_some(Change::Modified)
            }
        }
    }

    /// Forgets an object.
    pub(crate) fn remove(&mut self, uid: &str) {
        self.seen.remove(&Uid::from(uid));
    }

    /// A list of all objects begins. Its objects come by [`Self::put`].
    pub(crate) fn begin_list(&mut self) {
        self.list = self.list.wrapping_add(1);
    }

    /// The list is complete. Forgets the objects that it did not name, and returns their uids.
    pub(crate) fn finish_list(&mut self) -> Vec<String> {
        let list = self.list;
        let gone = self.seen.extract_if(|_, seen| seen.list != list);
        gone.map(|(uid, _)| uid.to_string()).collect()
    }

    /// How many objects are known.
    pub(crate) fn len(&self) -> usize {
        self.seen.len()
    }

    fn hash(&self, object: &KubernetesObject) -> u64 {
        let mut hash = HashWriter(self.hashes.build_hasher());
        // Neither the writer nor maps with string keys can fail.
        let written = serde_json::to_writer(&mut hash, object);
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
    use super::{Change, Index};
    use event_model::KubernetesObject;

    fn object(uid: &str, node: &str) -> KubernetesObject {
        KubernetesObject {
            uid: uid.to_owned(),
            node: Some(node.to_owned()),
            ..KubernetesObject::default()
        }
    }

    #[test]
    fn an_object_is_new_then_known_then_modified() {
        let mut index = Index::default();
        assert_eq!(index.put(&object("a", "one")), Some(Change::Added));
        assert_eq!(index.put(&object("a", "one")), None);
        assert_eq!(index.put(&object("a", "two")), Some(Change::Modified));
        assert_eq!(index.put(&object("a", "one")), Some(Change::Modified));
        assert_eq!(index.len(), 1);
    }

    #[test]
    fn what_a_list_does_not_name_is_gone() {
        let mut index = Index::default();
        index.begin_list();
        index.put(&object("a", "one"));
        index.put(&object("b", "one"));
        assert_eq!(index.finish_list(), [""; 0]);
        index.put(&object("c", "one"));
        index.begin_list();
        assert_eq!(index.put(&object("b", "one")), None);
        let mut gone = index.finish_list();
        gone.sort();
        assert_eq!(gone, ["a", "c"]);
        assert_eq!(index.put(&object("a", "one")), Some(Change::Added));
    }

    #[test]
    fn a_list_that_was_begun_anew_counts_only_its_last_run() {
        let mut index = Index::default();
        index.begin_list();
        index.put(&object("a", "one"));
        index.finish_list();
        index.begin_list();
        index.put(&object("a", "one"));
        index.begin_list();
        assert_eq!(index.finish_list(), ["a"]);
    }

    #[test]
    fn what_is_removed_is_new_when_it_comes_back() {
        let mut index = Index::default();
        index.put(&object("a", "one"));
        index.remove("a");
        index.remove("never there");
        assert_eq!(index.len(), 0);
        assert_eq!(index.put(&object("a", "one")), Some(Change::Added));
    }
}
