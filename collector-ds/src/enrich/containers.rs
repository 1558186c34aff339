//! Which container a cgroup belongs to, and what is known of the container.

mod cgroup_path;
mod known;
pub mod metadata;
#[cfg(test)]
mod tests;

pub use cgroup_path::{ContainerCgroup, parse as parse_cgroup_path};

use ebpf_probes::{CgroupKey, CgroupRecord};
use event_model::{Container, ContainerId, Pod};
use foldhash::{HashMap, HashMapExt};
use known::Known;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where a process runs, as its cgroup tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// In no container.
    Host,
    /// In this one.
    Container(&'a ContainerId),
    /// The cgroup was never seen: more than fit, or made while records were lost.
    Unknown,
}

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
pub struct ContainerLimits {
    /// Containers.
    pub containers: usize,
    /// Cgroups of all hierarchies, the host's own included.
    pub cgroups: usize,
    /// Cgroups that one container can fill it with: its own in each hierarchy and those that it makes below.
    pub cgroups_each: usize,
    /// Descriptions of containers whose cgroup has not appeared yet.
    pub expected: usize,
    /// How long a removed cgroup stays known, for records that were on their way.
    pub retention: Duration,
}

impl Default for ContainerLimits {
    fn default() -> Self {
        Self {
            containers: 4096,
            cgroups: 65_536,
            cgroups_each: 512,
            expected: 256,
            retention: Duration::from_secs(30),
        }
    }
}

/// The containers of the node.
pub struct Containers {
    places: HashMap<CgroupKey, Option<ContainerId>>,
    known: HashMap<ContainerId, Known>,
    /// Told by a runtime before the cgroup was made, the oldest first.
    expected: VecDeque<Container>,
    /// Cgroups that are gone, by when.
    removed: VecDeque<(Instant, CgroupKey)>,
    limits: ContainerLimits,
    refused: u64,
}

impl Containers {
    /// None are known.
    pub fn new(limits: ContainerLimits) -> Self {
        Self {
            places: HashMap::new(),
            known: HashMap::new(),
            expected: VecDeque::new(),
            removed: VecDeque::new(),
            limits,
            refused: 0,
        }
    }

    /// How many containers are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// None are known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// How many cgroups could not be remembered since the start.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// What is known of a container.
    pub fn get(&self, id: &ContainerId) -> Option<&Arc<Container>> {
        self.known.get(id).map(Known::container)
    }

