//! The fields that conditions compare and outputs print: one table, from which the documentation is made too.

mod access;
mod argument;
mod audit;
mod call;
mod descriptor;
mod errno;
mod facts;
mod file;
mod mount;
mod network;
mod outcome;
mod pooled;
mod socket;
mod symbols;
mod table;
mod text;
mod told;

pub(crate) use access::{Access, EventField, Value};
pub(crate) use audit::whole_request;
pub(crate) use call::{Call, Function, Part, stand_in};
pub(crate) use descriptor::DescriptorField;
pub(crate) use facts::Facts;
pub(crate) use file::FileField;
pub use table::fields;

use crate::event_source::EventSource;
use std::fmt;

/// A field of the rule language.
#[derive(Debug)]
pub struct Field {
    /// As rules write it, without its argument.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// Whether an argument follows in brackets.
    pub argument: Argument,
    /// What it means, in one line.
    pub meaning: &'static str,
    /// Which part of the sensor tells it.
    pub provider: Provider,
    /// Not known to other engines of the language.
    pub own: bool,
    access: Access,
}

/// What the values of a field are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Text.
    Text,
    /// The name of a kind of event.
    EventType,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// Nanoseconds since 1970.
    Time,
    /// Nanoseconds.
    Duration,
    /// An IP address; compared with addresses and with networks in CIDR notation.
    Address,
    /// Bytes; compared with bytes in hexadecimal digits.
    Bytes,
}

impl Field {
    /// Whether no event has a value of it.
    pub fn is_never_told(&self) -> bool {
        self.access.is_never_told()
    }

    /// Whether rules of that source can name it.
    pub fn is_of(&self, source: EventSource) -> bool {
        self.access.is_of(source)
    }
}

impl Kind {
    /// As the documentation calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::EventType => "event type",
            Self::Number => "number",
            Self::Boolean => "true or false",
            Self::Time => "nanoseconds since 1970",
            Self::Duration => "nanoseconds",
            Self::Address => "IP address",
            Self::Bytes => "bytes",
        }
    }
}

/// What stands in brackets behind a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Nothing.
    None,
    /// How many generations up; without it, any ancestor.
    Generation,
    /// A name, such as a label's.
    Key,
    /// A name, or nothing.
    OptionalKey,
    /// Which of a list, from 0; without it, all of them.
    Place,
    /// A JSON pointer (RFC 6901), such as `/stage`.
    Pointer,
}

/// Which part of the sensor tells a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// Every event.
    Event,
    /// The probe that sees programs begin.
    Exec,
    /// The probes that see programs begin and processes made.
    ProcessTree,
    /// The cgroup that a process is in.
    Cgroup,
    /// The container runtime, a moment after the container began.
    ContainerRuntime,
    /// The operating system.
    Host,
    /// The probe that sees files opened.
    Open,
    /// The probes of acts on files.
    File,
    /// The probes of acts on sockets.
    Network,
    /// The probe of the domain name system.
    Dns,
    /// The probes of acts on processes, the kernel and memory.
    System,
    /// The audit log of a Kubernetes API server.
    KubernetesAudit,
    /// No part. It is there so that rules of other engines load; no rule matches by it.
    Nobody,
}

impl Provider {
    /// As the documentation calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "the event",
            Self::Exec => "sched_process_exec",
            Self::ProcessTree => "sched_process_exec, sched_process_fork",
            Self::Cgroup => "cgroup of the process",
            Self::ContainerRuntime => "container runtime (CRI or Docker socket)",
            Self::Host => "the host",
            Self::Open => "acts `open`",
            Self::File => "acts on files",
            Self::Network => "acts on sockets",
            Self::Dns => "`dns`",
            Self::System => "acts on processes, the kernel and memory",
            Self::KubernetesAudit => "Kubernetes audit event",
            Self::Nobody => "nobody",
        }
    }
}

/// A field with its argument, as one place of a rule uses it.
#[derive(Clone, Debug)]
pub(crate) struct FieldUse {
    pub field: &'static Field,
    pub argument: Option<String>,
    pub access: Access,
}

/// Why a field can't be used as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldProblem {
    Unknown,
    NoArgumentTaken,
    KeyMissing,
    /// The argument is not a small whole number.
    NotAGeneration,
    /// The argument is not a place in a list.
    NotAPlace,
    /// The argument is no JSON pointer.
    NotAPointer,
}

/// The oldest ancestor that a rule can name.
const OLDEST_ANCESTOR: usize = 1000;

/// The last place of a list that a rule can name.
const LAST_PLACE: usize = 10_000;

impl FieldUse {
    /// Looks a field up.
    pub fn named(name: &str, argument: Option<&str>) -> Result<Self, FieldProblem> {
        let field =
            fields().iter().find(|field| field.name == name).ok_or(FieldProblem::Unknown)?;
        let access = match (field.argument, argument) {
            (
                Argument::None | Argument::Generation | Argument::Place | Argument::OptionalKey,
                None,
            ) => field.access.clone(),
            (Argument::None, Some(_)) => return Err(FieldProblem::NoArgumentTaken),
            (Argument::Key, None) => return Err(FieldProblem::KeyMissing),
            (Argument::Key | Argument::OptionalKey, Some(key)) => {
                field.access.clone().with_key(key)
            }
            (Argument::Generation, Some(number)) => match number.parse() {
                Ok(generation) if generation <= OLDEST_ANCESTOR => {
                    field.access.clone().of_ancestor(generation)
                }
                _ => return Err(FieldProblem::NotAGeneration),
            },
            (Argument::Place, Some(number)) => match number.parse() {
                Ok(place) if place <= LAST_PLACE => field.access.clone().at(place),
                _ => return Err(FieldProblem::NotAPlace),
            },
            (Argument::Pointer, Some(pointer)) if pointer.starts_with('/') => {
                field.access.clone().with_key(pointer)
            }
            (Argument::Pointer, _) => return Err(FieldProblem::NotAPointer),
        };
        Ok(Self { field, argument: argument.map(str::to_owned), access })
    }

    /// A function of fields.
    pub fn of_call(call: Call) -> Self {
        let field = stand_in(&call.function);
        Self { field, argument: None, access: Access::Call(Box::new(call)) }
    }

    /// The fields that it asks for.
    pub fn fields(&self) -> Vec<&'static Field> {
        match &self.access {
            Access::Call(call) => call.fields(),
            _ => vec![self.field],
        }
    }

    /// The kind of the field's values.
    pub fn kind(&self) -> Kind {
        self.field.kind
    }
}

impl fmt::Display for FieldUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Access::Call(call) = &self.access {
            return f.write_str(&call.written);
        }
        f.write_str(self.field.name)?;
        self.argument.as_ref().map_or(Ok(()), |argument| write!(f, "[{argument}]"))
    }
}
