//! Sends records to the publisher of this node: objects, and how this collector is.

mod publisher;
mod reporter;
mod snapshots;
mod source;

pub(crate) use publisher::Publisher;
pub(crate) use reporter::Reporter;
pub(crate) use snapshots::SnapshotTrigger;
pub(crate) use source::describe;
