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
}

impl Outlet for Outbox {
    fn send(&self, record: Record) {
        Self::send(self, record);
    }
}
