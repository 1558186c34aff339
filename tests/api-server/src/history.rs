//! The objects of one resource, and what happened to them of late.

use crate::stored::Stored;
use std::collections::{BTreeMap, VecDeque};
use std::iter::Peekable;
use std::ops::Bound;

/// `name`, or `namespace/name`: the order of lists, as in etcd.
pub type Key = String;

/// The key of an object.
pub fn key(namespace: Option<&str>, name: &str) -> Key {
    match namespace {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}

/// Namespace, if any, and name of a key.
pub fn split(key: &str) -> (Option<&str>, &str) {
    match key.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, key),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Added,
    Modified,
    Deleted,
}

impl ChangeKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Change {
    pub kind: ChangeKind,
    pub key: Key,
    /// The object as it is now; of a deletion, as it was last, with the version of the deletion.
    pub object: Stored,
    /// As it was before.
    pub previous: Option<Stored>,
}

impl Change {
    pub fn version(&self) -> u64 {
        self.object.version()
    }
}

/// A version that can no longer be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOld {
    /// The first version that can.
    pub oldest: u64,
}

/// The objects of one resource, with a history of bounded length.
#[derive(Debug, Default)]
pub struct Collection {
    objects: BTreeMap<Key, Stored>,
    changes: VecDeque<Change>,
    /// What happened up to this version is forgotten.
    forgotten: u64,
}

impl Collection {
    pub fn get(&self, key: &str) -> Option<&Stored> {
        self.objects.get(key)
    }

    pub fn len(&self) -> usize {
        self.objects.len()
    }

    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Stored)> {
        self.objects.iter()
    }

    /// Takes a change in, and forgets the oldest beyond `limit`.
    pub fn record(&mut self, kind: ChangeKind, key: Key, object: Stored, limit: usize) {
        let previous = match kind {
            ChangeKind::Deleted => self.objects.remove(&key),
            _ => self.objects.insert(key.clone(), object.clone()),
        };
        self.changes.push_back(Change { kind, key, object, previous });
        while self.changes.len() > limit {
            self.forgotten = self.changes.pop_front().map_or(0, |change| change.version());
        }
    }

    /// Puts an object in place as if it had always been there.
    pub fn load(&mut self, key: Key, object: Stored) {
        self.objects.insert(key, object);
    }

    /// Forgets all that happened up to `version`.
    pub fn forget(&mut self, version: u64) {
        self.forgotten = version;
        self.changes.retain(|change| change.version() > version);
    }

    /// At most `most` of the changes after `version`, oldest first.
    pub fn changes_after(
        &self,
        version: u64,
        most: usize,
    ) -> Result<impl Iterator<Item = &Change>, TooOld> {
        self.must_reach(version)?;
        let begin = self.changes.partition_point(|change| change.version() <= version);
        Ok(self.changes.range(begin..).take(most))
    }

    fn must_reach(&self, version: u64) -> Result<(), TooOld> {
        if version < self.forgotten {
            return Err(TooOld { oldest: self.forgotten });
        }
        Ok(())
    }

    /// The objects as they were at `version`: those whose key begins with `prefix`, from after
    /// the key `after`.
    pub fn at<'a>(
        &'a self,
        version: u64,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> Result<impl Iterator<Item = (&'a str, &'a Stored)>, TooOld> {
        self.must_reach(version)?;
        let changed = self.changed_since(version);
        let begin = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let current = self.objects.range::<str, _>((begin, Bound::Unbounded));
        let current = current.map(|(key, object)| (key.as_str(), object)).peekable();
        let past: Vec<_> = changed
            .range::<str, _>((begin, Bound::Unbounded))
            .map(|(key, object)| (*key, *object))
            .collect();
        let both = Merged { current, past: past.into_iter().peekable() };
        Ok(both.take_while(move |(key, _)| key.starts_with(prefix)))
    }

    /// What each object that changed after `version` was then; none where it was not.
    fn changed_since(&self, version: u64) -> BTreeMap<&str, Option<&Stored>> {
        let begin = self.changes.partition_point(|change| change.version() <= version);
        let mut changed = BTreeMap::new();
        for change in self.changes.range(begin..) {
            changed.entry(change.key.as_str()).or_insert(change.previous.as_ref());
        }
        changed
    }
}

/// Present objects by key, each replaced by what it was.
struct Merged<'a, Current, Past>
where
    Current: Iterator<Item = (&'a str, &'a Stored)>,
    Past: Iterator<Item = (&'a str, Option<&'a Stored>)>,
{
    current: Peekable<Current>,
    past: Peekable<Past>,
}

impl<'a, Current, Past> Iterator for Merged<'a, Current, Past>
where
    Current: Iterator<Item = (&'a str, &'a Stored)>,
    Past: Iterator<Item = (&'a str, Option<&'a Stored>)>,
{
    type Item = (&'a str, &'a Stored);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((past, _)) = self.past.peek() else { return self.current.next() };
            match self.current.peek() {
                Some((current, _)) if current < past => return self.current.next(),
                Some((current, _)) if current == past => {
                    self.current.next();
                }
                _ => {}
            }
            if let Some((key, Some(object))) = self.past.next() {
                return Some((key, object));
            }
        }
    }
}
