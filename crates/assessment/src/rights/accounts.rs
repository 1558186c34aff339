use super::binding::{Holder, HolderKind};
use crate::object::Key;
use foldhash::quality::RandomState;
use foldhash::{HashMap, HashSet};
use std::hash::BuildHasher;

/// Most service accounts.
const MOST: usize = 100_000;

/// Which service accounts there are. A cluster has many of which no binding tells: a number stands for each name.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    names: HashMap<Key, u64>,
    hashes: RandomState,
    /// There were more than have room: of none can be told that it is missing.
    left_out: bool,
}

impl Accounts {
    /// Returns whether it is new.
    pub(crate) fn put(&mut self, key: Key, namespace: &str, name: &str) -> bool {
        if self.names.len() >= MOST && !self.names.contains_key(&key) {
            self.left_out = true;
            return false;
        }
        let name = self.hash(namespace, name);
        self.names.insert(key, name) != Some(name)
    }

    /// Returns whether it was known.
    pub(crate) fn remove(&mut self, key: Key) -> bool {
        self.names.remove(&key).is_some()
    }

    /// The places of those among the holders that do not exist. None do where no account is known: each namespace has one,
    /// so nobody told of them.
    pub(crate) fn missing(&self, holders: &[&Holder]) -> HashSet<u32> {
        if self.names.is_empty() || self.left_out {
            return HashSet::default();
        }
        let accounts = (0..).zip(holders).filter(|(_, holder)| holder.kind == HolderKind::Account);
        let mut missing: HashMap<u64, u32> = accounts
            .map(|(place, holder)| (self.hash(&holder.namespace, &holder.name), place))
            .collect();
        for name in self.names.values() {
            missing.remove(name);
        }
        missing.into_values().collect()
    }

    fn hash(&self, namespace: &str, name: &str) -> u64 {
        self.hashes.hash_one((namespace, name))
    }
}
