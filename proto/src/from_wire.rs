//! From the wire to the event model. The wire is not trusted: each field that
//! must be there is asked for by name, each number is checked.

mod audit;
mod census;
mod finding;
mod inventory;
mod kubernetes;

use crate::wire;
use event_model as model;
use uuid::Uuid;

/// A message that no sender of ours makes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum ConversionError {
    #[error("{field} is missing")]
    Missing { field: &'static str },
    #[error("{field} is {value}, which this version does not know")]
    Unknown { field: &'static str, value: i64 },
    #[error("{field} is {name:?}, which this version does not know")]
    UnknownName { field: &'static str, name: String },
    #[error("an address has {length} bytes; it has 4 or 16")]
    Address { length: usize },
    #[error("{field} has {length} bytes; a UUID has 16")]
    Uuid { field: &'static str, length: usize },
    #[error("{field} are not in ascending order within their range")]
    Order { field: &'static str },
}

pub type Result<T> = std::result::Result<T, ConversionError>;

fn required<T>(value: Option<T>, field: &'static str) -> Result<T> {
    value.ok_or(ConversionError::Missing { field })
}

pub(crate) fn unknown(field: &'static str, value: impl Into<i64>) -> ConversionError {
    ConversionError::Unknown { field, value: value.into() }
}

pub(crate) fn uuid(bytes: &[u8], field: &'static str) -> Result<Uuid> {
    Uuid::from_slice(bytes).map_err(|_| ConversionError::Uuid { field, length: bytes.len() })
}

pub fn convert_all<W, M: TryFrom<W, Error = ConversionError>>(items: Vec<W>) -> Result<Vec<M>> {
    items.into_iter().map(M::try_from).collect()
}

/// The lane with this number on the wire.
pub fn lane_from_wire(lane: i32) -> Result<model::Lane> {
    match wire::Lane::try_from(lane) {
        Ok(wire::Lane::Alert) => Ok(model::Lane::Alert),
        Ok(wire::Lane::Entity) => Ok(model::Lane::Entity),
        Ok(wire::Lane::Inventory) => Ok(model::Lane::Inventory),
        Ok(wire::Lane::Telemetry) => Ok(model::Lane::Telemetry),
        Ok(wire::Lane::Unspecified) | Err(_) => Err(unknown("lane", lane)),
    }
}

/// The component with this number on the wire.
pub fn component_from_wire(component: i32) -> Result<model::Component> {
    match wire::Component::try_from(component) {
        Ok(wire::Component::CollectorDs) => Ok(model::Component::CollectorDs),
        Ok(wire::Component::CollectorMisc) => Ok(model::Component::CollectorMisc),
        Ok(wire::Component::PublisherDs) => Ok(model::Component::PublisherDs),
        Ok(wire::Component::Unspecified) | Err(_) => Err(unknown("component", component)),
    }
}

/// A source's description, as in a greeting.
pub fn description_from_wire(raw: wire::SourceDescription) -> Result<model::SourceDescription> {
    Ok(model::SourceDescription {
        id: model::SourceId(uuid(&raw.source_id, "source_id")?),
        component: component_from_wire(raw.component)?,
        version: raw.version,
        node: raw.node,
        boot_id: uuid(&raw.boot_id, "boot_id")?,
    })
}

impl TryFrom<wire::Record> for model::Record {
    type Error = ConversionError;

    fn try_from(raw: wire::Record) -> Result<Self> {
        use wire::record::Record as Wire;
        Ok(match required(raw.record, "record")? {
            Wire::Alert(alert) => Self::Alert(Box::new(alert.try_into()?)),
            Wire::HeldAlerts(held) => Self::HeldAlerts(Box::new(held.try_into()?)),
            Wire::Loss(loss) => Self::Loss(loss.try_into()?),
            Wire::SensorStatus(status) => Self::SensorStatus(Box::new(status.try_into()?)),
            Wire::Host(host) => Self::Host(host.try_into()?),
            Wire::Container(container) => Self::Container(Box::new(container.into())),
            Wire::Process(process) => Self::Process(Box::new(process.try_into()?)),
            Wire::KubernetesObject(object) => Self::KubernetesObject(Box::new(object.into())),
            Wire::Inventory(inventory) => match inventory.census {
                Some(census) => Self::KubernetesCensus(Box::new(census.try_into()?)),
                None => Self::Inventory(Box::new(inventory.try_into()?)),
            },
            Wire::Event(event) => Self::Event(event.try_into()?),
            Wire::Audit(event) => Self::Audit(Box::new(event.try_into()?)),
            Wire::KubernetesEvent(event) => Self::KubernetesEvent(Box::new(event.try_into()?)),
        })
    }
}

impl From<wire::ProcessKey> for model::ProcessKey {
    fn from(raw: wire::ProcessKey) -> Self {
        Self { pid: raw.pid, start_time: raw.start_time }
    }
}

impl From<wire::ProcessRef> for model::ProcessRef {
    fn from(raw: wire::ProcessRef) -> Self {
        let key = model::ProcessKey { pid: raw.pid, start_time: raw.start_time };
        Self { key, generation: raw.generation }
    }
}

impl TryFrom<wire::Process> for model::Process {
    type Error = ConversionError;

    fn try_from(raw: wire::Process) -> Result<Self> {
        Ok(Self {
            reference: required(raw.reference, "process.reference")?.into(),
            parent: raw.parent.map(Into::into),
            name: raw.name,
            executable: required(raw.executable, "process.executable")?.into(),
            arguments: raw.arguments,
            arguments_truncated: raw.arguments_truncated,
            working_directory: raw.working_directory,
            credentials: required(raw.credentials, "process.credentials")?.into(),
            user_name: raw.user_name,
            namespace_pid: raw.namespace_pid,
            process_group: 0,
            terminal: raw.terminal,
            container: raw.container_id.as_deref().map(Into::into),
            started_at: model::Timestamp(raw.started_at),
        })
    }
}

impl From<wire::Executable> for model::Executable {
    fn from(raw: wire::Executable) -> Self {
        Self {
            path: raw.path,
            invoked_as: raw.invoked_as,
            inode: raw.inode,
            device: raw.device,
            mode: raw.mode,
            owner: raw.owner,
            changed_at: model::Timestamp(raw.changed_at),
            modified_at: model::Timestamp(raw.modified_at),
            upper_layer: raw.upper_layer,
            memfd: raw.memfd,
            unlinked: raw.unlinked,
        }
    }
}

impl From<wire::Credentials> for model::Credentials {
    fn from(raw: wire::Credentials) -> Self {
        Self {
            uid: raw.uid,
            euid: raw.euid,
            gid: raw.gid,
            egid: raw.egid,
            login_uid: raw.login_uid,
            capabilities_effective: raw.capabilities_effective,
            capabilities_permitted: raw.capabilities_permitted,
        }
    }
}

impl From<wire::Container> for model::Container {
    fn from(raw: wire::Container) -> Self {
        Self {
            id: raw.id.as_str().into(),
            runtime: raw.runtime,
            name: raw.name,
            image: raw.image,
            image_digest: raw.image_digest,
            pod: raw.pod.map(Into::into),
            labels: raw.labels.into_iter().collect(),
            privileged: raw.privileged,
            cgroup_path: raw.cgroup_path,
            created_at: raw.created_at.map(model::Timestamp),
            mounts: None,
        }
    }
}

impl From<wire::Pod> for model::Pod {
    fn from(raw: wire::Pod) -> Self {
        Self {
            uid: raw.uid,
            name: raw.name,
            namespace: raw.namespace,
            labels: raw.labels.into_iter().collect(),
            service_account: raw.service_account,
        }
    }
}

impl TryFrom<wire::Host> for model::Host {
    type Error = ConversionError;

    fn try_from(raw: wire::Host) -> Result<Self> {
        Ok(Self {
            boot_id: uuid(&raw.boot_id, "host.boot_id")?,
            node: raw.node,
            hostname: raw.hostname,
            machine_id: raw.machine_id,
            kernel: raw.kernel,
            operating_system: raw.operating_system,
            architecture: raw.architecture,
        })
    }
}

impl TryFrom<wire::Event> for model::Event {
    type Error = ConversionError;

    fn try_from(raw: wire::Event) -> Result<Self> {
        Ok(Self {
            time: model::Timestamp(raw.time),
            process: required(raw.process, "event.process")?.into(),
            container: raw.container_id.as_deref().map(Into::into),
            kind: required(raw.kind, "event.kind")?.try_into()?,
        })
    }
}

impl TryFrom<wire::event::Kind> for model::EventKind {
    type Error = ConversionError;

    fn try_from(raw: wire::event::Kind) -> Result<Self> {
        use wire::event::Kind;
        Ok(match raw {
            Kind::Exec(wire::Exec {}) => Self::Exec,
            Kind::Fork(fork) => Self::Fork { child: required(fork.child, "fork.child")?.into() },
            Kind::Exit(exit) => Self::Exit(exit.try_into()?),
            Kind::File(event) => Self::File(Box::new(event.try_into()?)),
            Kind::Network(event) => Self::Network(Box::new(event.try_into()?)),
            Kind::Dns(event) => Self::Dns(Box::new(event.try_into()?)),
            Kind::System(event) => Self::System(Box::new(event.try_into()?)),
        })
    }
}

impl TryFrom<wire::Exit> for model::ExitStatus {
    type Error = ConversionError;

    fn try_from(raw: wire::Exit) -> Result<Self> {
        Ok(Self {
            code: u8::try_from(raw.code).map_err(|_| unknown("exit.code", raw.code))?,
            signal: u8::try_from(raw.signal).map_err(|_| unknown("exit.signal", raw.signal))?,
            core_dumped: raw.core_dumped,
        })
    }
}

impl TryFrom<wire::Alert> for model::Alert {
    type Error = ConversionError;

    fn try_from(raw: wire::Alert) -> Result<Self> {
        Ok(Self {
            id: uuid(&raw.id, "alert.id")?,
            time: model::Timestamp(raw.time),
            detected_at: model::Timestamp(raw.detected_at),
            rule: raw.rule,
            priority: priority_from_wire(raw.priority)?,
            message: raw.message,
            tags: raw.tags,
            subject: match raw.audit {
                Some(event) => model::AlertSubject::Audit(Box::new(event.try_into()?)),
                None => model::AlertSubject::Act {
                    event: required(raw.event, "alert.event")?.try_into()?,
                    process_chain: convert_all(raw.process_chain)?,
                    container: raw.container.map(Into::into),
                },
            },
            host: required(raw.host, "alert.host")?.try_into()?,
            matched_fields: raw.matched_fields.into_iter().map(Into::into).collect(),
        })
    }
}

fn priority_from_wire(priority: i32) -> Result<model::Priority> {
    use wire::Priority as Wire;
    match Wire::try_from(priority) {
        Ok(Wire::Emergency) => Ok(model::Priority::Emergency),
        Ok(Wire::Alert) => Ok(model::Priority::Alert),
        Ok(Wire::Critical) => Ok(model::Priority::Critical),
        Ok(Wire::Error) => Ok(model::Priority::Error),
        Ok(Wire::Warning) => Ok(model::Priority::Warning),
        Ok(Wire::Notice) => Ok(model::Priority::Notice),
        Ok(Wire::Informational) => Ok(model::Priority::Informational),
        Ok(Wire::Debug) => Ok(model::Priority::Debug),
        Ok(Wire::Unspecified) | Err(_) => Err(unknown("alert.priority", priority)),
    }
}

impl From<wire::MatchedField> for model::MatchedField {
    fn from(raw: wire::MatchedField) -> Self {
        Self { field: raw.field, value: raw.value }
    }
}

impl TryFrom<wire::Loss> for model::Loss {
    type Error = ConversionError;

    fn try_from(raw: wire::Loss) -> Result<Self> {
        Ok(Self {
            lane: lane_from_wire(raw.lane)?,
            kind: raw.kind,
            reason: loss_reason_from_wire(raw.reason)?,
            count: raw.count,
            since: model::Timestamp(raw.since),
            until: model::Timestamp(raw.until),
        })
    }
}

fn loss_reason_from_wire(reason: i32) -> Result<model::LossReason> {
    use wire::LossReason as Wire;
    match Wire::try_from(reason) {
        Ok(Wire::RingFull) => Ok(model::LossReason::RingFull),
        Ok(Wire::Undecodable) => Ok(model::LossReason::Undecodable),
        Ok(Wire::QueueFull) => Ok(model::LossReason::QueueFull),
        Ok(Wire::SpoolFull) => Ok(model::LossReason::SpoolFull),
        Ok(Wire::SpoolCorrupt) => Ok(model::LossReason::SpoolCorrupt),
        Ok(Wire::DiskError) => Ok(model::LossReason::DiskError),
        Ok(Wire::RateLimited) => Ok(model::LossReason::RateLimited),
        Ok(Wire::TooLarge) => Ok(model::LossReason::TooLarge),
        Ok(Wire::Rejected) => Ok(model::LossReason::Rejected),
        Ok(Wire::SpoolExpired) => Ok(model::LossReason::SpoolExpired),
        // A newer publisher must not have its envelopes refused for a reason that is newer than we are.
        Ok(Wire::Other) | Err(_) => Ok(model::LossReason::Other),
        Ok(Wire::Unspecified) => Err(unknown("loss.reason", reason)),
    }
}

impl TryFrom<wire::SensorStatus> for model::SensorStatus {
    type Error = ConversionError;

    fn try_from(raw: wire::SensorStatus) -> Result<Self> {
        Ok(Self {
            description: description_from_wire(required(raw.description, "status.description")?)?,
            started_at: model::Timestamp(raw.started_at),
            observed_at: model::Timestamp(raw.observed_at),
            problems: raw.problems,
            probes: convert_all(raw.probes)?,
            rules_loaded: raw.rules_loaded,
            blind_rules: raw.blind_rules.into_iter().map(Into::into).collect(),
            counters: raw.counters.into_iter().collect(),
        })
    }
}

impl TryFrom<wire::ProbeCoverage> for model::ProbeCoverage {
    type Error = ConversionError;

    fn try_from(raw: wire::ProbeCoverage) -> Result<Self> {
        let state = match raw.state() {
            wire::ProbeState::Active => model::ProbeState::Active,
            wire::ProbeState::Unsupported => model::ProbeState::Unsupported,
            wire::ProbeState::Failed => model::ProbeState::Failed,
            wire::ProbeState::Off => model::ProbeState::Off,
            wire::ProbeState::Unspecified => return Err(unknown("probe.state", raw.state)),
        };
        Ok(Self { probe: raw.probe, hook: raw.hook, state, reason: raw.reason })
    }
}

impl From<wire::BlindRule> for model::BlindRule {
    fn from(raw: wire::BlindRule) -> Self {
        Self { rule: raw.rule, reason: raw.reason }
    }
}
