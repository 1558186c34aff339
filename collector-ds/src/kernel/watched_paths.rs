//! Which files the kernel tells of: patterns of paths, as the tree of hashes that `bpf/file_watch.h` asks.

mod defaults;

pub use defaults::watched_by_default;

use super::shared_maps::SharedMaps;
use super::{CgroupKey, RecordKind, SensorError};
use aya::maps::{Array, HashMap, Map, MapError};
use aya::{EbpfLoader, Pod};
use ebpf_probes::maps;
use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

/// `enum watch`
const READ_BELOW: u32 = 1;
const WRITE_BELOW: u32 = 1 << 1;
const READ: u32 = 1 << 2;
const WRITE: u32 = 1 << 3;
const ANY_NAME: u32 = 1 << 4;

/// `WATCH_SEED`, `WATCH_FACTOR`, `WATCH_ROOT`, `WATCH_NAMES`, `WATCH_ANY`
const SEED: u64 = 0x9ae1_6a3b_2f90_404f;
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
const ROOT: u64 = 1;
const NAMES: u64 = 2;
const ANY: u64 = 3;

/// `WATCH_LEVELS`: a path of so many names is not looked at to its end.
const LEVELS: usize = 32;
/// The longest name of a file.
const LONGEST_NAME: usize = 255;
/// What the kernel holds for us costs some 80 bytes each.
const MAXIMUM_NODES: usize = 1 << 16;
/// Room for the nodes of paths that rules ask for later, 1.3 MB of the kernel's.
const LEAST_ROOM: usize = 1 << 14;

/// Why a pattern is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is neither a path nor a name for all directories.
    #[error("{0} is neither an absolute path nor **/ and a name")]
    Form(String),
    /// A name that no file can have, or that is no name.
    #[error("{0}: a name must have 1 to 255 bytes, and be neither . nor ..")]
    Name(String),
    /// Only whole names can be left open.
    #[error("{0}: * stands for one whole name, as in /home/*/.ssh/")]
    Wildcard(String),
    /// Too many names.
    #[error("{0} has more than 31 names")]
    Deep(String),
    /// The patterns together are too many.
    #[error("the patterns make more than 65536 different paths: use fewer, or fewer with *")]
    Many,
    /// They are more than the kernel was given room for at the start.
    #[error(
        "together with those before, the patterns make {paths} different paths, and the kernel was given room for {room} at the start: start the sensor anew"
    )]
    Room {
        /// How many they are.
        paths: usize,
        /// How many there may be.
        room: usize,
    },
}

/// Patterns of the files that are told of. `/etc/shadow` is that file, `/etc/` the directory and all below it, `*` any one
/// name, `**/id_rsa` a file of this name in every directory. All are as a process sees them: a container's
/// `/etc/shadow` is one too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchedPaths {
    /// Opens to read.
    pub read: Vec<String>,
    /// Opens to write, and files that are made by opening them. All other acts are told of files in either list.
    pub write: Vec<String>,
}

/// What the programs filter acts on files by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileFilter {
    /// What it was made of.
    paths: WatchedPaths,
    /// Flags by the hash of a path: the map `watched_paths`.
    pub(super) nodes: BTreeMap<u64, u32>,
    /// The keys of the tree's nodes, each behind its parent.
    order: Vec<u64>,
    /// `watched.name_lengths`.
    pub(super) name_lengths: u64,
    pub(super) children: Children,
    /// Acts from these are not told.
    pub(super) ignored_cgroups: Vec<CgroupKey>,
    /// See [`Self::counting_repeats`], in nanoseconds.
    pub(super) repeats: u64,
}

/// `watched.children`: which names can be children of nodes, a bit for many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Children([u64; 64]);

