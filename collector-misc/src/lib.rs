//! The cluster-wide collector: what the Kubernetes API knows, told to the backend as entities.
//!
//! The folders follow the data: `watch/` reads the API, `index/` (pure state) tells what is new about an object, `cluster/`
//! (pure state) what the cluster is, `assess/` what should not be so, `publish/` sends it to the publisher of this node.
//! Beside them, [`audit`] takes what API servers note of requests, and asks the rules about them. `app` wires them.
//! The folders follow the data: `watch/` reads the API, `index/` (pure state) tells what is new
//! about an object, `publish/` sends it to the publisher of this node while `leadership/` says that this
//! replica leads. `app` wires them.

pub mod app;
mod assess;
pub mod audit;
mod cluster;
pub mod config;
mod index;
mod leadership;
mod observers;
mod publish;
mod spare_memory;
mod watch;
