//! Which object has a name at this time.

use crate::object::{Key, Subject};
use packed_map::PackedMap;
use std::hash::{BuildHasher, RandomState};

/// A number for a kind, a namespace and a name. Keyed at random, so that nobody can make two of them look alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u64);

/// The objects that have the names. An object that was deleted and created again is another one by its uid, and the same by its name: by that
/// its findings are known. That the former is gone may be told later than that there is a new one.
#[derive(Debug, Default)]
pub(crate) struct Places {
    keys: PackedMap<Place, Key>,
    numbers: RandomState,
}

impl Places {
    pub(crate) fn of(&self, subject: &Subject) -> Place {
        let Subject { api_version, kind, namespace, name, key: _ } = subject;
        Place(self.numbers.hash_one((api_version, kind, namespace, name)))
    }

    /// The object that has the name.
    pub(crate) fn holder(&self, place: Place) -> Option<Key> {
        self.keys.get(&place).copied()
    }

    pub(crate) fn take(&mut self, place: Place, key: Key) {
        self.keys.insert(place, key);
    }

    /// The object is gone; if another has its name by now, that one keeps it.
    pub(crate) fn leave(&mut self, place: Place, key: Key) {
        if self.holder(place) == Some(key) {
            self.keys.remove(&place);
        }
    }
}
