//! The JSON that the API answers with. It is ours and documented by OpenAPI; its names change
//! only with the version in the path.

mod alert;
mod container;
mod event;
mod kind;
mod page;
mod process;
mod sensor;

pub use alert::{Alert, Host, MatchedField};
pub use container::{Container, Pod};
pub use event::Event;
pub use kind::{
    Argument, DnsAnswer, DnsEvent, DnsQuestion, Endpoint, EventKind, FileEvent, Flow, NetworkEvent,
    ProcessEvent, SystemEvent,
};
pub use page::{AlertPage, EventPage, Removed, SensorPage};
pub use process::{Executable, Process, ProcessFacts, ProcessKey, User};
pub use sensor::{BlindRule, Gap, Loss, Probe, Sensor, SensorState, Stream};
