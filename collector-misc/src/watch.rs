//! Reads the Kubernetes API: connection, lists and watches, with only the fields that we use.

mod bounds;
mod connection;
mod health;
mod metadata;
mod metrics;
mod node;
mod pod;
mod reason;
mod strategy;
mod stream;
mod watched;

pub(crate) use connection::connect;
pub(crate) use health::{Health, Kinds, problems, unreadiness};
pub(crate) use metrics::describe as describe_metrics;
pub(crate) use node::Node;
pub(crate) use pod::Pod;
pub(crate) use stream::Watch;
