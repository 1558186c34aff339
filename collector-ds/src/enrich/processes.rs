//! Which processes run, what each runs, and who made whom.

mod entry;
mod exited;
#[cfg(test)]
mod tests;

use ebpf_probes::Identity;
use entry::Entry;
use event_model::{ContainerId, Process, ProcessKey, ProcessRef};
use exited::Exited;
use foldhash::{HashMap, HashMapExt};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How far [`Processes::ancestors`] walks, and how many entities one event can announce.
pub const MAXIMUM_ANCESTORS: usize = 64;

/// How much the cache may hold.
#[derive(Clone, Copy, Debug)]
pub struct ProcessLimits {
    /// Processes, those included that ended a short while ago.
    pub processes: usize,
    /// Bytes, as [`Processes::bytes`] counts them.
    pub bytes: usize,
    /// How long a process that ended stays known. While children of it live, it stays
    /// longer where there is room, so that they keep their ancestry.
    pub retention: Duration,
}

impl Default for ProcessLimits {
    /// Room for a crowded node's processes in a tenth of the sensor's memory limit.
    fn default() -> Self {
        Self { processes: 32_768, bytes: 32 << 20, retention: Duration::from_secs(30) }
    }
}

/// What the cache must know of a fork.
#[derive(Clone, Debug)]
pub struct Forked {
    /// The new process.
    pub child: ProcessKey,
    /// The process that called fork: the child runs its program.
    pub creator: ProcessKey,
    /// The child's parent: with CLONE_PARENT this is not the creator.
    pub parent: ProcessKey,
    /// The child's id in its innermost pid namespace.
    pub namespace_pid: u32,
    /// The container that the child is in.
    pub container: Option<ContainerId>,
}

/// The processes of the node: key → what it runs now, with its ancestry.
///
/// Processes that live are never forgotten for those that ended. Where even the
/// living do not fit, new ones are not remembered: their own events are whole all the same,
/// their children lack an ancestor, and [`Processes::refused`] counts them.
pub struct Processes {
    entries: HashMap<ProcessKey, Entry>,
    living: HashMap<u32, ProcessKey>,
    exited: Exited,
    limits: ProcessLimits,
    bytes: usize,
    refused: u64,
}

impl Processes {
    /// An empty cache.
    pub fn new(limits: ProcessLimits) -> Self {
        Self {
            entries: HashMap::new(),
            living: HashMap::new(),
            exited: Exited::default(),
            limits,
            bytes: 0,
            refused: 0,
        }
    }

    /// How many processes are known.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of what is known: the entities with their strings.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many processes could not be remembered since the start.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// What a process runs now, or ran last.
    pub fn current(&self, key: ProcessKey) -> Option<&Arc<Process>> {
        self.entries.get(&key).map(Entry::current)
    }

    /// The processes that have not ended, by what they run now, in no order.
    pub fn living(&self) -> impl Iterator<Item = &Arc<Process>> {
        self.living.values().filter_map(|key| self.current(*key))
    }

    /// A process as it was at that generation; its present program where the older one is forgotten.
    pub fn as_it_was(&self, reference: ProcessRef) -> Option<&Arc<Process>> {
        self.entries.get(&reference.key).map(|entry| entry.as_it_was(reference.generation))
    }

    /// The reference to a process as it is now; generation 0 where it is not known.
    pub fn reference(&self, key: ProcessKey) -> ProcessRef {
        self.current(key).map_or(ProcessRef { key, generation: 0 }, |process| process.reference)
    }

