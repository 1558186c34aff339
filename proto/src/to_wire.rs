//! From the event model to the wire. Nothing here can fail.

mod audit;
mod census;
mod finding;
mod inventory;
mod kubernetes;

use crate::wire;
use event_model as model;

/// The wire's number of a lane.
pub const fn lane_to_wire(lane: model::Lane) -> wire::Lane {
    match lane {
        model::Lane::Alert => wire::Lane::Alert,
        model::Lane::Entity => wire::Lane::Entity,
        model::Lane::Inventory => wire::Lane::Inventory,
        model::Lane::Telemetry => wire::Lane::Telemetry,
    }
}

/// The wire's number of a component.
pub const fn component_to_wire(component: model::Component) -> wire::Component {
    match component {
        model::Component::CollectorDs => wire::Component::CollectorDs,
        model::Component::CollectorMisc => wire::Component::CollectorMisc,
        model::Component::PublisherDs => wire::Component::PublisherDs,
    }
}

/// A source's description, as in a greeting.
pub fn description_to_wire(description: &model::SourceDescription) -> wire::SourceDescription {
    wire::SourceDescription {
        source_id: description.id.0.as_bytes().to_vec(),
        component: component_to_wire(description.component).into(),
        version: description.version.clone(),
        node: description.node.clone(),
        boot_id: description.boot_id.as_bytes().to_vec(),
    }
}

impl From<&model::Record> for wire::Record {
    fn from(record: &model::Record) -> Self {
        use wire::record::Record as Wire;
        let record = match record {
            model::Record::Alert(alert) => Wire::Alert(alert.as_ref().into()),
            model::Record::HeldAlerts(held) => Wire::HeldAlerts(held.as_ref().into()),
            model::Record::Loss(loss) => Wire::Loss(loss.into()),
            model::Record::SensorStatus(status) => Wire::SensorStatus(status.as_ref().into()),
            model::Record::Host(host) => Wire::Host(host.into()),
            model::Record::Container(container) => Wire::Container(container.as_ref().into()),
            model::Record::Process(process) => Wire::Process(process.as_ref().into()),
            model::Record::KubernetesObject(object) => {
                Wire::KubernetesObject(object.as_ref().into())
            }
            model::Record::Inventory(inventory) => Wire::Inventory(inventory.as_ref().into()),
            model::Record::KubernetesCensus(census) => Wire::Inventory(census.as_ref().into()),
            model::Record::Event(event) => Wire::Event(event.into()),
            model::Record::Audit(event) => Wire::Audit(event.as_ref().into()),
            model::Record::KubernetesEvent(event) => Wire::KubernetesEvent(event.as_ref().into()),
        };
        Self { record: Some(record) }
    }
}

impl From<&model::ProcessKey> for wire::ProcessKey {
    fn from(key: &model::ProcessKey) -> Self {
        Self { pid: key.pid, start_time: key.start_time }
    }
}

impl From<&model::ProcessRef> for wire::ProcessRef {
    fn from(reference: &model::ProcessRef) -> Self {
        Self {
            pid: reference.key.pid,
            start_time: reference.key.start_time,
            generation: reference.generation,
        }
    }
}

impl From<&model::Process> for wire::Process {
    fn from(process: &model::Process) -> Self {
        Self {
            reference: Some((&process.reference).into()),
            parent: process.parent.as_ref().map(Into::into),
            name: process.name.clone(),
            executable: Some((&process.executable).into()),
            arguments: process.arguments.clone(),
            arguments_truncated: process.arguments_truncated,
            working_directory: process.working_directory.clone(),
            credentials: Some((&process.credentials).into()),
            user_name: process.user_name.clone(),
            namespace_pid: process.namespace_pid,
            terminal: process.terminal.clone(),
            container_id: process.container.as_ref().map(ToString::to_string),
            started_at: process.started_at.0,
        }
    }
}

impl From<&model::Executable> for wire::Executable {
    fn from(executable: &model::Executable) -> Self {
        Self {
            path: executable.path.clone(),
            invoked_as: executable.invoked_as.clone(),
            inode: executable.inode,
            device: executable.device,
            mode: executable.mode,
            owner: executable.owner,
            changed_at: executable.changed_at.0,
            modified_at: executable.modified_at.0,
            upper_layer: executable.upper_layer,
            memfd: executable.memfd,
            unlinked: executable.unlinked,
        }
    }
}

impl From<&model::Credentials> for wire::Credentials {
    fn from(credentials: &model::Credentials) -> Self {
        Self {
            uid: credentials.uid,
            euid: credentials.euid,
            gid: credentials.gid,
            egid: credentials.egid,
            login_uid: credentials.login_uid,
            capabilities_effective: credentials.capabilities_effective,
            capabilities_permitted: credentials.capabilities_permitted,
        }
    }
}

impl From<&model::Container> for wire::Container {
    fn from(container: &model::Container) -> Self {
        Self {
            id: container.id.to_string(),
            runtime: container.runtime.clone(),
            name: container.name.clone(),
            image: container.image.clone(),
            image_digest: container.image_digest.clone(),
            pod: container.pod.as_ref().map(Into::into),
            labels: container.labels.clone().into_iter().collect(),
            privileged: container.privileged,
            cgroup_path: container.cgroup_path.clone(),
            created_at: container.created_at.map(|time| time.0),
        }
    }
}

impl From<&model::Pod> for wire::Pod {
    fn from(pod: &model::Pod) -> Self {
        Self {
            uid: pod.uid.clone(),
            name: pod.name.clone(),
            namespace: pod.namespace.clone(),
            labels: pod.labels.clone().into_iter().collect(),
            service_account: pod.service_account.clone(),
        }
    }
}

