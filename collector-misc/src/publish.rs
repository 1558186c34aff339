//! Sends records to the publisher of this node: objects while this replica leads, and how this collector is. What the
//! watches give on a standby is kept until its leader has delivered it.

mod cluster_facts;
mod delivered;
mod kind;
mod progress;
mod publisher;
mod recent_changes;
mod reporter;
mod snapshots;
mod source;
mod turn;

pub(crate) use cluster_facts::ClusterFactsReporter;
pub(crate) use delivered::Delivered;
pub(crate) use kind::Kind;
pub(crate) use publisher::Publisher;
pub(crate) use reporter::Reporter;
pub(crate) use snapshots::SnapshotTrigger;
pub(crate) use source::describe;
