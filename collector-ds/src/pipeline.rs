//! The way of a record: from the kernel's word through its meaning and the rules to the publisher.

mod allowance;
mod counters;
mod names;
#[cfg(test)]
mod tests;

use allowance::Allowance;
pub use counters::Counters;
use names::Names;

use crate::audit::Detection;
use crate::detect::{Rules, Tally};
use crate::enrich::containers::metadata::Finding;
use crate::enrich::{Enriched, Enricher};
use crate::inventory::NodeView;
use crate::kernel::Snapshot;
use crate::own::Own;
use crate::publish::Outlet;
use detection::Act;
use ebpf_probes::{KernelRecord, RecordKind};
use event_model::{
    Container, ContainerId, Event, EventKind, Host, NetworkAct, Process, Record, Timestamp,
};
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Entities that were lost are told again at most this often: telling all is thousands of records.
const TELL_AGAIN_EVERY: Duration = Duration::from_secs(5);

/// Asks a runtime for all that is to be known of a container; false where it has to be asked again.
pub type AskRuntime = Box<dyn Fn(&Container) -> bool>;

/// Enriches, detects and publishes, one record after another.
pub struct Pipeline<O> {
    enricher: Enricher,
    rules: Arc<Rules>,
    tally: Tally,
    host: Host,
    ask_runtime: AskRuntime,
    outlet: O,
    counters: Counters,
    names: Names,
    allowance: Allowance,
    /// When all entities were last told anew because some had been lost.
    told_again_at: Option<Instant>,
    own: Own,
}

impl<O: Outlet> Pipeline<O> {
    /// A pipeline that has seen nothing yet; the host is told at once.
    pub fn new(
        enricher: Enricher,
        rules: Rules,
        host: Host,
        ask_runtime: AskRuntime,
        own: Own,
        outlet: O,
    ) -> Self {
        outlet.send(Record::Host(host.clone()));
        Self {
            enricher,
            rules: Arc::new(rules),
            tally: Tally::default(),
            host,
            ask_runtime,
            outlet,
            counters: Counters::default(),
            names: Names::default(),
            allowance: Allowance::default(),
            told_again_at: None,
            own,
        }
    }

    /// The loaded rules.
    pub const fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// What requests to the API server of Kubernetes are asked on this node.
    pub fn audit_detection(&self) -> Detection {
        Detection::new(Arc::clone(&self.rules), self.host.clone(), self.counters.alerts().clone())
    }

    /// The way out, for records that are not made of the kernel's.
    pub const fn outlet(&self) -> &O {
        &self.outlet
    }

    /// What was counted since the start.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What runs now, as far as it is known.
    pub fn view(&self) -> NodeView {
        let mut processes: Vec<_> = self.enricher.processes.living().map(Arc::clone).collect();
        processes
            .sort_by_key(|process| (process.reference.key.start_time, process.reference.key.pid));
        let containers = self.enricher.containers.iter().map(Arc::clone).collect();
        NodeView { containers, processes }
    }

    /// Takes a record, in the order in which the kernel made them.
    pub fn take(&mut self, mut record: KernelRecord, now: Instant) {
        let kind = record.kind();
        self.counters.captured(kind);
        // Secrets stand in it: rules see it while they look at the start, and it is kept nowhere.
        let environment = match &mut record {
            KernelRecord::Exec(exec) => std::mem::take(&mut exec.environment),
            _ => Box::default(),
        };
        match self.enricher.take(record, now) {
            Enriched::Act(event, process) => {
                self.act(kind, event, process.as_ref(), &environment, now);
            }
            Enriched::Container(id) => self.container_began(&id, now),
            Enriched::Nothing => {}
        }
    }

    /// Brings processes and containers in line with what there is.
    pub fn resync(&mut self, snapshot: Snapshot, now: Instant) {
        for id in self.enricher.resync(snapshot, now) {
            self.container_began(&id, now);
        }
        self.own.settle(self.enricher.processes.living().map(Arc::as_ref));
    }

    /// A runtime told of a container: the entity is sent again where that completed it.
    pub fn complete(&mut self, finding: Finding, now: Instant) {
        let (told, whole) = match finding {
            Finding::Partial(told) => (told, false),
            Finding::Whole(told) => (told, true),
            Finding::Nothing(id) => return self.enricher.containers.not_found(&id, now),
        };
        if let Some(container) = self.enricher.containers.complete(*told, whole) {
            self.outlet.send(Record::Container(Box::new(Container::clone(&container))));
        }
    }

    /// Tells all entities anew, as to a publisher that may have lost them.
    pub fn announce_again(&mut self) {
        let outlet = &self.outlet;
        outlet.send(Record::Host(self.host.clone()));
        self.enricher.containers.announce_again(|container| send_container(outlet, container));
        self.enricher.processes.announce_again(|process| send_process(outlet, process));
    }

