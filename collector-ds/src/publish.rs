//! What leaves for the publisher besides events: losses, and what the sensor says of itself.

mod losses;
mod status;

pub use losses::KernelLosses;
pub use node_link::Outlet;
pub use status::{StatusFacts, StatusReporter};