    /// The parent of a process, its parent, and so on to the root: at most [`MAXIMUM_ANCESTORS`].
    pub fn ancestors<'a>(&'a self, process: &Process) -> impl Iterator<Item = &'a Arc<Process>> {
        let parent = process.parent.and_then(|reference| self.as_it_was(reference));
        std::iter::successors(parent, |process| self.as_it_was(process.parent?))
            .take(MAXIMUM_ANCESTORS)
    }

    /// A process made another, which runs the same program until it calls exec.
    pub fn fork(&mut self, forked: &Forked, now: Instant) {
        let Some(creator) = self.current(forked.creator).cloned() else { return };
        if self.entries.contains_key(&forked.child) {
            return; // A snapshot told of it before the kernel's record was read.
        }
        let child = Process {
            reference: ProcessRef { key: forked.child, generation: 0 },
            parent: Some(self.reference(forked.parent)),
            namespace_pid: forked.namespace_pid,
            container: forked.container.clone(),
            ..Process::clone(&creator)
        };
        self.insert(Arc::new(child), now);
    }

    /// A process runs another program. Its generation and its parent are filled in
    /// from what is known; `parent` is the key that the kernel gave for it.
    pub fn exec(
        &mut self,
        mut image: Process,
        parent: Option<ProcessKey>,
        now: Instant,
    ) -> Arc<Process> {
        let key = image.reference.key;
        let known = self.current(key).map(|before| (before.reference, before.parent));
        image.reference.generation = known.map_or(0, |(before, _)| before.generation) + 1;
        image.parent =
            known.and_then(|(_, parent)| parent).or_else(|| parent.map(|key| self.reference(key)));
        let image = Arc::new(image);
        self.revive(key);
        self.put(Arc::clone(&image), now);
        image
    }

    /// A process acts as somebody, who need not be who it was when it began its program. `name` is asked for a
    /// user's name where it is another.
    pub fn acts_as(
        &mut self,
        key: ProcessKey,
        identity: Identity,
        name: impl FnOnce(u32) -> Option<String>,
    ) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        if entry.is(identity) {
            return;
        }
        let before = entry.bytes();
        entry.become_another(identity, name(identity.uid));
        self.bytes = self.bytes + entry.bytes() - before;
    }

    /// A process ended. It stays known for a while.
    pub fn exit(&mut self, key: ProcessKey, now: Instant) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        if entry.exited_at.is_none() {
            entry.exited_at = Some(now);
            self.exited.push(now, key);
            self.forget_living(key);
        }
    }

    /// Brings the cache in line with a snapshot of all processes that run, each with its parent's key, the
    /// oldest first: new ones are taken, another program than the known one is an exec that
    /// was missed, and those that are not among them have ended where `may_be_gone` says so.
    pub fn resync(
        &mut self,
        running: Vec<(Process, Option<ProcessKey>)>,
        may_be_gone: impl Fn(ProcessKey) -> bool,
        now: Instant,
    ) {
        let keys: HashSet<ProcessKey> =
            running.iter().map(|(found, _)| found.reference.key).collect();
        let gone: Vec<_> = self
            .living
            .values()
            .copied()
            .filter(|key| !keys.contains(key) && may_be_gone(*key))
            .collect();
        for key in gone {
            self.exit(key, now);
        }
        for (found, parent) in running {
            self.take_running(found, parent, now);
        }
    }

    fn take_running(&mut self, mut found: Process, parent: Option<ProcessKey>, now: Instant) {
        let key = found.reference.key;
        self.end_former_holder_of(key, now);
        found.parent = parent.map(|key| self.reference(key));
        self.revive(key);
        let Some(entry) = self.entries.get(&key) else {
            return self.insert(Arc::new(found), now);
        };
        if let Some(image) = entry::missed_exec(entry.current(), found) {
            self.put(Arc::new(image), now);
        }
    }

    /// Holds one living that was held ended: a listing passed it over, or its program did not fit.
    fn revive(&mut self, key: ProcessKey) {
        if let Some(entry) = self.entries.get_mut(&key)
            && let Some(at) = entry.exited_at.take()
        {
            self.exited.stop_lingering(at, key);
            self.living.insert(key.pid, key);
        }
    }

    /// Forgets those that ended longer ago than the retention, unless children of theirs are known.
    pub fn expire(&mut self, now: Instant) {
        while let Some(ended) = self.exited.pop_older_than(now, self.limits.retention) {
            self.forget_or_keep_for_children(ended);
        }
    }

    /// Calls `send` for the process and those of its ancestors that were not announced since
    /// [`Processes::announce_again`], the oldest first, and holds them announced.
    pub fn announce(&mut self, process: &Arc<Process>, mut send: impl FnMut(&Arc<Process>)) {
        let mut line = vec![];
        let mut next = Some(process.reference);
        if !self.entries.contains_key(&process.reference.key) {
            line.push(Arc::clone(process));
            next = process.parent;
        }
        while let Some(reference) = next.take() {
            let Some(image) = self.image_to_announce(reference) else { break };
            next = image.parent.filter(|_| line.len() < MAXIMUM_ANCESTORS);
            line.push(image);
        }
        line.iter().rev().for_each(&mut send);
    }

    /// Holds nothing announced any more, and calls `send` for those that live and had been.
    pub fn announce_again(&mut self, mut send: impl FnMut(&Arc<Process>)) {
        for entry in self.entries.values_mut() {
            let was_announced = entry.forget_announcements();
            if was_announced && entry.exited_at.is_none() {
                send(entry.mark_announced());
            }
        }
    }

    fn image_to_announce(&mut self, reference: ProcessRef) -> Option<Arc<Process>> {
        self.entries.get_mut(&reference.key)?.take_unannounced(reference.generation)
    }

    /// Takes an image of a new or a known process.
    fn put(&mut self, image: Arc<Process>, now: Instant) {
        let key = image.reference.key;
        let Some(entry) = self.entries.get_mut(&key) else {
            return self.insert(image, now);
        };
        let before = entry.bytes();
        entry.replace(image);
        self.bytes = self.bytes + entry.bytes() - before;
        if !self.make_room(0, 0) {
            self.refuse_known(key, now);
        }
    }

    /// Forgets a process that lives, because its new program does not fit.
    fn refuse_known(&mut self, key: ProcessKey, now: Instant) {
        self.refused += 1;
        self.exit(key, now);
        self.make_room(0, 0);
    }

    fn insert(&mut self, process: Arc<Process>, now: Instant) {
        let key = process.reference.key;
        self.end_former_holder_of(key, now);
        let parent = process.parent;
        let mut entry = Entry::new(process);
        if !self.make_room(1, entry.bytes()) {
            self.refused += 1;
            return;
        }
        if let Some(reference) = parent
            && let Some(parent) = self.entries.get_mut(&reference.key)
        {
            parent.adopt(reference.generation);
            entry.parent = Some(reference.key);
        }
        self.bytes += entry.bytes();
        self.living.insert(key.pid, key);
        self.entries.insert(key, entry);
    }

    /// A process id in use again tells that its former holder ended, where that was missed.
    fn end_former_holder_of(&mut self, key: ProcessKey, now: Instant) {
        if let Some(former) = self.living.get(&key.pid).copied()
            && former != key
        {
            self.exit(former, now);
        }
    }

    /// Forgets processes that ended, the oldest first, until so many more fit.
    fn make_room(&mut self, processes: usize, bytes: usize) -> bool {
        while self.entries.len() + processes > self.limits.processes
            || self.bytes + bytes > self.limits.bytes
        {
            let Some(ended) = self.exited.pop_oldest() else { return false };
            self.forget(ended);
        }
        true
    }

    fn forget_or_keep_for_children(&mut self, (at, key): (Instant, ProcessKey)) {
        match self.entries.get(&key) {
            Some(entry) if entry.children > 0 && entry.exited_at == Some(at) => {
                self.exited.linger(at, key);
            }
            _ => self.forget((at, key)),
        }
    }

    /// Forgets a process that ended then, and those of its ancestors that were kept for it alone.
    fn forget(&mut self, (at, key): (Instant, ProcessKey)) {
        let ended = self.entries.get(&key).is_some_and(|entry| entry.exited_at == Some(at));
        let mut next = ended.then_some(key);
        while let Some(key) = next.take() {
            let Some(entry) = self.entries.remove(&key) else { break };
            self.bytes -= entry.bytes();
            let Some(parent_key) = entry.parent else { break };
            let Some(parent) = self.entries.get_mut(&parent_key) else { break };
            parent.children = parent.children.saturating_sub(1);
            if let (0, Some(at)) = (parent.children, parent.exited_at)
                && self.exited.stop_lingering(at, parent_key)
            {
                next = Some(parent_key);
            }
        }
    }

    fn forget_living(&mut self, key: ProcessKey) {
        if self.living.get(&key.pid) == Some(&key) {
            self.living.remove(&key.pid);
        }
    }
}
