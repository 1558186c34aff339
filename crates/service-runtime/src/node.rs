//! Which node this is, and which boot of it.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const HOST_NAME: &str = "/proc/sys/kernel/hostname";
/// What the chart fills from the pod's `spec.nodeName`.
const NODE_NAME: &str = "NODE_NAME";

/// The key `node`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeConfig {
    /// The node's name as Kubernetes knows it. Empty: the environment's `NODE_NAME`, else the host name.
    pub name: String,
}

impl NodeConfig {
    /// The node's name, where the host name is what the kernel says.
    ///
    /// # Errors
    /// The kernel's host name can't be read, or nobody gave the node a name.
    pub fn resolve(&self) -> anyhow::Result<String> {
        let host_name = || read(HOST_NAME);
        self.name_or(std::env::var(NODE_NAME).ok(), host_name)
    }

    /// The node's name, with a host name that the caller knows better than the kernel of this container.
    #[must_use]
    pub fn resolve_with_host_name(&self, host_name: &str) -> String {
        let named = self.name_or(std::env::var(NODE_NAME).ok(), || Ok(host_name.to_owned()));
        named.unwrap_or_else(|_| "unknown".to_owned())
    }

    fn name_or(
        &self,
        variable: Option<String>,
        host_name: impl FnOnce() -> anyhow::Result<String>,
    ) -> anyhow::Result<String> {
        let given = [self.name.clone(), variable.unwrap_or_default()];
        if let Some(name) = given.into_iter().find(|name| !name.is_empty()) {
            return Ok(name);
        }
        let name = host_name()?;
        anyhow::ensure!(!name.is_empty(), "the host has no name: set node.name");
        Ok(name)
    }
}

/// The id that the kernel gave to this boot (`random(4)`).
///
/// # Errors
/// `/proc` is not mounted or does not hold a UUID there.
pub fn boot_id() -> anyhow::Result<Uuid> {
    let text = read(BOOT_ID)?;
    text.parse().with_context(|| format!("{BOOT_ID} does not hold a UUID: {text:?}"))
}

fn read(path: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(configured: &str, variable: Option<&str>, host: &str) -> anyhow::Result<String> {
        let config = NodeConfig { name: configured.to_owned() };
        config.name_or(variable.map(str::to_owned), || Ok(host.to_owned()))
    }

    #[test]
    fn the_configured_name_comes_first_and_the_host_name_last() {
        assert_eq!(name("configured", Some("variable"), "host").unwrap(), "configured");
        assert_eq!(name("", Some("variable"), "host").unwrap(), "variable");
        assert_eq!(name("", Some(""), "host").unwrap(), "host");
        assert_eq!(name("", None, "host").unwrap(), "host");
        assert!(name("", None, "").unwrap_err().to_string().contains("set node.name"));
    }

    #[test]
    fn the_kernel_tells_the_boot_and_the_host_name() {
        assert!(!boot_id().unwrap().is_nil());
        assert!(!read(HOST_NAME).unwrap().is_empty());
    }
}
