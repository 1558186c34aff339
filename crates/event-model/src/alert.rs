use crate::{AuditEvent, Container, Event, Host, Process, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// How urgent a rule's author holds a match to be: syslog's severities, as the rule language uses them.
/// The most urgent sorts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // The names are syslog's.
pub enum Priority {
    Emergency,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    Informational,
    Debug,
}

impl Priority {
    /// All priorities, the most urgent first.
    pub const ALL: [Self; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Informational,
        Self::Debug,
    ];

    /// The name used in rules, metrics and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Emergency => "emergency",
            Self::Alert => "alert",
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Informational => "informational",
            Self::Debug => "debug",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Priority {
    type Err = ();

    /// Case does not matter, and `INFO` is short for informational, as in existing rule files.
    fn from_str(text: &str) -> Result<Self, ()> {
        if text.eq_ignore_ascii_case("info") {
            return Ok(Self::Informational);
        }
        Self::ALL.into_iter().find(|p| p.name().eq_ignore_ascii_case(text)).ok_or(())
    }
}

/// A field that made a rule match, and its value then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchedField {
    /// Such as `proc.name`.
    pub field: String,
    /// The value as the rule language prints it.
    pub value: String,
}

/// A match of a rule, with its evidence whole: it refers to no other record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Made by the engine that matched.
    pub id: Uuid,
    /// When the act happened, by the kernel's clock; or when the request was noted, by the API server's.
    pub time: Timestamp,
    /// When the rule matched.
    pub detected_at: Timestamp,
    /// The rule's name.
    pub rule: String,
    /// The rule's priority.
    pub priority: Priority,
    /// The rule's output, filled in.
    pub message: String,
    /// The rule's tags, MITRE techniques among them.
    pub tags: Vec<String>,
    /// What matched.
    pub subject: AlertSubject,
    /// The node where it was seen.
    pub host: Host,
    /// The fields that the rule's condition compared, and their values.
    pub matched_fields: Vec<MatchedField>,
}

/// What an alert is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant)] // Alerts are few, and travel in boxes.
pub enum AlertSubject {
    /// What a process did.
    Act {
        /// The act.
        event: Event,
        /// The process that acted, then its parent, and so on to the root.
        process_chain: Vec<Process>,
        /// The container it acted in, as far as it was known then.
        container: Option<Container>,
    },
    /// A request to the API server of Kubernetes.
    Audit(Box<AuditEvent>),
}

impl Alert {
    /// The act; None where the alert is about a request.
    pub fn event(&self) -> Option<&Event> {
        match &self.subject {
            AlertSubject::Act { event, .. } => Some(event),
            AlertSubject::Audit(_) => None,
        }
    }

    /// The process that acted, then its parent, and so on; empty where the alert is about a request.
    pub fn process_chain(&self) -> &[Process] {
        match &self.subject {
            AlertSubject::Act { process_chain, .. } => process_chain,
            AlertSubject::Audit(_) => &[],
        }
    }

    /// The container in which a process acted, as far as it was known then.
    pub fn container(&self) -> Option<&Container> {
        match &self.subject {
            AlertSubject::Act { container, .. } => container.as_ref(),
            AlertSubject::Audit(_) => None,
        }
    }

    /// The request to the API server of Kubernetes, where the alert is about one.
    pub fn audit(&self) -> Option<&AuditEvent> {
        match &self.subject {
            AlertSubject::Act { .. } => None,
            AlertSubject::Audit(event) => Some(event),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Priority;

    #[test]
    fn priorities_read_as_rule_files_write_them() {
        assert_eq!("WARNING".parse(), Ok(Priority::Warning));
        assert_eq!("INFO".parse(), Ok(Priority::Informational));
        assert!("urgent".parse::<Priority>().is_err());
        assert!(Priority::Critical < Priority::Notice);
    }
}
