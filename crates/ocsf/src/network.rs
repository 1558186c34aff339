use crate::object::{Choice, Object};
use event_model::{DnsEvent, NetworkAct, NetworkEvent};
use std::net::SocketAddr;

pub const TCP: u16 = 6;
pub const UDP: u16 = 17;

/// A connection, its ends in the direction in which it was made.
pub struct Connection {
    pub info: Object,
    pub source: Option<Object>,
    pub destination: Option<Object>,
}

/// What a socket was used for.
pub fn connection(event: &NetworkEvent) -> Connection {
    let (local, remote) = (event.local.map(endpoint), event.remote.map(endpoint));
    let is_inbound = match event.act {
        NetworkAct::Accept => true,
        NetworkAct::Close => event.flow.is_some_and(|flow| flow.inbound),
        _ => false,
    };
    let waits = matches!(event.act, NetworkAct::Bind | NetworkAct::Listen);
    let direction = match event.remote {
        _ if is_inbound => (1, "Inbound"),
        Some(_) => (2, "Outbound"),
        None => (0, "Unknown"),
    };
    let address = event.remote.or(event.local);
    let info = info(direction, event.protocol, address);
    if is_inbound || waits {
        Connection { info, source: remote, destination: local }
    } else {
        Connection { info, source: local, destination: remote }
    }
}

/// A question to a name server, or its answer: both are the asking process's.
pub fn of_query(event: &DnsEvent) -> Connection {
    let protocol = if event.tcp { TCP } else { UDP };
    let info = info((2, "Outbound"), protocol, event.server.or(event.local));
    let (source, destination) = (event.local.map(endpoint), event.server.map(endpoint));
    Connection { info, source, destination }
}

pub fn info(direction: Choice, protocol: u16, address: Option<SocketAddr>) -> Object {
    let version = match address {
        Some(SocketAddr::V4(_)) => Some((4, "Internet Protocol version 4 (IPv4)")),
        Some(SocketAddr::V6(_)) => Some((6, "Internet Protocol version 6 (IPv6)")),
        None => None,
    };
    let name = match protocol {
        TCP => Some("tcp"),
        UDP => Some("udp"),
        1 => Some("icmp"),
        _ => None,
    };
    let info = Object::new()
        .with_choice("direction", direction)
        .with("protocol_num", protocol)
        .with_some("protocol_name", name);
    match version {
        Some(version) => info.with_choice("protocol_ver", version),
        None => info,
    }
}

pub fn endpoint(address: SocketAddr) -> Object {
    // An address with a scope is none of the schema's.
    Object::new().with("ip", address.ip().to_canonical().to_string()).with("port", address.port())
}
