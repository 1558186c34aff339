//! What an event is: `type` tells which, and with it which other keys there are.

use super::process::ProcessKey;
use event_model as model;
use serde::Serialize;
use std::net::SocketAddr;
use utoipa::ToSchema;

/// What happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum EventKind {
    /// A process began, or ended.
    Process(ProcessEvent),
    /// It acted on a file.
    File(Box<FileEvent>),
    /// It acted on a socket.
    Network(Box<NetworkEvent>),
    /// It asked the domain name system, or was answered.
    Dns(Box<DnsEvent>),
    /// It acted on a process, on the kernel, or on memory.
    System(Box<SystemEvent>),
}

/// A process began, or ended.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ProcessEvent {
    /// The process began another program.
    Exec,
    /// The process made a child, which runs the same program.
    Fork {
        /// The new process.
        child: ProcessKey,
    },
    /// The process ended.
    Exit {
        /// The argument of exit.
        code: u8,
        /// The signal that ended it, else 0.
        signal: u8,
        /// It left a core dump.
        core_dumped: bool,
    },
}

/// An act on a file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FileEvent {
    /// What was done.
    #[serde(rename = "type")]
    #[schema(example = "open")]
    pub act: &'static str,
    /// Absolute path in the view of the process.
    #[schema(example = "/etc/shadow")]
    pub path: String,
    /// Where the path comes from: `kernel`, or `caller` where a thread could have changed it meanwhile.
    #[schema(value_type = String, example = "kernel")]
    pub path_source: model::PathSource,
    /// The path in the view of the node, where that is another one and known.
    pub host_path: Option<String>,
    /// The second path: the new name, what a symbolic link points to, what is mounted.
    pub other_path: Option<String>,
    /// What the act was asked with.
    #[schema(example = "O_WRONLY|O_CREAT")]
    pub flags: String,
    /// The open made the file.
    pub created: bool,
    /// File mode after the act, type bits included; null where it is not known.
    pub mode: Option<u32>,
    /// The owner that chown sets.
    pub owner: Option<u32>,
    /// The group that chown sets.
    pub group: Option<u32>,
    /// Inode number; null where it is not known.
    pub inode: Option<u64>,
    /// Device number as the kernel holds it.
    pub device: u32,
    /// The name of an extended attribute, or the type of a file system that is mounted.
    pub name: Option<String>,
    /// 0, or the error number; null where the hook speaks before the outcome is known.
    pub error: Option<u16>,
}

/// An act on a socket.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NetworkEvent {
    /// What was done.
    #[serde(rename = "type")]
    #[schema(example = "connect")]
    pub act: &'static str,
    /// The address family (`AF_*`), as a number of the kernel's.
    pub family: u16,
    /// The protocol (`IPPROTO_*`, or `ETH_P_*` of a packet socket).
    pub protocol: u16,
    /// The type of socket (`SOCK_*`).
    pub socket_type: u16,
    /// This end.
    pub local: Option<Endpoint>,
    /// The other end.
    pub remote: Option<Endpoint>,
    /// The path of a Unix socket; an abstract name begins with `@`.
    pub path: Option<String>,
    /// How many connections may wait at a socket that listens.
    pub backlog: Option<u32>,
    /// What went over a connection that ended, or to the other end of datagrams.
    pub flow: Option<Flow>,
    /// 0, or the error number; null where the outcome is not known yet.
    pub error: Option<u16>,
}

/// An end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Endpoint {
    /// The address.
    #[schema(example = "203.0.113.9")]
    pub address: String,
    /// The port.
    pub port: u16,
}

/// What went over a connection.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Flow {
    /// The other end began.
    pub inbound: bool,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Nanoseconds from its beginning to its end.
    pub duration: u64,
}

/// A question or an answer of the domain name system.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DnsEvent {
    /// Always `dns`.
    #[serde(rename = "type")]
    #[schema(example = "dns")]
    pub act: &'static str,
    /// Over TCP; else over UDP.
    pub tcp: bool,
    /// This end.
    pub local: Option<Endpoint>,
    /// The server.
    pub server: Option<Endpoint>,
    /// An answer; else a question.
    pub response: bool,
    /// The number that an answer has in common with its question.
    pub id: u16,
    /// The response code of an answer: 0 is no error, 3 no such name.
    pub code: u16,
    /// What is asked.
    pub questions: Vec<DnsQuestion>,
    /// What is answered.
    pub answers: Vec<DnsAnswer>,
    /// This is not all of the message.
    pub partial: bool,
}

/// One question.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DnsQuestion {
    /// The name, in lower case.
    pub name: String,
    /// The record type.
    #[schema(example = "AAAA")]
    pub record_type: String,
}

