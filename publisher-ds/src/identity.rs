//! Who this publisher is.

use crate::config::NodeSection;
use anyhow::Context;
use event_model::{Component, SourceDescription, SourceId};
use std::fs;
use uuid::Uuid;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// Describes this run of the publisher.
pub fn describe(node: &NodeSection) -> anyhow::Result<SourceDescription> {
    let boot_id = fs::read_to_string(BOOT_ID).with_context(|| format!("reading {BOOT_ID}"))?;
    let boot_id = boot_id.trim();
    Ok(SourceDescription {
        id: SourceId::generate(),
        component: Component::PublisherDs,
        version: env!("CARGO_PKG_VERSION").into(),
        node: node_name(node)?,
        boot_id: Uuid::parse_str(boot_id)
            .with_context(|| format!("{BOOT_ID} holds {boot_id:?}"))?,
    })
}

fn node_name(node: &NodeSection) -> anyhow::Result<String> {
    if !node.name.is_empty() {
        return Ok(node.name.clone());
    }
    if let Ok(name) = std::env::var("NODE_NAME")
        && !name.is_empty()
    {
        return Ok(name);
    }
    let name = fs::read_to_string(HOST_NAME).with_context(|| format!("reading {HOST_NAME}"))?;
    Ok(name.trim().to_owned())
}
