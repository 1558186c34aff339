//! Alerts as detection findings of the Open Cybersecurity Schema Framework (OCSF, class 2004), version [`VERSION`].
//!
//! What becomes what stands in docs/ocsf.md. The tests hold the result against the framework's published schema. The
//! crate does no I/O: the backend's API shows findings, an exporter can send them.

mod attack;
mod container;
mod device;
mod evidence;
mod file;
mod finding;
mod network;
mod object;
mod observable;
mod process;
mod request;
mod resource;
mod severity;
mod user;

pub use finding::{Repeats, Source, detection_finding};

/// The version of the schema that findings follow.
pub const VERSION: &str = "1.8.0";
