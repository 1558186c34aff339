//! What leaves for the publisher besides events: losses, and what the sensor says of itself.

mod losses;
mod status;

pub use losses::KernelLosses;
pub use status::{StatusFacts, StatusReporter};

use event_model::Record;
use node_link::Outbox;

/// Where records go.
pub trait Outlet {
    /// Takes a record. Never blocks; what does not fit is counted by the taker.
    fn send(&self, record: Record);

    /// Whether entities did not fit since this was last true, and there is room now to send them again.
    fn take_entity_loss(&self) -> bool;

    /// The same of the inventory. Never, where nothing is lost.
    fn take_inventory_loss(&self) -> bool {
        false
    }
}

impl Outlet for Outbox {
    fn send(&self, record: Record) {
        Self::send(self, record);
    }

    fn take_entity_loss(&self) -> bool {
        Self::take_entity_loss(self)
    }

    fn take_inventory_loss(&self) -> bool {
        Self::take_inventory_loss(self)
    }
}
