use serde::{Deserialize, Serialize};
use std::fmt;

/// The four streams in which records travel, the most worthy first.
///
/// A worthier lane overtakes the others on every hop and is dropped last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Alerts, and the records of loss and coverage that say how far to trust their absence.
    Alert,
    /// Processes, containers, hosts, Kubernetes objects: what events refer to.
    Entity,
    /// Packages, images, listening ports, configuration.
    Inventory,
    /// Everything that happened.
    Telemetry,
}

impl Lane {
    /// All lanes, the most worthy first.
    pub const ALL: [Self; 4] = [Self::Alert, Self::Entity, Self::Inventory, Self::Telemetry];

    /// The lane's place in [`Lane::ALL`].
    pub const fn index(self) -> usize {
        match self {
            Self::Alert => 0,
            Self::Entity => 1,
            Self::Inventory => 2,
            Self::Telemetry => 3,
        }
    }

    /// The name used in metrics, file names and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Entity => "entity",
            Self::Inventory => "inventory",
            Self::Telemetry => "telemetry",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Lane;

    #[test]
    fn lanes_stand_in_order_of_worth() {
        assert!(Lane::ALL.is_sorted());
        for (place, lane) in Lane::ALL.into_iter().enumerate() {
            assert_eq!(lane.index(), place);
        }
    }
}
