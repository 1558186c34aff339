//! What changed between two calls.

use event_model::Finding;
use uuid::Uuid;

/// What is new, other or gone since the last call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Findings that are new, or other than they were.
    pub changed: Vec<Finding>,
    /// Findings that are gone, by the ids of their items ([`event_model::InventoryItem::id`]).
    pub removed: Vec<Uuid>,
    /// There is more than one call tells: call again soon.
    pub more: bool,
}

impl Changes {
    /// Nothing is new.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.changed.len() + self.removed.len()
    }
}
