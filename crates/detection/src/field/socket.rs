//! Both ends of a socket, whatever event speaks of it.

use super::pooled::Pooled;
use super::symbols;
use event_model::{DnsEvent, EventKind, NetworkAct, NetworkEvent, SystemAct, SystemEvent};
use std::fmt::{self, Write as _};
use std::net::SocketAddr;

const UNIX: u16 = 1;
const INET: u16 = 2;
const INET6: u16 = 10;
const NETLINK: u16 = 16;
const PACKET: u16 = 17;

/// A socket, as an event tells of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Socket<'a> {
    pub family: u16,
    protocol: u16,
    style: u16,
    pub local: Option<SocketAddr>,
    pub remote: Option<SocketAddr>,
    pub path: Option<&'a str>,
    /// The other end began the conversation: it is the client.
    inbound: bool,
}

/// Which end of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum End {
    /// The one that began it.
    Client,
    /// The one that was asked.
    Server,
    /// The one of the process.
    Local,
    /// The other one.
    Remote,
    /// A comparison holds where it holds for one of them.
    Either,
}

impl<'a> Socket<'a> {
    /// The socket that an act is about.
    pub fn of(kind: &'a EventKind) -> Option<Self> {
        match kind {
            EventKind::Network(event) => Some(Self::of_network(event)),
            EventKind::Dns(event) => Some(Self::of_dns(event)),
            EventKind::System(event) if event.act == SystemAct::Dup => Self::of_dup(event),
            _ => None,
        }
    }

    fn of_network(event: &'a NetworkEvent) -> Self {
        let inbound = match event.act {
            NetworkAct::Accept | NetworkAct::Bind | NetworkAct::Listen => true,
            NetworkAct::Connect | NetworkAct::Socket => false,
            NetworkAct::Datagram | NetworkAct::Close => event.flow.is_some_and(|flow| flow.inbound),
        };
        Self {
            family: event.family,
            protocol: event.protocol,
            style: event.socket_type,
            local: event.local,
            remote: event.remote,
            path: event.path.as_deref(),
            inbound,
        }
    }

    fn of_dns(event: &DnsEvent) -> Self {
        Self {
            family: family(event.server.or(event.local)),
            protocol: if event.tcp { 6 } else { 17 },
            local: event.local,
            remote: event.server,
            ..Self::default()
        }
    }

    /// Of a socket that was put in the place of a standard stream, which the arguments describe.
    fn of_dup(event: &'a SystemEvent) -> Option<Self> {
        let address = |name| event.argument(name)?.parse().ok();
        let (local, remote): (Option<SocketAddr>, Option<SocketAddr>) =
            (address("local"), address("remote"));
        let family = match event.argument("family") {
            Some("AF_UNIX") => UNIX,
            Some("AF_INET") => INET,
            Some("AF_INET6") => INET6,
            _ => family(remote.or(local)),
        };
        let socket =
            Self { family, local, remote, path: event.argument("path"), ..Self::default() };
        (family != 0).then_some(socket)
    }

    pub fn end(&self, end: End) -> Option<SocketAddr> {
        match (end, self.inbound) {
            (End::Local, _) | (End::Client, false) | (End::Server, true) => self.local,
            (End::Remote, _) | (End::Server, false) | (End::Client, true) => self.remote,
            (End::Either, _) => self.remote.or(self.local),
        }
    }

    /// The other end is this one.
    pub fn is_remote(&self, end: End) -> bool {
        match end {
            End::Remote | End::Either => true,
            End::Local => false,
            End::Client => self.inbound,
            End::Server => !self.inbound,
        }
    }

    /// `CLIENT->SERVER`, the one end that there is, or the path of a Unix socket.
    pub fn name(&self) -> Option<Pooled> {
        let ends = (self.end(End::Client), self.end(End::Server));
        if self.path.is_none() && ends == (None, None) {
            return None;
        }
        Some(Pooled::written(|text| match (self.path, ends) {
            (Some(path), _) => text.push_str(path),
            (None, (client, server)) => {
                let both = client.is_some() && server.is_some();
                write_end(text, client);
                text.push_str(if both { "->" } else { "" });
                write_end(text, server);
            }
        }))
    }

    pub fn kind(&self) -> Option<&'static str> {
        Some(match self.family {
            UNIX => "unix",
            INET => "ipv4",
            INET6 => "ipv6",
            NETLINK => "netlink",
            PACKET => "packet",
            _ => return None,
        })
    }

    /// The language's letter for the kind.
    pub fn letter(&self) -> Option<&'static str> {
        Some(match self.family {
            UNIX => "u",
            INET => "4",
            INET6 => "6",
            NETLINK => "n",
            _ => return None,
        })
    }

    /// What the language calls the family of the addresses.
    pub fn addressing(&self) -> Option<&'static str> {
        Some(match self.family {
            UNIX => "unix",
            INET | INET6 => "ip",
            _ => return None,
        })
    }

    pub fn transport(&self) -> Option<&'static str> {
        symbols::transport(self.family, self.protocol, self.style)
    }

    /// `AF_*`.
    pub fn domain(&self) -> String {
        symbols::family(self.family)
    }

    /// `SOCK_*`.
    pub fn socket_type(&self) -> String {
        symbols::socket_type(self.style)
    }

    pub fn protocol(&self) -> u16 {
        self.protocol
    }
}

fn family(address: Option<SocketAddr>) -> u16 {
    match address {
        Some(SocketAddr::V4(_)) => INET,
        Some(SocketAddr::V6(_)) => INET6,
        None => 0,
    }
}

/// Address and port; an IPv4 address within an IPv6 one as that.
pub(super) fn shown(address: SocketAddr) -> impl fmt::Display {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn write_end(text: &mut String, address: Option<SocketAddr>) {
    // Writing to a String can't fail.
    let _ = address.map(|address| write!(text, "{}", shown(address)));
}
