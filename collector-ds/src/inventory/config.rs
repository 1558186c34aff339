use serde::{Deserialize, Serialize};
use service_runtime::ConfigProblem;

/// Scans more often than this would take the processor from the kernel's records.
const SHORTEST_INTERVAL: u64 = 30;
/// A day.
const LONGEST_INTERVAL: u64 = 86_400;

/// The key `inventory`: what is there, beside what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)] // Each is a part that can be left out.
pub struct InventoryConfig {
    /// Whether there is an inventory.
    pub enabled: bool,
    /// Seconds from the end of a scan to the next: 30 to 86400.
    pub interval_seconds: u64,
    /// Packages of dpkg, apk and rpm, of the node and of each image that runs.
    pub packages: bool,
    /// Packages of Node.js and Python, in the usual places. Needs `packages`.
    pub languages: bool,
    /// Listening ports with their processes.
    pub ports: bool,
    /// Users who can log in.
    pub users: bool,
}

impl Default for InventoryConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            interval_seconds: 300,
            packages: true,
            languages: true,
            ports: true,
            users: true,
        }
    }
}

impl InventoryConfig {
    /// Finds what cannot be.
    pub fn validate(&self) -> Result<(), ConfigProblem> {
        if !(SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&self.interval_seconds) {
            let message = format!("must be {SHORTEST_INTERVAL} to {LONGEST_INTERVAL}");
            return Err(ConfigProblem::new("inventory.interval_seconds", message));
        }
        if self.languages && !self.packages {
            let message = "needs inventory.packages: true";
            return Err(ConfigProblem::new("inventory.languages", message));
        }
        Ok(())
    }
}
