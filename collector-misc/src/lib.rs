//! The cluster-wide collector: what the Kubernetes API knows, told to the backend as entities.
//!
//! The folders follow the data: `watch/` reads the API, `index/` (pure state) tells what is new
//! about an object, `publish/` sends it to the publisher of this node. `app` wires them.

pub mod app;
pub mod config;
mod index;
mod publish;
mod watch;