impl Default for Children {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl Children {
    /// As `may_be_child` of `bpf/file_watch.h` looks for it.
    fn add(&mut self, node: u64, name: &str) {
        let (length, name) = (name.len() as u64, name.as_bytes());
        let mut word = [0; mem::size_of::<u64>()];
        let beginning = &name[..name.len().min(word.len())];
        word[..beginning.len()].copy_from_slice(beginning);
        let bit = mix(node ^ length, u64::from_ne_bytes(word)) >> 52;
        let place = usize::try_from(bit / 64).ok();
        if let Some(bits) = place.and_then(|place| self.0.get_mut(place)) {
            *bits |= 1 << (bit % 64);
        }
    }
}

impl FileFilter {
    /// All files, by every process.
    pub fn everything() -> Self {
        let all = || vec!["/".to_owned()];
        Self {
            paths: WatchedPaths { read: all(), write: all() },
            nodes: BTreeMap::from([(ROOT, READ_BELOW | WRITE_BELOW)]),
            order: vec![ROOT],
            ..Self::default()
        }
    }

    /// The files of these patterns.
    pub fn new(
        paths: &WatchedPaths,
        ignored_cgroups: Vec<CgroupKey>,
    ) -> Result<Self, PatternError> {
        let mut filter = Self { paths: paths.clone(), ignored_cgroups, ..Self::default() };
        let mut root = Node::default();
        let lists = [(&paths.read, READ, READ_BELOW), (&paths.write, WRITE, WRITE_BELOW)];
        for (patterns, at, below) in lists {
            for pattern in patterns {
                match pattern.strip_prefix("**/") {
                    Some(name) => filter.add_name(pattern, name, at)?,
                    None => root.add(pattern, at, below)?,
                }
            }
        }
        let mut left = MAXIMUM_NODES;
        root.spread(&mut left)?;
        root.encode(ROOT, &mut filter);
        Ok(filter)
    }

    /// Opens that repeat another one within this time are counted only: by the same process and program, with the same
    /// credentials, of the same file by the same name, for the same.
    #[must_use]
    pub fn counting_repeats(mut self, within: Duration) -> Self {
        self.repeats = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
        self
    }

    /// What has to be set before the programs are in place.
    pub(super) fn configure<'filter>(&'filter self, loader: &mut EbpfLoader<'filter>) {
        let cgroups_are_ignored: &'static u32 =
            if self.ignored_cgroups.is_empty() { &0 } else { &1 };
        loader
            .map_max_entries(maps::WATCHED_PATHS, entries(self.room()))
            .map_max_entries(maps::IGNORED_CGROUPS, entries(self.ignored_cgroups.len()))
            .override_global(maps::REPEAT_NANOSECONDS, &self.repeats, true)
            .override_global(maps::CGROUPS_ARE_IGNORED, cgroups_are_ignored, true);
    }

    /// Tells the programs, which are not attached yet.
    pub(super) fn apply(
        &self,
        shared: &mut SharedMaps,
        wanted: impl Fn(RecordKind) -> bool,
    ) -> Result<(), SensorError> {
        self.widen(shared, 0)?;
        self.ignore(shared).map_err(|source| failed(maps::IGNORED_CGROUPS, source))?;
        want(shared, wanted)
    }

    /// The files of both, with what else is set of this one.
    pub(super) fn joined(&self, other: &Self) -> Result<Self, PatternError> {
        let both = |ours: &[String], others: &[String]| [ours, others].concat();
        let paths = WatchedPaths {
            read: both(&self.paths.read, &other.paths.read),
            write: both(&self.paths.write, &other.paths.write),
        };
        let joined = Self::new(&paths, self.ignored_cgroups.clone())?;
        Ok(Self { repeats: self.repeats, ..joined })
    }

    /// For how many nodes the kernel is given room, where this is what it begins with.
    pub(super) fn room(&self) -> usize {
        LEAST_ROOM.max(2 * self.nodes.len())
    }

    /// Whether it leaves out the same files.
    pub(super) fn watches_the_same(&self, other: &Self) -> bool {
        (&self.nodes, self.name_lengths, &self.children)
            == (&other.nodes, other.name_lengths, &other.children)
    }

