//! The words that every part of Defender speaks: entities (a process, a
//! container, a host, a Kubernetes object), the events that refer to them,
//! alerts, and what was lost on the way.
//!
//! An entity travels when something first refers to it, and again when it
//! changes or when whoever heard of it may have lost it: after a reconnect,
//! or where it found no room on its way. Events carry only keys. An [`Alert`]
//! is the exception: it carries its evidence whole, because its lane overtakes
//! all others.
//!
//! This crate does no I/O and depends on nothing that does.

mod alert;
mod audit;
mod census;
mod container;
mod coverage;
mod event;
mod file;
mod finding;
mod held;
mod host;
mod inventory;
mod kubernetes;
mod lane;
mod loss;
mod network;
mod process;
mod record;
mod source;
pub mod symbols;
mod system;
mod time;

pub use alert::{Alert, AlertSubject, MatchedField, Priority};
pub use audit::{AuditEvent, AuditObject, AuditUser};
pub use census::{KubernetesCensus, group_of, usual_uuid};
pub use container::{Container, ContainerId, Mount, Pod};
pub use coverage::{BlindRule, ProbeCoverage, ProbeState, SensorStatus};
pub use event::{Event, EventKind, ExitStatus};
pub use file::{FileAct, FileEvent, PathSource};
pub use finding::{ClusterFacts, Finding, FindingSeverity, FindingSource};
pub use held::{HeldAlerts, HeldReason};
pub use host::Host;
pub use inventory::{
    Image, Inventory, InventoryItem, InventoryKind, InventorySubject, ListeningPort, Package,
    PackageManager, PasswordState, TransportProtocol, UserAccount,
};
pub use kubernetes::{
    KubernetesContainer, KubernetesEvent, KubernetesObject, ObjectReference, OwnerReference,
};
pub use lane::Lane;
pub use loss::{Loss, LossReason};
pub use network::{DnsAnswer, DnsEvent, DnsQuestion, Flow, NetworkAct, NetworkEvent};
pub use process::{Credentials, Executable, Process, ProcessKey, ProcessRef};
pub use record::Record;
pub use source::{Component, SourceDescription, SourceId};
pub use system::{Argument, SystemAct, SystemEvent};
pub use time::Timestamp;
