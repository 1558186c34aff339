//! The collector's side: records in, acknowledged batches out.

mod batches;
mod deliveries;
mod dial;
mod footprint;
mod link;
mod outbox;
mod outlet;
mod queues;
mod session;
mod unacknowledged;

pub use deliveries::{Delivery, Mark, Moment};
pub use footprint::footprint;
pub use link::{Link, LinkConfig, LinkError, connect};
pub use outbox::Outbox;
pub use outlet::Outlet;
