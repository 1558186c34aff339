use super::audit::AuditEvent;
use super::container::Container;
use super::kind::EventKind;
use super::process::Process;
use crate::alerts::CompleteAlert;
use crate::store::AuditRecord;
use event_model as model;
use model::{AlertSubject, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A match of a rule, with its evidence.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Alert {
    /// The alert's id.
    #[schema(value_type = String, format = "uuid")]
    pub id: Uuid,
    /// Its place in the order of arrival: the `id:` of the stream.
    pub number: i64,
    /// The rule's name.
    #[schema(example = "Shell in a container")]
    pub rule: String,
    /// The rule's priority.
    #[schema(example = "warning")]
    pub priority: &'static str,
    /// The rule's output, filled in.
    pub message: String,
    /// The rule's tags, MITRE techniques among them.
    pub tags: Vec<String>,
    /// When the act happened, by the kernel's clock; or when the request was noted, by the API server's.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// When the rule matched.
    #[schema(value_type = String, format = DateTime)]
    pub detected_at: Timestamp,
    /// When the alert arrived here.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
    /// Alerts that told the same and were counted instead of sent.
    pub repeated: u64,
    /// Alerts of this rule, of other acts in the same place, that were too many to be sent, since this one.
    pub rate_limited: u64,
    /// When the last of these happened; null without any.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub held_until: Option<Timestamp>,
    /// The cluster, as the publisher's certificate says.
    pub cluster: String,
    /// The node, as the publisher's certificate says.
    pub node: String,
    /// What a process did; null where the alert is about a request.
    pub kind: Option<EventKind>,
    /// The request to the API server of Kubernetes that the alert is about, instead of what a process did.
    pub audit: Option<AuditEvent>,
    /// The command line of the process that acted.
    pub command_line: Option<String>,
    /// The process that acted, then its parent, and so on to the root. Empty where the alert is about a request.
    pub process_chain: Vec<Process>,
    /// The container it acted in; null on the host itself.
    pub container: Option<Container>,
    /// The fields that the rule's condition compared, and their values then.
    pub matched_fields: Vec<MatchedField>,
    /// The host.
    pub host: Host,
}

/// A field that made a rule match.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MatchedField {
    /// Such as `proc.name`.
    pub field: String,
    /// The value as the rule language prints it.
    pub value: String,
}

/// A host, as its sensor describes it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Host {
    /// The kernel's boot id.
    #[schema(value_type = String, format = "uuid")]
    pub boot_id: Uuid,
    /// Host name.
    pub hostname: String,
    /// `/etc/machine-id`.
    pub machine_id: Option<String>,
    /// Kernel release.
    pub kernel: String,
    /// PRETTY_NAME of os-release.
    pub operating_system: String,
    /// Machine architecture.
    pub architecture: String,
}

impl From<model::Host> for Host {
    fn from(host: model::Host) -> Self {
        Self {
            boot_id: host.boot_id,
            hostname: host.hostname,
            machine_id: host.machine_id,
            kernel: host.kernel,
            operating_system: host.operating_system,
            architecture: host.architecture,
        }
    }
}

impl From<CompleteAlert> for Alert {
    fn from(complete: CompleteAlert) -> Self {
        let CompleteAlert { number, received_at, publisher, alert, held } = complete;
        let field = |matched: model::MatchedField| MatchedField {
            field: matched.field,
            value: matched.value,
        };
        let cluster = publisher.cluster.to_string();
        let node = publisher.node.to_string();
        let (kind, audit, process_chain, container) = match alert.subject {
            AlertSubject::Act { event, process_chain, container } => {
                (Some((&event.kind).into()), None, process_chain, container)
            }
            AlertSubject::Audit(event) => {
                let record = AuditRecord { publisher, event: *event };
                (None, Some(record.into()), vec![], None)
            }
        };
        Self {
            id: alert.id,
            number,
            rule: alert.rule,
            priority: alert.priority.name(),
            message: alert.message,
            tags: alert.tags,
            time: alert.time,
            detected_at: alert.detected_at,
            received_at,
            repeated: held.repeated,
            rate_limited: held.rate_limited,
            held_until: held.until,
            cluster,
            node,
            kind,
            audit,
            command_line: process_chain.first().map(model::Process::command_line),
            process_chain: process_chain.iter().map(Into::into).collect(),
            container: container.map(Into::into),
            matched_fields: alert.matched_fields.into_iter().map(field).collect(),
            host: alert.host.into(),
        }
    }
}