    /// All that are known, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Container>> {
        self.known.values().map(Known::container)
    }

    /// Where a process of that cgroup runs.
    pub fn place(&self, cgroup: CgroupKey) -> Place<'_> {
        match self.places.get(&cgroup) {
            Some(Some(id)) => Place::Container(id),
            Some(None) => Place::Host,
            None => Place::Unknown,
        }
    }

    /// A cgroup was made, or found; `path` is below its hierarchy's root. Returns the container
    /// where this is the first that is seen of it.
    pub fn cgroup_made(
        &mut self,
        cgroup: CgroupKey,
        path: &str,
        now: Instant,
    ) -> Option<ContainerId> {
        // A listing finds again what was told before. (On cgroup v1 under another path, where somebody renamed it.)
        if self.places.contains_key(&cgroup) {
            return None;
        }
        if self.places.len() >= self.limits.cgroups {
            self.refused += 1;
            return None;
        }
        let Some(found) = parse_cgroup_path(path) else {
            self.places.insert(cgroup, None);
            return None;
        };
        let id = ContainerId::from(found.id);
        let is_new = !self.known.contains_key(&id);
        if is_new && !self.take(&id, &found, now) {
            self.refused += 1;
            return None;
        }
        self.assign(cgroup, &id);
        is_new.then_some(id)
    }

    /// A cgroup is gone. What it was stays known for a while.
    pub fn cgroup_removed(&mut self, cgroup: CgroupKey, now: Instant) {
        if self.places.contains_key(&cgroup) {
            self.removed.push_back((now, cgroup));
        }
    }

    /// Brings what is known in line with all cgroups that exist. Returns the containers that are new.
    pub fn resync(&mut self, existing: &[CgroupRecord], now: Instant) -> Vec<ContainerId> {
        let keys: HashSet<CgroupKey> = existing.iter().map(|found| found.cgroup).collect();
        let removed: HashSet<CgroupKey> = self.removed.iter().map(|(_, key)| *key).collect();
        let gone = self.places.keys().filter(|key| !keys.contains(key) && !removed.contains(key));
        self.removed.extend(gone.map(|key| (now, *key)));
        self.add(existing, now)
    }

    /// Takes cgroups that exist, among others. Returns the containers that are new.
    pub fn add(&mut self, existing: &[CgroupRecord], now: Instant) -> Vec<ContainerId> {
        existing
            .iter()
            .filter_map(|found| self.cgroup_made(found.cgroup, &found.path, now))
            .collect()
    }

    /// A runtime told of a container. Returns the entity where that changed it.
    pub fn complete(&mut self, told: Container, whole: bool) -> Option<Arc<Container>> {
        if let Some(known) = self.known.get_mut(&told.id) {
            return known.complete(told, whole);
        }
        self.expect(told);
        None
    }

    /// No runtime knows the container now: it is asked for again, ever more rarely.
    pub fn not_found(&mut self, id: &ContainerId, now: Instant) {
        if let Some(known) = self.known.get_mut(id) {
            known.ask_later(now);
        }
    }

    /// Calls `ask` for each container of which more is to be known and that is due to be asked
    /// for; it tells whether it could ask.
    pub fn ask_for_more(&mut self, now: Instant, mut ask: impl FnMut(&Container) -> bool) {
        for known in self.known.values_mut() {
            if known.is_due(now) && ask(known.container()) {
                known.asked();
            }
        }
    }

    /// Calls `send` with the entity unless it was announced since [`Containers::announce_again`].
    pub fn announce(&mut self, id: &ContainerId, send: impl FnOnce(&Arc<Container>)) {
        if let Some(known) = self.known.get_mut(id)
            && !std::mem::replace(&mut known.announced, true)
        {
            send(known.container());
        }
    }

    /// Calls `send` with each entity.
    pub fn announce_again(&mut self, mut send: impl FnMut(&Arc<Container>)) {
        for known in self.known.values_mut() {
            known.announced = true;
            send(known.container());
        }
    }

    /// Forgets cgroups that were removed longer ago than the retention, and containers that have none left.
    pub fn expire(&mut self, now: Instant) {
        while let Some((at, cgroup)) = self.removed.front().copied() {
            if now.saturating_duration_since(at) < self.limits.retention {
                break;
            }
            self.removed.pop_front();
            self.forget(cgroup);
        }
    }

    /// Begins to know a container; false where there is no room.
    fn take(&mut self, id: &ContainerId, found: &ContainerCgroup<'_>, now: Instant) -> bool {
        if self.known.len() >= self.limits.containers {
            return false;
        }
        let container = Container {
            id: id.clone(),
            runtime: found.runtime.map(str::to_owned),
            pod: found.pod_uid.clone().map(|uid| Pod { uid, ..Pod::default() }),
            cgroup_path: found.own_path.to_owned(),
            ..Container::default()
        };
        let mut known = Known::new(container, now);
        if let Some(place) = self.expected.iter().position(|told| told.id == *id)
            && let Some(told) = self.expected.remove(place)
        {
            known.complete(told, false);
        }
        self.known.insert(id.clone(), known);
        true
    }

    /// Notes that a cgroup belongs to a known container, unless that has too many.
    fn assign(&mut self, cgroup: CgroupKey, id: &ContainerId) {
        let Some(known) = self.known.get_mut(id) else { return };
        if known.cgroups >= self.limits.cgroups_each {
            self.refused += 1;
            return;
        }
        self.places.insert(cgroup, Some(id.clone()));
        known.cgroups += 1;
    }

    fn expect(&mut self, told: Container) {
        self.expected.retain(|other| other.id != told.id);
        if self.expected.len() >= self.limits.expected {
            self.expected.pop_front();
        }
        self.expected.push_back(told);
    }

    fn forget(&mut self, cgroup: CgroupKey) {
        let Some(Some(id)) = self.places.remove(&cgroup) else { return };
        let Some(known) = self.known.get_mut(&id) else { return };
        known.cgroups -= 1;
        if known.cgroups == 0 {
            self.known.remove(&id);
        }
    }
}
