//! Which events tell a field at all. A field that an event of some type never tells is missing there, and a missing
//! value makes every comparison false: so much is known before the first event.

use super::access::{Access, EndPart, EventField};
use super::argument;
use super::socket::End;
use crate::EventType;
use crate::event_source::EventSource;
use crate::event_type::Subject;
use event_model::{FileAct, NetworkAct, SystemAct};

impl Access {
    /// Whether events of that type can have a value here.
    pub(crate) fn is_told_of(&self, event_type: EventType) -> bool {
        let subject = event_type.subject();
        match self {
            Self::Event(field) => event_tells(*field, subject),
            Self::Process(..)
            | Self::Container(_)
            | Self::ContainerLabel(_)
            | Self::Mount(..)
            | Self::Pod(_)
            | Self::PodLabel(_) => true,
            Self::Environment(_) => subject == Subject::Exec,
            Self::Argument(name) => argument::is_told_of(name, subject),
            Self::Descriptor(field) => {
                (field.is_of_files() && subject == Subject::File(FileAct::Open))
                    || (field.is_of_sockets() && is_of_socket(subject))
            }
            Self::End(end, EndPart::Name) => *end != End::Local && is_of_socket(subject),
            Self::End(..) => is_of_socket(subject),
            Self::File(field) => {
                matches!(subject, Subject::File(act) if field.is_told_of(act))
            }
            Self::Call(call) => call.is_told_of(event_type),
            Self::Dns(_) => subject == Subject::Dns,
            Self::Flow(_) => {
                matches!(subject, Subject::Network(NetworkAct::Datagram | NetworkAct::Close))
            }
            Self::Audit(..) | Self::Never(_) => false,
        }
    }

    /// Whether events of that source tell it.
    pub(crate) fn is_of(&self, source: EventSource) -> bool {
        match self {
            Self::Audit(..) => source == EventSource::KubernetesAudit,
            Self::Event(
                EventField::Time | EventField::RawTime | EventField::Hostname | EventField::Number,
            ) => true,
            _ => source == EventSource::Syscall,
        }
    }

    /// Whether no event has a value here.
    pub(crate) fn is_never_told(&self) -> bool {
        matches!(self, Self::Never(_))
    }
}

fn event_tells(field: EventField, subject: Subject) -> bool {
    match field {
        EventField::Result | EventField::RawResult | EventField::Failed => matches!(
            subject,
            Subject::Exec | Subject::File(_) | Subject::Network(_) | Subject::System(_)
        ),
        EventField::Arguments => {
            !matches!(subject, Subject::Fork | Subject::Exit | Subject::Dns | Subject::Nothing)
        }
        EventField::OpensForReading
        | EventField::OpensForWriting
        | EventField::Creates
        | EventField::CreatesExecutable => subject == Subject::File(FileAct::Open),
        EventField::TargetPid => matches!(subject, Subject::System(_)),
        EventField::TargetIsSensor => matches!(subject, Subject::File(_) | Subject::System(_)),
        EventField::Type
        | EventField::Time
        | EventField::RawTime
        | EventField::Direction
        | EventField::Hostname
        | EventField::Number => true,
    }
}

fn is_of_socket(subject: Subject) -> bool {
    matches!(subject, Subject::Network(_) | Subject::Dns | Subject::System(SystemAct::Dup))
}
