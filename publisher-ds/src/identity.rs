//! Who this publisher is.

use event_model::{Component, SourceDescription, SourceId};
use service_runtime::NodeConfig;

/// Describes this run of the publisher.
pub fn describe(node: &NodeConfig) -> anyhow::Result<SourceDescription> {
    Ok(SourceDescription {
        id: SourceId::generate(),
        component: Component::PublisherDs,
        version: env!("CARGO_PKG_VERSION").into(),
        node: node.resolve()?,
        boot_id: service_runtime::boot_id()?,
    })
}
