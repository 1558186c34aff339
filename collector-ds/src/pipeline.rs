//! The way of a record: from the kernel's word through its meaning and the rules to the publisher.

mod allowance;
mod counters;
mod names;
#[cfg(test)]
mod tests;

use allowance::Allowance;
pub use counters::Counters;
use names::Names;

use crate::enrich::containers::metadata::Finding;
use crate::enrich::{Enriched, Enricher};
use crate::inventory::NodeView;
use crate::kernel::{OwnObjects, Snapshot};
use crate::own::Own;
use crate::publish::Outlet;
use crate::record::Recorder;
use alerting::{
    AlertGate, AlertsConfig, MemoryState, RequestDetection, RuleMemory, Rules, SharedRules, Subject,
};
use arc_swap::ArcSwap;
use detection::{Act, Match};
use ebpf_probes::{KernelRecord, RecordKind};
use event_model::{
    Container, ContainerId, Event, EventKind, Host, NetworkAct, Process, Record, Timestamp,
};
use smallvec::SmallVec;
use std::path::PathBuf;
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
    /// The same, for those who ask rules on other threads.
    shared_rules: SharedRules,
    memory: RuleMemory,
    /// Of the rules about requests.
    audit_memory: MemoryState,
    host: Host,
    ask_runtime: AskRuntime,
    outlet: O,
    counters: Counters,
    names: Names,
    allowance: Allowance,
    /// When all entities were last told anew because some had been lost.
    told_again_at: Option<Instant>,
    own: Own,
    alerts: AlertsConfig,
    gate: AlertGate,
    recorder: Option<Recorder>,
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
        let rules = Arc::new(rules);
        let (alerts, counters) = (AlertsConfig::default(), Counters::default());
        Self {
            enricher,
            shared_rules: Arc::new(ArcSwap::from(Arc::clone(&rules))),
            rules,
            memory: RuleMemory::default(),
            audit_memory: MemoryState::default(),
            host,
            ask_runtime,
            outlet,
            gate: AlertGate::new(&alerts, counters.alerts().clone()),
            alerts,
            counters,
            names: Names::default(),
            allowance: Allowance::default(),
            told_again_at: None,
            own,
            recorder: None,
        }
    }

    /// The same, that sends as many alerts one by one as is configured.
    #[must_use]
    pub fn with_alerts(self, alerts: AlertsConfig) -> Self {
        let gate = AlertGate::new(&alerts, self.counters.alerts().clone());
        Self { alerts, gate, ..self }
    }

    /// What rules are asked, with the alerts, goes there too.
    #[must_use]
    pub fn recorded_by(self, recorder: Option<Recorder>) -> Self {
        Self { recorder, ..self }
    }

    /// The loaded rules.
    pub const fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// From the next record on, these rules are asked; of the rules that stay as they were, what was counted is kept.
    /// `files` are theirs, for a recording.
    pub fn exchange_rules(&mut self, rules: Rules, files: &[PathBuf]) {
        self.rules = Arc::new(rules);
        self.memory.exchange_rules(&self.rules);
        self.shared_rules.store(Arc::clone(&self.rules));
        if let Some(recorder) = &self.recorder {
            recorder.rules(files);
        }
    }

    /// What is the sensor's own.
    pub const fn own(&self) -> &Own {
        &self.own
    }

    /// What the sensor has in the kernel changed.
    pub fn know_own_objects(&mut self, objects: OwnObjects) {
        self.own.know_objects(objects);
    }

    /// What requests to the API server of Kubernetes are asked on this node, with what their rules remember.
    pub fn audit_detection(&mut self, memory: RuleMemory) -> RequestDetection {
        self.audit_memory = memory.state().clone();
        let gate = AlertGate::new(&self.alerts, self.counters.alerts().clone());
        RequestDetection::new(Arc::clone(&self.shared_rules), memory, self.host.clone(), gate)
            .witnessed_by(self.recorder.clone().map(Recorder::witness))
    }

    /// What the rules remember is this, instead of nothing.
    pub fn remember(&mut self, memory: RuleMemory) {
        self.memory = memory;
    }

    /// What is wrong with what the rules remember.
    pub fn memory_problems(&self) -> impl Iterator<Item = String> {
        [self.memory.state(), &self.audit_memory].into_iter().filter_map(MemoryState::problem)
    }

    /// The way out, for records that are not made of the kernel's.
    pub const fn outlet(&self) -> &O {
        &self.outlet
    }

    /// What was counted since the start.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Why nothing is recorded that was to be.
    pub fn recording_problem(&self) -> Option<String> {
        self.recorder.as_ref()?.problem()
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
        self.memory.tick(now);
        let memories = [self.memory.state(), &self.audit_memory];
        self.counters.counts_forgotten(memories.map(MemoryState::forgotten).iter().sum());
        self.gate.tell(now, &self.outlet);
        if let Some(recorder) = &self.recorder {
            recorder.flush();
        }
        for loss in self.allowance.refused(Timestamp::now()) {
            self.outlet.send(Record::Loss(loss));
        }
        self.tell_again_what_was_lost(now);
    }

    /// Tells what was counted and is not told yet, and keeps what was learnt last.
    pub fn end(&mut self) {
        self.gate.tell_all(&self.outlet);
        self.memory.end();
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
        // Other rules, of which a capture is asked later, may look at what these do not.
        let is_asked = self.rules.look_at(&event.kind) || self.recorder.is_some();
        if is_asked && !self.own.reads(process, &event.kind) {
            self.detect(&event, process, environment, now);
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

    fn detect(&mut self, event: &Event, process: &Arc<Process>, environment: &str, now: Instant) {
        let ancestors: SmallVec<[&Process; 16]> =
            self.enricher.processes.ancestors(process).map(Arc::as_ref).collect();
        let container = event.container.as_ref();
        let container = container.and_then(|id| self.enricher.containers.get(id));
        let remote_name = self.remote_name(event);
        let act = Act {
            event,
            process,
            ancestors: &ancestors,
            container: container.map(Arc::as_ref),
            host: &self.host,
            remote_name: remote_name.as_deref(),
            is_on_sensor: self.own.is_reached_by(event, process, &self.enricher.processes),
            environment: (!environment.is_empty()).then_some(environment),
            login_name: self.enricher.login_name(process),
            group_name: self.enricher.group_name(process),
        };
        let matches = self.rules.matches(&act, &mut self.memory.tally);
        if let Some(recorder) = &self.recorder {
            let ancestors = self.enricher.processes.ancestors(process);
            let alert = |matched: &Match<'_>| matched.clone().into_alert(&act, Timestamp::now());
            // A capture has no environment, which holds secrets: its replay makes no alert of it either.
            let replays = |matched: &&Match<'_>| !matched.rule().wants_environment();
            let alerts: Vec<_> = matches.iter().filter(replays).map(alert).collect();
            recorder.act(&act, process, ancestors, container, &alerts);
        }
        for matched in matches {
            self.gate.take(matched, Subject::Act(&act), now, &self.outlet);
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
