use detection::{Act, AuditAct};
use event_model::{Alert, AuditEvent, Container, Event, Host, Process, Timestamp};
use std::sync::Arc;

/// Who recorded, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Of the program that recorded.
    pub version: String,
    /// When it began to.
    pub began_at: Timestamp,
    /// The node.
    pub host: Host,
}

/// A rule file as it was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// Its path.
    pub name: String,
    /// Its contents.
    pub text: String,
}

/// What stands in a capture behind its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The rules that were asked from here on.
    Rules(Vec<RuleFile>),
    /// An act of a process.
    Act(CapturedAct),
    /// A request to the API server of Kubernetes.
    Request(CapturedRequest),
    /// Raised by the act or request before it.
    Alert(Box<Alert>),
    /// Why nothing follows.
    End(String),
}

/// An act, with all that was known of who did it and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedAct {
    /// Its place among the acts and requests of the capture, from 1.
    pub number: u64,
    /// What happened.
    pub event: Event,
    /// Who did it.
    pub process: Arc<Process>,
    /// The parent first.
    pub ancestors: Vec<Arc<Process>>,
    /// The container, as far as it was known.
    pub container: Option<Arc<Container>>,
    /// The name of the other end's address.
    pub remote_name: Option<String>,
    /// It was done to the sensor itself.
    pub is_on_sensor: bool,
    /// Of who logged in.
    pub login_name: Option<String>,
    /// Of the process's group.
    pub group_name: Option<String>,
}

impl CapturedAct {
    /// Calls `look` with the act as rules see it.
    pub fn with_act<T>(&self, host: &Host, look: impl FnOnce(&Act<'_>) -> T) -> T {
        let ancestors: Vec<&Process> = self.ancestors.iter().map(Arc::as_ref).collect();
        look(&Act {
            event: &self.event,
            process: &self.process,
            ancestors: &ancestors,
            container: self.container.as_deref(),
            host,
            remote_name: self.remote_name.as_deref(),
            is_on_sensor: self.is_on_sensor,
            // It holds secrets: no capture has it.
            environment: None,
            login_name: self.login_name.as_deref(),
            group_name: self.group_name.as_deref(),
        })
    }
}

/// A request to the API server of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedRequest {
    /// Its place among the acts and requests of the capture, from 1.
    pub number: u64,
    /// The request.
    pub event: Box<AuditEvent>,
}

impl CapturedRequest {
    /// The request as rules see it.
    pub fn act<'a>(&'a self, host: &'a Host) -> AuditAct<'a> {
        AuditAct { event: &self.event, host }
    }
}
