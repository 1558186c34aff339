//! From what the kernel says to what it means: which process, made by whom, as which user, in which container.

pub mod containers;
pub mod host;
pub mod node_paths;
pub mod processes;
pub mod users;

#[cfg(test)]
mod tests;

use crate::kernel::{Snapshot, WallClock};
use containers::{Containers, Place};
use ebpf_probes::{
    ActRecord, BootTime, CgroupKey, CgroupRecord, ExecRecord, ExitRecord, ForkRecord, KernelRecord,
};
use event_model::{ContainerId, Event, EventKind, Process, ProcessKey, ProcessRef};
use node_paths::NodePaths;
use processes::{Forked, Processes};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use users::Users;

/// What a record of the kernel turned out to be.
#[derive(Debug)]
pub enum Enriched {
    /// A process did something. The process is as it is after the act; None where it is not known.
    Act(Event, Option<Arc<Process>>),
    /// A container began to exist.
    Container(ContainerId),
    /// Nothing that is to be told.
    Nothing,
}

/// The state that gives records their meaning.
pub struct Enricher {
    /// The processes of the node.
    pub processes: Processes,
    /// Its containers.
    pub containers: Containers,
    users: Users,
    groups: Option<Users>,
    node_paths: NodePaths,
    clock: WallClock,
}

impl Enricher {
    /// Nothing is known yet.
    pub fn new(processes: Processes, containers: Containers, users: Users) -> Self {
        let node_paths = NodePaths::new(Path::new("/proc"));
        Self { processes, containers, users, groups: None, node_paths, clock: WallClock::now() }
    }

    /// The same, with the node's mounts from another place than our own `/proc`.
    #[must_use]
    pub fn with_node_paths(self, node_paths: NodePaths) -> Self {
        Self { node_paths, ..self }
    }

    /// The same, with names for the host's groups.
    #[must_use]
    pub fn with_groups(self, mut groups: Users) -> Self {
        groups.look(Instant::now());
        Self { groups: Some(groups), ..self }
    }

    /// The name of who logged in, whatever su and sudo did since: logins are the host's.
    pub fn login_name(&self, process: &Process) -> Option<&str> {
        self.users.known(process.credentials.login_uid?)
    }

    /// The name of the group that a process acts for. A container has groups of its own.
    pub fn group_name(&self, process: &Process) -> Option<&str> {
        let groups = self.groups.as_ref().filter(|_| process.container.is_none())?;
        groups.known(process.credentials.gid)
    }

    /// Takes a record, in the order in which the kernel made them.
    pub fn take(&mut self, record: KernelRecord, now: Instant) -> Enriched {
        match record {
            KernelRecord::Exec(record) => self.exec(*record, now),
            KernelRecord::Fork(record) => self.fork(&record, now),
            KernelRecord::Exit(record) => self.exit(&record, now),
            KernelRecord::CgroupMade(record) => self.cgroup_made(&record, now),
            KernelRecord::CgroupRemoved(record) => {
                self.containers.cgroup_removed(record.cgroup, now);
                Enriched::Nothing
            }
            KernelRecord::Act(record) => self.other_act(*record, now),
            // The sensor has joined them to their acts.
            KernelRecord::Outcome(_) => Enriched::Nothing,
        }
    }

    /// Forgets what is long past, and follows adjustments of the wall clock. To be called every second or so.
    pub fn tick(&mut self, now: Instant) {
        self.clock = WallClock::now();
        self.users.look(now);
        self.groups.iter_mut().for_each(|groups| groups.look(now));
        self.processes.expire(now);
        self.containers.expire(now);
    }

    /// Brings containers and processes in line with what there is. What the snapshot could not read is not taken to be
    /// gone. Returns the containers that are new.
    pub fn resync(&mut self, snapshot: Snapshot, now: Instant) -> Vec<ContainerId> {
        let begun = if snapshot.lacks_cgroups {
            self.containers.add(&snapshot.cgroups, now)
        } else {
            self.containers.resync(&snapshot.cgroups, now)
        };
        let unread: HashSet<u32> = snapshot.unread.into_iter().collect();
        let lacks_processes = snapshot.lacks_processes;
        let may_be_gone = |key: ProcessKey| !lacks_processes && !unread.contains(&key.pid);
        let mut running = vec![];
        for record in snapshot.processes {
            let parent = record.parent;
            running.push((self.image(record, now), parent));
        }
        self.processes.resync(running, may_be_gone, now);
        begun
    }