impl From<&model::Host> for wire::Host {
    fn from(host: &model::Host) -> Self {
        Self {
            boot_id: host.boot_id.as_bytes().to_vec(),
            node: host.node.clone(),
            hostname: host.hostname.clone(),
            machine_id: host.machine_id.clone(),
            kernel: host.kernel.clone(),
            operating_system: host.operating_system.clone(),
            architecture: host.architecture.clone(),
        }
    }
}

impl From<&model::Event> for wire::Event {
    fn from(event: &model::Event) -> Self {
        Self {
            time: event.time.0,
            process: Some((&event.process).into()),
            container_id: event.container.as_ref().map(ToString::to_string),
            kind: Some((&event.kind).into()),
        }
    }
}

impl From<&model::EventKind> for wire::event::Kind {
    fn from(kind: &model::EventKind) -> Self {
        match kind {
            model::EventKind::Exec => Self::Exec(wire::Exec {}),
            model::EventKind::Fork { child } => {
                Self::Fork(wire::Fork { child: Some(child.into()) })
            }
            model::EventKind::Exit(status) => Self::Exit(wire::Exit {
                code: status.code.into(),
                signal: status.signal.into(),
                core_dumped: status.core_dumped,
            }),
            model::EventKind::File(event) => Self::File(event.as_ref().into()),
            model::EventKind::Network(event) => Self::Network(event.as_ref().into()),
            model::EventKind::Dns(event) => Self::Dns(event.as_ref().into()),
            model::EventKind::System(event) => Self::System(event.as_ref().into()),
        }
    }
}

impl From<&model::Alert> for wire::Alert {
    fn from(alert: &model::Alert) -> Self {
        Self {
            id: alert.id.as_bytes().to_vec(),
            time: alert.time.0,
            detected_at: alert.detected_at.0,
            rule: alert.rule.clone(),
            priority: priority_to_wire(alert.priority).into(),
            message: alert.message.clone(),
            tags: alert.tags.clone(),
            event: alert.event().map(Into::into),
            process_chain: alert.process_chain().iter().map(Into::into).collect(),
            container: alert.container().map(Into::into),
            audit: alert.audit().map(Into::into),
            host: Some((&alert.host).into()),
            matched_fields: alert.matched_fields.iter().map(Into::into).collect(),
        }
    }
}

const fn priority_to_wire(priority: model::Priority) -> wire::Priority {
    match priority {
        model::Priority::Emergency => wire::Priority::Emergency,
        model::Priority::Alert => wire::Priority::Alert,
        model::Priority::Critical => wire::Priority::Critical,
        model::Priority::Error => wire::Priority::Error,
        model::Priority::Warning => wire::Priority::Warning,
        model::Priority::Notice => wire::Priority::Notice,
        model::Priority::Informational => wire::Priority::Informational,
        model::Priority::Debug => wire::Priority::Debug,
    }
}

impl From<&model::MatchedField> for wire::MatchedField {
    fn from(matched: &model::MatchedField) -> Self {
        Self { field: matched.field.clone(), value: matched.value.clone() }
    }
}

impl From<&model::Loss> for wire::Loss {
    fn from(loss: &model::Loss) -> Self {
        Self {
            lane: lane_to_wire(loss.lane).into(),
            kind: loss.kind.clone(),
            reason: loss_reason_to_wire(loss.reason).into(),
            count: loss.count,
            since: loss.since.0,
            until: loss.until.0,
        }
    }
}

const fn loss_reason_to_wire(reason: model::LossReason) -> wire::LossReason {
    match reason {
        model::LossReason::RingFull => wire::LossReason::RingFull,
        model::LossReason::Undecodable => wire::LossReason::Undecodable,
        model::LossReason::QueueFull => wire::LossReason::QueueFull,
        model::LossReason::SpoolFull => wire::LossReason::SpoolFull,
        model::LossReason::SpoolCorrupt => wire::LossReason::SpoolCorrupt,
        model::LossReason::DiskError => wire::LossReason::DiskError,
        model::LossReason::RateLimited => wire::LossReason::RateLimited,
        model::LossReason::TooLarge => wire::LossReason::TooLarge,
        model::LossReason::Rejected => wire::LossReason::Rejected,
        model::LossReason::SpoolExpired => wire::LossReason::SpoolExpired,
        model::LossReason::Other => wire::LossReason::Other,
    }
}

impl From<&model::SensorStatus> for wire::SensorStatus {
    fn from(status: &model::SensorStatus) -> Self {
        Self {
            description: Some(description_to_wire(&status.description)),
            started_at: status.started_at.0,
            observed_at: status.observed_at.0,
            problems: status.problems.clone(),
            probes: status.probes.iter().map(Into::into).collect(),
            rules_loaded: status.rules_loaded,
            blind_rules: status.blind_rules.iter().map(Into::into).collect(),
            counters: status.counters.clone().into_iter().collect(),
        }
    }
}

impl From<&model::ProbeCoverage> for wire::ProbeCoverage {
    fn from(coverage: &model::ProbeCoverage) -> Self {
        let state = match coverage.state {
            model::ProbeState::Active => wire::ProbeState::Active,
            model::ProbeState::Unsupported => wire::ProbeState::Unsupported,
            model::ProbeState::Failed => wire::ProbeState::Failed,
            model::ProbeState::Off => wire::ProbeState::Off,
        };
        Self {
            probe: coverage.probe.clone(),
            hook: coverage.hook.clone(),
            state: state.into(),
            reason: coverage.reason.clone(),
        }
    }
}

impl From<&model::BlindRule> for wire::BlindRule {
    fn from(blind: &model::BlindRule) -> Self {
        Self { rule: blind.rule.clone(), reason: blind.reason.clone() }
    }
}
