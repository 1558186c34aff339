//! The Unix-socket transport between the collectors of a node and its publisher.
//!
//! A collector puts records into an [`Outbox`], which never blocks and is bounded; its [`Link`] batches them,
//! encodes each batch once, and keeps it until the publisher acknowledged it as durable. The publisher
//! binds a [`Listener`], checks every peer by SO_PEERCRED, and hands checked envelopes to its [`Receiver`].
//!
//! Read `collector/` from left to right: outbox → queues → batches → unacknowledged → session → link. And
//! `publisher/`: socket → peer → greeting → conversation → receiver. [`LossLedger`] and [`Pauses`] serve the
//! publisher's other end, too.

mod collector;
mod losses;
mod pauses;
mod publisher;

pub use collector::{
    Delivery, Link, LinkConfig, LinkError, Mark, Moment, Outbox, Outlet, connect, footprint,
};
pub use losses::LossLedger;
pub use pauses::Pauses;
pub use publisher::{
    Held, ListenConfig, Listener, ReceiveError, Receiver, ServeError, SocketError, serve,
};