/// One answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DnsAnswer {
    /// The name that it is of.
    pub name: String,
    /// The record type.
    #[schema(example = "AAAA")]
    pub record_type: String,
    /// For how many seconds it holds.
    pub ttl: u32,
    /// The address, name or text.
    pub data: String,
}

/// An act on a process, on the kernel, or on memory.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SystemEvent {
    /// What was done.
    #[serde(rename = "type")]
    #[schema(example = "ptrace")]
    pub act: &'static str,
    /// The arguments, numbers as the symbols of the kernel's headers.
    pub arguments: Vec<Argument>,
    /// The process that it was done to.
    pub target: Option<ProcessKey>,
    /// What the call returned, errors negative; null where it is not known.
    pub result: Option<i64>,
}

/// A named argument.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Argument {
    /// As the manual page of the call names it.
    #[schema(example = "request")]
    pub name: String,
    /// In text.
    #[schema(example = "PTRACE_ATTACH")]
    pub value: String,
}

impl From<&model::EventKind> for EventKind {
    fn from(kind: &model::EventKind) -> Self {
        match kind {
            model::EventKind::Exec => Self::Process(ProcessEvent::Exec),
            model::EventKind::Fork { child } => {
                Self::Process(ProcessEvent::Fork { child: (*child).into() })
            }
            model::EventKind::Exit(model::ExitStatus { code, signal, core_dumped }) => {
                let (code, signal, core_dumped) = (*code, *signal, *core_dumped);
                Self::Process(ProcessEvent::Exit { code, signal, core_dumped })
            }
            model::EventKind::File(event) => Self::File(Box::new((&**event).into())),
            model::EventKind::Network(event) => Self::Network(Box::new((&**event).into())),
            model::EventKind::Dns(event) => Self::Dns(Box::new((&**event).into())),
            model::EventKind::System(event) => Self::System(Box::new((&**event).into())),
        }
    }
}

impl From<&model::FileEvent> for FileEvent {
    fn from(event: &model::FileEvent) -> Self {
        Self {
            act: event.act.name(),
            path: event.path.clone(),
            path_source: event.path_source,
            host_path: event.host_path.clone(),
            other_path: event.other_path.clone(),
            flags: event.flag_symbols(),
            created: event.created,
            mode: (event.mode != 0).then_some(event.mode),
            owner: event.owner,
            group: event.group,
            inode: (event.inode != 0).then_some(event.inode),
            device: event.device,
            name: event.name.clone(),
            error: event.error,
        }
    }
}

impl From<&model::NetworkEvent> for NetworkEvent {
    fn from(event: &model::NetworkEvent) -> Self {
        Self {
            act: event.act.name(),
            family: event.family,
            protocol: event.protocol,
            socket_type: event.socket_type,
            local: event.local.map(Into::into),
            remote: event.remote.map(Into::into),
            path: event.path.clone(),
            backlog: event.backlog,
            flow: event.flow.map(Into::into),
            error: event.error,
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(end: SocketAddr) -> Self {
        Self { address: end.ip().to_string(), port: end.port() }
    }
}

impl From<model::Flow> for Flow {
    fn from(flow: model::Flow) -> Self {
        let model::Flow { inbound, bytes_sent, bytes_received, duration } = flow;
        Self { inbound, bytes_sent, bytes_received, duration }
    }
}

impl From<&model::DnsEvent> for DnsEvent {
    fn from(event: &model::DnsEvent) -> Self {
        let question = |question: &model::DnsQuestion| DnsQuestion {
            name: question.name.clone(),
            record_type: question.record_type.clone(),
        };
        let answer = |answer: &model::DnsAnswer| DnsAnswer {
            name: answer.name.clone(),
            record_type: answer.record_type.clone(),
            ttl: answer.ttl,
            data: answer.data.clone(),
        };
        Self {
            act: "dns",
            tcp: event.tcp,
            local: event.local.map(Into::into),
            server: event.server.map(Into::into),
            response: event.response,
            id: event.id,
            code: event.code,
            questions: event.questions.iter().map(question).collect(),
            answers: event.answers.iter().map(answer).collect(),
            partial: event.partial,
        }
    }
}

impl From<&model::SystemEvent> for SystemEvent {
    fn from(event: &model::SystemEvent) -> Self {
        let argument = |argument: &model::Argument| Argument {
            name: argument.name.clone(),
            value: argument.value.clone(),
        };
        Self {
            act: event.act.name(),
            arguments: event.arguments.iter().map(argument).collect(),
            target: event.target.map(|target| target.key.into()),
            result: event.result,
        }
    }
}
