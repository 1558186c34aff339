use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// An act on a socket, with the addresses as the kernel's socket holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkEvent {
    /// What was done.
    pub act: NetworkAct,
    /// The address family (`AF_*`), as a number of the kernel's.
    pub family: u16,
    /// The protocol (`IPPROTO_*`, or `ETH_P_*` of a packet socket).
    pub protocol: u16,
    /// The type of socket (`SOCK_*`).
    pub socket_type: u16,
    /// This end.
    pub local: Option<SocketAddr>,
    /// The other end.
    pub remote: Option<SocketAddr>,
    /// The path of a Unix socket. An abstract name begins with `@`.
    pub path: Option<String>,
    /// How many connections may wait at a socket that listens.
    pub backlog: Option<u32>,
    /// What went over a connection that closed, or to the other end of datagrams so far.
    pub flow: Option<Flow>,
    /// 0, or the error number. None where the outcome is not known yet: a connection that is being tried.
    pub error: Option<u16>,
}

/// What was done with a socket.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum NetworkAct {
    /// A raw or packet socket was made.
    Socket,
    /// A connection was asked for, or a datagram socket was given its other end.
    #[default]
    Connect,
    /// A connection was taken in.
    Accept,
    /// A socket was given its address.
    Bind,
    /// A socket waits for connections.
    Listen,
    /// Datagrams went to, or came from, another end.
    Datagram,
    /// A connection ended; [`NetworkEvent::flow`] tells what went over it.
    Close,
}

impl NetworkAct {
    /// All acts.
    pub const ALL: [Self; 7] = [
        Self::Socket,
        Self::Connect,
        Self::Accept,
        Self::Bind,
        Self::Listen,
        Self::Datagram,
        Self::Close,
    ];

    /// The event's name in metrics, queries and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Connect => "connect",
            Self::Accept => "accept",
            Self::Bind => "bind",
            Self::Listen => "listen",
            Self::Datagram => "datagram",
            Self::Close => "close",
        }
    }
}

/// What went over a connection, as the one end on this node saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// The connection was taken in; else it was made.
    pub inbound: bool,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Nanoseconds from its beginning to its end.
    pub duration: u64,
}

/// A question or an answer of the domain name system, and whose it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsEvent {
    /// Over TCP; else over UDP.
    pub tcp: bool,
    /// This end.
    pub local: Option<SocketAddr>,
    /// The server.
    pub server: Option<SocketAddr>,
    /// An answer; else a question.
    pub response: bool,
    /// The number that an answer has in common with its question.
    pub id: u16,
    /// The response code: 0 is no error, 3 no such name (RFC 1035, 4.1.1).
    pub code: u16,
    /// What is asked.
    pub questions: Vec<DnsQuestion>,
    /// What is answered.
    pub answers: Vec<DnsAnswer>,
    /// This is not all: the rest of the packet is malformed, or longer than what the kernel copies.
    pub partial: bool,
}

/// One question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsQuestion {
    /// The name, lower case, without the dot at its end.
    pub name: String,
    /// The type, such as `AAAA`.
    pub record_type: String,
}

/// One answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsAnswer {
    /// The name that it is of.
    pub name: String,
    /// The type, such as `AAAA`.
    pub record_type: String,
    /// For how many seconds it holds.
    pub ttl: u32,
    /// The address, name or text.
    pub data: String,
}
