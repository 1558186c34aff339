//! The collector's side: records in, acknowledged batches out.

mod batches;
mod dial;
mod footprint;
mod link;
mod outbox;
mod queues;
mod session;
mod unacknowledged;

pub use link::{Link, LinkConfig, LinkError, connect};
pub use outbox::Outbox;