    /// Makes the kernel watch these files, which are all that it watched before and more. At no moment one of them is left out: a node
    /// comes before its parent, so that who walks down meets no name without what is below it.
    pub(super) fn widen(&self, shared: &mut SharedMaps, changes: u64) -> Result<(), SensorError> {
        // What may be a child is asked first.
        self.tell_besides(shared, changes)?;
        self.watch(shared).map_err(|source| failed(maps::WATCHED_PATHS, source))?;
        self.tell_besides(shared, changes + 1)
    }

    /// Makes the kernel watch these files alone, of more that it watched (`before`). A node goes before what is below it.
    pub(super) fn narrow(
        &self,
        before: &Self,
        shared: &mut SharedMaps,
        changes: u64,
    ) -> Result<(), SensorError> {
        let error = |source| failed(maps::WATCHED_PATHS, source);
        let map = map(shared, maps::WATCHED_PATHS).map_err(error)?;
        let mut map = HashMap::<_, u64, u32>::try_from(map).map_err(error)?;
        for node in before.order.iter().filter(|node| !self.nodes.contains_key(node)) {
            map.remove(node).map_err(error)?;
        }
        self.watch(shared).map_err(error)?;
        self.tell_besides(shared, changes)
    }

    fn watch(&self, shared: &mut SharedMaps) -> Result<(), MapError> {
        let mut map = HashMap::<_, u64, u32>::try_from(map(shared, maps::WATCHED_PATHS)?)?;
        self.order.iter().rev().try_for_each(|node| {
            let flags = self.nodes.get(node).copied().unwrap_or_default();
            map.insert(node, flags, 0)
        })
    }

    fn tell_besides(&self, shared: &mut SharedMaps, changes: u64) -> Result<(), SensorError> {
        let error = |source| failed(maps::WATCHED, source);
        let map = map(shared, maps::WATCHED).map_err(error)?;
        let mut map = Array::<_, Watched>::try_from(map).map_err(error)?;
        let watched =
            Watched { changes, name_lengths: self.name_lengths, children: self.children.0 };
        map.set(0, watched, 0).map_err(error)
    }

    fn ignore(&self, shared: &mut SharedMaps) -> Result<(), MapError> {
        let mut map = HashMap::<_, [u32; 4], u32>::try_from(map(shared, maps::IGNORED_CGROUPS)?)?;
        self.ignored_cgroups.iter().try_for_each(|cgroup| map.insert(cgroup_key(cgroup), 1, 0))
    }

    fn add_name(&mut self, pattern: &str, name: &str, at: u32) -> Result<(), PatternError> {
        if name.contains('*') {
            return Err(PatternError::Wildcard(pattern.to_owned()));
        }
        check_name(pattern, name)?;
        *self.node(mix(NAMES, hash(name.as_bytes()))) |= at;
        self.name_lengths |= 1 << name.len().min(63);
        self.children.add(NAMES, name);
        Ok(())
    }

    /// The flags of a node.
    fn node(&mut self, key: u64) -> &mut u32 {
        let Self { nodes, order, .. } = self;
        nodes.entry(key).or_insert_with(|| {
            order.push(key);
            0
        })
    }
}

/// Tells the programs which kinds are wanted, and that the others are not.
pub(super) fn want(
    shared: &mut SharedMaps,
    wanted: impl Fn(RecordKind) -> bool,
) -> Result<(), SensorError> {
    let error = |source| failed(maps::WANTED_KINDS, source);
    let map = map(shared, maps::WANTED_KINDS).map_err(error)?;
    let mut map = Array::<_, u32>::try_from(map).map_err(error)?;
    let mut kinds = RecordKind::ALL.into_iter();
    kinds
        .try_for_each(|kind| map.set(u32::from(kind.number()), u32::from(wanted(kind)), 0))
        .map_err(error)
}

/// `struct watched`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Watched {
    changes: u64,
    name_lengths: u64,
    children: [u64; 64],
}

// SAFETY: integers without padding: any bytes are a value.
unsafe impl Pod for Watched {}

fn map<'maps>(shared: &'maps mut SharedMaps, name: &str) -> Result<&'maps mut Map, MapError> {
    shared.map_mut(name).ok_or_else(|| MapError::InvalidName { name: name.to_owned() })
}

