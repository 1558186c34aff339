use crate::{SourceDescription, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a sensor says of itself: at start, on every change, and each half minute.
/// A node that can't see something says so here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SensorStatus {
    /// Who speaks.
    pub description: SourceDescription,
    /// When the program started.
    pub started_at: Timestamp,
    /// When this was true.
    pub observed_at: Timestamp,
    /// What does not work, in words for the person who will mend it. Empty when all is well.
    pub problems: Vec<String>,
    /// How each kind of event is seen. Empty for components without probes.
    pub probes: Vec<ProbeCoverage>,
    /// How many rules are loaded and enabled.
    pub rules_loaded: u32,
    /// Rules that can't match here.
    pub blind_rules: Vec<BlindRule>,
    /// Counters since start, such as `events_captured`.
    pub counters: BTreeMap<String, u64>,
}

/// How a sensor sees one kind of event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeCoverage {
    /// What it sees, such as `exec`.
    pub probe: String,
    /// The kernel hook that serves it, such as `tp_btf/sched_process_exec`.
    pub hook: String,
    /// Whether it does.
    pub state: ProbeState,
    /// Why not, where it does not.
    pub reason: Option<String>,
}

/// Whether a probe works. Three states: "no" and "don't know" are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeState {
    /// Loaded and attached.
    Active,
    /// This kernel does not offer it.
    Unsupported,
    /// It should work and does not.
    Failed,
    /// Nobody asks for it.
    Off,
}

impl ProbeState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Active, Self::Unsupported, Self::Failed, Self::Off];

    /// The value of the `state` label in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Unsupported => "unsupported",
            Self::Failed => "failed",
            Self::Off => "off",
        }
    }
}

/// A rule that can't match on this node, or matches some acts alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlindRule {
    /// The rule's name.
    pub rule: String,
    /// What it would need, or does not see.
    pub reason: String,
}
