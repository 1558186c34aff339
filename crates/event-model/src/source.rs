use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// One run of one component: a UUID (version 7) made when the program starts.
///
/// Sequences count per (source, lane) from 1 without gaps, so a restart needs
/// no memory of the last number: it is another source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceId(pub Uuid);

impl SourceId {
    /// A new identity for a program that starts now.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The programs that send records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    /// The node's sensor.
    CollectorDs,
    /// The cluster-wide collector.
    CollectorMisc,
    /// The node's way out.
    PublisherDs,
}

impl Component {
    /// The workload's name, as in the chart.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CollectorDs => "collector-ds",
            Self::CollectorMisc => "collector-misc",
            Self::PublisherDs => "publisher-ds",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who a source is. Sent in the greeting of a connection and in every [`crate::SensorStatus`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceDescription {
    /// This run of the program.
    pub id: SourceId,
    /// Which program.
    pub component: Component,
    /// The program's version.
    pub version: String,
    /// The node's name as Kubernetes knows it, else the host name.
    pub node: String,
    /// The kernel's boot id (`/proc/sys/kernel/random/boot_id`): process keys are unique within it.
    pub boot_id: Uuid,
}