const fn failed(name: &'static str, source: MapError) -> SensorError {
    SensorError::Map { name, source }
}

/// `struct cgroup_key`: the id in two halves, as the machine orders them.
fn cgroup_key(cgroup: &CgroupKey) -> [u32; 4] {
    let bytes = cgroup.id.to_ne_bytes();
    let (halves, _) = bytes.as_chunks();
    [u32::from_ne_bytes(halves[0]), u32::from_ne_bytes(halves[1]), cgroup.hierarchy, 0]
}

/// A map has one entry at least.
fn entries(wanted: usize) -> u32 {
    u32::try_from(wanted.max(1)).unwrap_or(u32::MAX)
}

/// A name in the tree of paths.
#[derive(Clone, Debug, Default)]
struct Node {
    flags: u32,
    children: BTreeMap<String, Node>,
    /// For all names without a child of their own.
    any: Option<Box<Node>>,
}

impl Node {
    fn add(&mut self, pattern: &str, at: u32, below: u32) -> Result<(), PatternError> {
        let rest =
            pattern.strip_prefix('/').ok_or_else(|| PatternError::Form(pattern.to_owned()))?;
        let (rest, flag) = match rest.strip_suffix('/') {
            Some(directory) => (directory, below),
            None if rest.is_empty() => (rest, below),
            None => (rest, at),
        };
        let names: Vec<_> = rest.split('/').filter(|_| !rest.is_empty()).collect();
        if names.len() >= LEVELS {
            return Err(PatternError::Deep(pattern.to_owned()));
        }
        let mut node = self;
        for name in names {
            node = match name {
                "*" => node.any.get_or_insert_default(),
                name if name.contains('*') => {
                    return Err(PatternError::Wildcard(pattern.to_owned()));
                }
                name => {
                    check_name(pattern, name)?;
                    node.children.entry(name.to_owned()).or_default()
                }
            };
        }
        node.flags |= flag;
        Ok(())
    }

    /// Brings what holds for any name to the names that have a child of their own: the kernel goes one way only.
    fn spread(&mut self, left: &mut usize) -> Result<(), PatternError> {
        *left = left.checked_sub(1).ok_or(PatternError::Many)?;
        if let Some(any) = &self.any {
            for child in self.children.values_mut() {
                child.merge(any);
            }
        }
        let children = self.children.values_mut().chain(self.any.as_deref_mut());
        for child in children {
            child.spread(left)?;
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) {
        self.flags |= other.flags;
        for (name, child) in &other.children {
            self.children.entry(name.clone()).or_default().merge(child);
        }
        if let Some(any) = &other.any {
            self.any.get_or_insert_default().merge(any);
        }
    }

    fn encode(&self, key: u64, filter: &mut FileFilter) {
        let any = if self.any.is_some() { ANY_NAME } else { 0 };
        *filter.node(key) |= self.flags | any;
        for (name, child) in &self.children {
            filter.children.add(key, name);
            child.encode(mix(key, hash(name.as_bytes())), filter);
        }
        if let Some(child) = &self.any {
            child.encode(mix(key, ANY), filter);
        }
    }
}

fn check_name(pattern: &str, name: &str) -> Result<(), PatternError> {
    let is_name = !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains(['/', '\0']);
    if !is_name || name == "." || name == ".." {
        return Err(PatternError::Name(pattern.to_owned()));
    }
    Ok(())
}

/// `watch_mix`
const fn mix(hash: u64, word: u64) -> u64 {
    let hash = (hash ^ word).wrapping_mul(FACTOR);
    hash ^ (hash >> 32)
}

/// `hash_name`: by words of eight bytes, the last filled up with zeros.
fn hash(name: &[u8]) -> u64 {
    name.chunks(mem::size_of::<u64>()).fold(SEED, |hash, chunk| {
        let mut word = [0; mem::size_of::<u64>()];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(hash, u64::from_ne_bytes(word))
    })
}

#[cfg(test)]
mod tests;
