use crate::object::Choice;
use event_model::{FindingSeverity, Priority};

/// The severity of a finding. The schema has fewer than syslog.
pub const fn severity(priority: Priority) -> Choice {
    match priority {
        Priority::Emergency => (6, "Fatal"),
        Priority::Alert | Priority::Critical => (5, "Critical"),
        Priority::Error => (4, "High"),
        Priority::Warning => (3, "Medium"),
        Priority::Notice => (2, "Low"),
        Priority::Informational | Priority::Debug => (1, "Informational"),
    }
}

/// The severity of a posture finding: the schema's own.
pub const fn of_finding(severity: FindingSeverity) -> Choice {
    match severity {
        FindingSeverity::Informational => (1, "Informational"),
        FindingSeverity::Low => (2, "Low"),
        FindingSeverity::Medium => (3, "Medium"),
        FindingSeverity::High => (4, "High"),
        FindingSeverity::Critical => (5, "Critical"),
    }
}