    fn exec(&mut self, record: ExecRecord, now: Instant) -> Enriched {
        let parent = record.parent;
        let image = self.image(record, now);
        let process = self.processes.exec(image, parent, now);
        let event = Event {
            time: process.started_at,
            process: process.reference,
            container: process.container.clone(),
            kind: EventKind::Exec,
        };
        Enriched::Act(event, Some(process))
    }

    /// The process that the kernel describes. Its generation and its parent are left to the cache.
    fn image(&mut self, record: ExecRecord, now: Instant) -> Process {
        let container = self.container(record.cgroup, record.process);
        let user_name = match container {
            None => self.users.name(record.credentials.uid, now).map(str::to_owned),
            Some(_) => None, // A container has users of its own.
        };
        Process {
            reference: ProcessRef { key: record.process, generation: 0 },
            parent: None,
            name: record.name,
            executable: record.executable,
            arguments: record.arguments,
            arguments_truncated: record.arguments_truncated,
            working_directory: record.working_directory,
            credentials: record.credentials,
            user_name,
            namespace_pid: record.namespace_pid,
            process_group: record.process_group,
            terminal: record.terminal,
            container,
            started_at: self.clock.timestamp(record.time),
        }
    }

    /// The event is the creator's, and so is its container: with CLONE_INTO_CGROUP a runtime of the host forks into a
    /// container. The creator is where its cgroup says now: it may have been moved since its exec.
    fn fork(&mut self, record: &ForkRecord, now: Instant) -> Enriched {
        let container = self.container(record.cgroup, record.creator);
        let creators = self.container(record.creator_cgroup, record.creator);
        let forked = Forked {
            child: record.child,
            creator: record.creator,
            parent: record.parent,
            namespace_pid: record.namespace_pid,
            container,
        };
        self.processes.fork(&forked, now);
        let kind = EventKind::Fork { child: record.child };
        self.act(record.time, record.creator, creators, kind)
    }

    fn exit(&mut self, record: &ExitRecord, now: Instant) -> Enriched {
        let container = self.container(record.cgroup, record.process);
        let kind = EventKind::Exit(record.status);
        let act = self.act(record.time, record.process, container, kind);
        self.processes.exit(record.process, now);
        act
    }

    fn other_act(&mut self, mut record: ActRecord, now: Instant) -> Enriched {
        self.node_paths.complete(&mut record.event, record.file_system_path.as_deref(), now);
        if let EventKind::System(event) = &mut record.event
            && let Some(target) = &mut event.target
        {
            *target = self.processes.reference(target.key);
        }
        let container = self.container(record.cgroup, record.process);
        let users = &mut self.users;
        let name = |uid| match container {
            None => users.name(uid, now).map(str::to_owned),
            Some(_) => None, // A container has users of its own.
        };
        self.processes.acts_as(record.process, record.identity, name);
        self.act(record.time, record.process, container, record.event)
    }

    fn cgroup_made(&mut self, record: &CgroupRecord, now: Instant) -> Enriched {
        self.containers
            .cgroup_made(record.cgroup, &record.path, now)
            .map_or(Enriched::Nothing, Enriched::Container)
    }

    fn act(
        &self,
        time: BootTime,
        key: ProcessKey,
        container: Option<ContainerId>,
        kind: EventKind,
    ) -> Enriched {
        let time = self.clock.timestamp(time);
        let process = self.processes.reference(key);
        Enriched::Act(
            Event { time, process, container, kind },
            self.processes.current(key).cloned(),
        )
    }

    /// The container of a cgroup. Where the cgroup is not known the process is taken to be
    /// where it was before: a process of a container cannot leave it.
    fn container(&self, cgroup: CgroupKey, process: ProcessKey) -> Option<ContainerId> {
        match self.containers.place(cgroup) {
            Place::Container(id) => Some(id.clone()),
            Place::Host => None,
            Place::Unknown => self.last_container(process),
        }
    }

    fn last_container(&self, process: ProcessKey) -> Option<ContainerId> {
        self.processes.current(process).and_then(|process| process.container.clone())
    }
}
