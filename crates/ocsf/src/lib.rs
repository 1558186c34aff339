//! Records as events of the Open Cybersecurity Schema Framework (OCSF), version [`VERSION`]: alerts as detection findings,
//! acts as activities, inventory as discovery.
//!
//! What becomes what stands in docs/ocsf.md. The tests hold the result against the framework's published schema. The
//! crate does no I/O: the backend's API shows findings, the publisher sends all of it to receivers of OTLP.

mod activity;
mod attack;
mod class;
mod container;
mod device;
mod entities;
mod evidence;
mod file;
mod finding;
mod inventory;
mod network;
mod object;
mod observable;
mod posture;
mod process;
mod record;
mod request;
mod resource;
mod scene;
mod sensor;
mod severity;
mod user;

pub use entities::Entities;
pub use finding::{Repeats, Source, detection_finding};
pub use record::events;

/// The version of the schema that events follow.
pub const VERSION: &str = "1.8.0";
