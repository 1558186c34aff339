//! Reads the Kubernetes API: connection, lists and watches, with only the fields that we use.
//!
//! ```text
//! follower (list, watch) ──┐
//!                          ├─▶ wire (bytes to objects) ──▶ teller (read, compare with the index) ──▶ publish
//! snapshots (list again) ──┘                                  └──▶ observers
//!                                  census (who is there, out of the index) ──▶ publish
//! ```
//!
//! Of an object an id and two numbers are kept, and of an answer one object at a time is held.

#[cfg(test)]
mod access;
mod answer;
mod bounds;
mod census;
mod connection;
mod failure;
mod follower;
mod health;
mod kind;
mod kinds;
mod metrics;
mod reading;
mod reason;
mod request;
mod snapshots;
mod teller;
mod watches;
mod wire;

pub(crate) use connection::connect;
pub(crate) use health::{Health, Kinds, are_complete, problems, unreadiness};
pub(crate) use kind::Kind;
pub(crate) use kinds::KINDS;
pub(crate) use metrics::describe as describe_metrics;
pub(crate) use reading::Definition;
pub(crate) use teller::Observer;
pub(crate) use watches::{DefinedKinds, Watches};
