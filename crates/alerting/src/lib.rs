//! From what rules match to alerts, in each program that asks rules: which rules are in force, what they remember, and
//! which of their alerts leave.
//!
//! ```text
//! files ──▶ reload ──▶ rules ──▶ memory ──▶ alert_gate ──▶ outlet
//! ```
//!
//! [`Rules`] are read from files and exchanged while they are asked ([`Reload`]); [`RuleMemory`] is what they remember on one
//! thread; the [`AlertGate`] sends an alert or counts it. [`RequestDetection`] is all of that for requests to the API server of
//! Kubernetes, which come from its audit file or by its webhook.

mod alert_counts;
mod alert_gate;
mod config;
mod expiry;
mod reload;
mod requests;
mod rule_memory;
mod rule_metrics;
mod rule_state;
mod rules;

pub use alert_counts::AlertCounts;
pub use alert_gate::{AlertGate, AlertsConfig, Subject};
pub use config::{RulesConfig, SuppressionsConfig, ThreatIntelligenceConfig, check_rules};
pub use detection::Tally;
pub use expiry::Expiry;
pub use reload::{Reload, Reloaded};
pub use requests::{RequestDetection, Witness};
pub use rule_files::{RulePaths, RulesError, ThreatIntelligence};
pub use rule_memory::{MemoryState, RuleMemory};
pub use rule_metrics::describe as describe_metrics;
pub use rule_state::RuleState;
pub use rules::{RuleMatching, Rules, SharedRules};