    /// Forgets what is long past, asks the runtimes again for what they did not know, and tells entities again
    /// where some were lost on their way. To be called every second or so.
    pub fn tick(&mut self, now: Instant) {
        self.enricher.tick(now);
        self.enricher.containers.ask_for_more(now, &self.ask_runtime);
        self.counters.observe(&self.enricher);
        self.counters.counts_forgotten(self.tally.forgotten());
        for loss in self.allowance.refused(Timestamp::now()) {
            self.outlet.send(Record::Loss(loss));
        }
        self.tell_again_what_was_lost(now);
    }

    fn tell_again_what_was_lost(&mut self, now: Instant) {
        let rested = self
            .told_again_at
            .is_none_or(|at| now.saturating_duration_since(at) >= TELL_AGAIN_EVERY);
        if rested && self.outlet.take_entity_loss() {
            self.told_again_at = Some(now);
            self.announce_again();
        }
    }

    fn act(
        &mut self,
        kind: RecordKind,
        event: Event,
        process: Option<&Arc<Process>>,
        environment: &str,
        now: Instant,
    ) {
        if let EventKind::Dns(answer) = &event.kind {
            self.names.learn(event.container.as_ref(), answer, now);
        }
        let leaves = !kind.is_act() || self.allowance.take(kind, event.time, now);
        let Some(process) = process else {
            // Rules need to know who acted: an unknown user is not root.
            self.counters.of_unknown_process();
            return self.send_if(leaves, event);
        };
        if leaves && is_told_with_its_process(&event.kind) {
            self.announce(event.container.as_ref(), process);
        }
        if self.rules.look_at(&event.kind) && !self.own.reads(process, &event.kind) {
            self.detect(&event, process, environment);
        }
        self.send_if(leaves, event);
    }

    fn send_if(&self, leaves: bool, event: Event) {
        if leaves {
            self.outlet.send(Record::Event(event));
        }
    }

    /// Tells the entities that the event refers to, unless they were told before.
    fn announce(&mut self, container: Option<&ContainerId>, process: &Arc<Process>) {
        let outlet = &self.outlet;
        if let Some(id) = container {
            self.enricher.containers.announce(id, |container| send_container(outlet, container));
        }
        self.enricher.processes.announce(process, |process| send_process(outlet, process));
    }

    fn detect(&mut self, event: &Event, process: &Process, environment: &str) {
        let ancestors: SmallVec<[&Process; 16]> =
            self.enricher.processes.ancestors(process).map(Arc::as_ref).collect();
        let container = event.container.as_ref();
        let remote_name = self.remote_name(event);
        let act = Act {
            event,
            process,
            ancestors: &ancestors,
            container: container.and_then(|id| self.enricher.containers.get(id)).map(Arc::as_ref),
            host: &self.host,
            remote_name: remote_name.as_deref(),
            is_on_sensor: self.own.is_reached_by(event, process, &self.enricher.processes),
            environment: (!environment.is_empty()).then_some(environment),
            login_name: self.enricher.login_name(process),
            group_name: self.enricher.group_name(process),
        };
        for alert in self.rules.alerts(&act, &mut self.tally) {
            self.counters.alerts().count(alert.priority);
            self.outlet.send(Record::Alert(Box::new(alert)));
        }
    }

    /// The name of the other end's address, of acts that begin with asking for it.
    fn remote_name(&self, event: &Event) -> Option<Arc<str>> {
        let EventKind::Network(network) = &event.kind else { return None };
        let is_outward =
            matches!(network.act, NetworkAct::Connect | NetworkAct::Datagram | NetworkAct::Close);
        let address = network.remote.filter(|_| is_outward)?.ip();
        self.names.of(event.container.as_ref(), address)
    }

    fn container_began(&mut self, id: &ContainerId, now: Instant) {
        let outlet = &self.outlet;
        self.enricher.containers.announce(id, |container| send_container(outlet, container));
        self.enricher.containers.ask_for_more(now, &self.ask_runtime);
    }
}

/// Whether the actor is told before such an event. A child that only ends is not: most children of a shell or of
/// a server that forks do no more, run their creator's program, and are named by the creator's fork event.
const fn is_told_with_its_process(kind: &EventKind) -> bool {
    !matches!(kind, EventKind::Exit(_))
}

fn send_container(outlet: &impl Outlet, container: &Container) {
    outlet.send(Record::Container(Box::new(container.clone())));
}

fn send_process(outlet: &impl Outlet, process: &Process) {
    outlet.send(Record::Process(Box::new(process.clone())));
}
