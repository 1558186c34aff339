use event_model::{Component, SourceDescription, SourceId};
use service_runtime::NodeConfig;

/// Describes this run of the collector.
pub(crate) fn describe(node: &NodeConfig) -> anyhow::Result<SourceDescription> {
    Ok(SourceDescription {
        id: SourceId::generate(),
        component: Component::CollectorMisc,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: node.resolve()?,
        boot_id: service_runtime::boot_id()?,
    })
}
