//! Services of a namespace with the same selector.

use crate::names::Name;
use crate::object::Key;
use packed_map::PackedMap;
use std::hash::{BuildHasher, RandomState};

/// Most others that one Service is told of, by name. Beyond that it is told that there are more, so that no Service concerns thousands.
pub(crate) const MOST_TOLD: usize = 16;

/// Services by numbers that stand for their namespaces and selectors.
#[derive(Debug, Default)]
pub(crate) struct Siblings {
    selectors: PackedMap<Key, u64>,
    same: PackedMap<u64, Same>,
    numbers: RandomState,
}

/// The Services of a selector. Nearly every one is alone.
#[derive(Debug)]
enum Same {
    One(Key),
    Several(Vec<Key>),
}

impl Same {
    fn keys(&self) -> &[Key] {
        match self {
            Self::One(key) => std::slice::from_ref(key),
            Self::Several(keys) => keys,
        }
    }
}

impl Siblings {
    /// Notes a Service's selector. Returns the others of whom other things are to be told now.
    pub(crate) fn put(&mut self, key: Key, namespace: &Name, selector: &[u64]) -> Vec<Key> {
        let number = self.numbers.hash_one((namespace, selector));
        if self.selectors.get(&key) == Some(&number) && !selector.is_empty() {
            return vec![];
        }
        let mut touched = self.remove(key);
        if selector.is_empty() {
            return touched;
        }
        self.selectors.insert(key, number);
        let Some(same) = self.same.get_mut(&number) else {
            self.same.insert(number, Same::One(key));
            return touched;
        };
        let keys = same.keys();
        if keys.len() <= MOST_TOLD + 1 {
            touched.extend_from_slice(keys);
        }
        match same {
            Same::One(other) => *same = Same::Several(vec![*other, key]),
            Same::Several(keys) => keys.push(key),
        }
        touched
    }

    /// Forgets a Service. Returns the others of whom other things are to be told now.
    pub(crate) fn remove(&mut self, key: Key) -> Vec<Key> {
        let Some(number) = self.selectors.remove(&key) else { return vec![] };
        let Some(Same::Several(keys)) = self.same.get_mut(&number) else {
            self.same.remove(&number);
            return vec![];
        };
        keys.retain(|other| *other != key);
        if keys.is_empty() {
            self.same.remove(&number);
            return vec![];
        }
        if keys.len() <= MOST_TOLD + 1 { keys.clone() } else { vec![] }
    }

    /// The others with a Service's selector; None where there are more than are told.
    pub(crate) fn of(&self, key: Key) -> Option<Vec<Key>> {
        let same = self.selectors.get(&key).and_then(|number| self.same.get(number));
        let same = same.map_or(&[][..], Same::keys);
        (same.len() <= MOST_TOLD + 1)
            .then(|| same.iter().copied().filter(|other| *other != key).collect())
    }
}
