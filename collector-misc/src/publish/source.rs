use anyhow::{Context, ensure};
use event_model::{Component, SourceDescription, SourceId};
use std::fs;

/// Describes this run of the collector. `name` is the configured name of the node, or empty.
pub(crate) fn describe(name: &str) -> anyhow::Result<SourceDescription> {
    let boot_id = read("/proc/sys/kernel/random/boot_id")?;
    Ok(SourceDescription {
        id: SourceId::generate(),
        component: Component::CollectorMisc,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: node_name(name, std::env::var("NODE_NAME").ok())?,
        boot_id: boot_id.parse().with_context(|| format!("the boot id {boot_id:?} is no UUID"))?,
    })
}

fn node_name(configured: &str, variable: Option<String>) -> anyhow::Result<String> {
    let given = [configured.to_owned(), variable.unwrap_or_default()];
    if let Some(name) = given.into_iter().find(|name| !name.is_empty()) {
        return Ok(name);
    }
    let name = read("/proc/sys/kernel/hostname")?;
    ensure!(!name.is_empty(), "the host has no name; set node.name");
    Ok(name)
}

fn read(path: &str) -> anyhow::Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::node_name;

    #[test]
    fn the_configured_name_comes_first_and_the_host_name_last() {
        let variable = || Some("from-variable".to_owned());
        assert_eq!(node_name("configured", variable()).unwrap(), "configured");
        assert_eq!(node_name("", variable()).unwrap(), "from-variable");
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(node_name("", Some(String::new())).unwrap(), host.trim());
        assert_eq!(node_name("", None).unwrap(), host.trim());
    }
}
