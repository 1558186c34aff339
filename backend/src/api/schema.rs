//! The JSON that the API answers with. It is ours and documented by OpenAPI; its names change
//! only with the version in the path.

mod alert;
mod audit;
mod container;
mod enrolment;
mod event;
mod finding;
mod inventory;
mod kind;
mod kubernetes;
mod page;
mod process;
mod sensor;
#[cfg(test)]
mod tests;

pub use alert::{Alert, Host, MatchedField};
pub use audit::{AuditEvent, AuditObject, AuditUser};
pub use container::{Container, Pod};
pub use enrolment::{
    Allowed, BootstrapToken, BootstrapTokens, EnrolledCertificate, EnrolmentPage,
    NewBootstrapToken, NewlyMadeToken, NodeName, Revoked, TokenRevocation, TokenState,
};
pub use event::Event;
pub use finding::{Cluster, Clusters, Finding};
pub(crate) use inventory::Listed;
pub use inventory::{Image, ListeningPort, Package, UserAccount, Whereabouts};
pub use kind::{
    Argument, DnsAnswer, DnsEvent, DnsQuestion, Endpoint, EventKind, FileEvent, Flow, NetworkEvent,
    ProcessEvent, SystemEvent,
};
pub use kubernetes::{
    ImageChange, ImagePlace, KubernetesChange, KubernetesContainer, KubernetesEvent,
    KubernetesObject, KubernetesObjectDetail, ObjectReference, ObjectState, Owner, PodImage,
};
pub use page::{
    AlertPage, AuditPage, EventPage, FindingPage, ImagePage, KubernetesChangePage,
    KubernetesEventPage, KubernetesObjectPage, PackagePage, PodImagePage, PortPage, Removed,
    SensorPage, UserPage,
};
pub use process::{Executable, Process, ProcessFacts, ProcessKey, User};
pub use sensor::{BlindRule, Gap, HeldAlerts, Loss, Probe, Sensor, SensorState, Stream};
