//! `struct network_record`.

use super::act::Head;
use super::{lossy, path};
use crate::DecodeError;
use crate::fields::Fields;
use event_model::{Flow, NetworkAct, NetworkEvent};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// `enum network_flags` of `bpf/network.h`.
const HAS_LOCAL: u16 = 1 << 4;
const HAS_REMOTE: u16 = 1 << 5;
const HAS_FLOW: u16 = 1 << 6;
const INBOUND: u16 = 1 << 7;
const HAS_BACKLOG: u16 = 1 << 8;
const PATH_TRUNCATED: u16 = 1 << 9;

pub fn read(
    head: &Head<'_>,
    act: NetworkAct,
    fields: &mut Fields<'_>,
) -> Result<NetworkEvent, DecodeError> {
    let flow = Flow {
        inbound: head.has(INBOUND),
        bytes_sent: fields.u64()?,
        bytes_received: fields.u64()?,
        duration: fields.u64()?,
    };
    let (local, remote) = (end(fields)?, end(fields)?);
    let backlog = fields.u32()?;
    let (family, protocol, socket_type) = (fields.u16()?, fields.u16()?, fields.u16()?);
    let (path_length, name_length) = (fields.u16()?, fields.u16()?);
    fields.u16()?;
    let file = fields.take(usize::from(path_length))?;
    let name = fields.take(usize::from(name_length))?;
    Ok(NetworkEvent {
        act,
        family,
        protocol,
        socket_type,
        local: head.has(HAS_LOCAL).then_some(local),
        remote: head.has(HAS_REMOTE).then_some(remote),
        path: unix_path(file, name, head.has(PATH_TRUNCATED))?,
        backlog: head.has(HAS_BACKLOG).then_some(backlog),
        flow: head.has(HAS_FLOW).then_some(flow),
        error: head.error(),
    })
}

/// `struct network_end`. An address of IPv4 comes, and may be used by sockets of IPv6, as one of IPv6.
pub fn end(fields: &mut Fields<'_>) -> Result<SocketAddr, DecodeError> {
    let (high, low) = (fields.take(8)?, fields.take(8)?);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(high);
    bytes[8..].copy_from_slice(low);
    let port = fields.u16()?;
    fields.u16()?;
    let scope = fields.u32()?;
    Ok(match Ipv6Addr::from(bytes).to_canonical() {
        IpAddr::V4(address) => (address, port).into(),
        // Only such an address means nothing without its interface.
        IpAddr::V6(address) if address.is_unicast_link_local() => {
            SocketAddrV6::new(address, port, 0, scope).into()
        }
        IpAddr::V6(address) => (address, port).into(),
    })
}

/// The path of a Unix socket's file, else its abstract name with `@` in place of the NUL that begins it.
fn unix_path(file: &[u8], name: &[u8], truncated: bool) -> Result<Option<String>, DecodeError> {
    if !file.is_empty() {
        return path(file, "path of a socket", truncated, false).map(Some);
    }
    Ok(match name.split_first() {
        Some((0, name)) => Some(format!("@{}", lossy(name))),
        Some(_) => Some(lossy(name.split(|byte| *byte == 0).next().unwrap_or_default())),
        None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_end(address: [u8; 16], scope: u32) -> SocketAddr {
        let port = 443_u16.to_ne_bytes();
        let bytes = [&address[..], &port, &[0; 2], &scope.to_ne_bytes()].concat();
        end(&mut Fields::new(&bytes)).unwrap()
    }

    #[test]
    fn an_end_is_told_in_the_family_of_its_address() {
        let mapped = "::ffff:192.0.2.1".parse::<Ipv6Addr>().unwrap().octets();
        assert_eq!(read_end(mapped, 2).to_string(), "192.0.2.1:443");
        let global = "2001:db8::1".parse::<Ipv6Addr>().unwrap().octets();
        assert_eq!(read_end(global, 2).to_string(), "[2001:db8::1]:443");
        let local = "fe80::1".parse::<Ipv6Addr>().unwrap().octets();
        assert_eq!(read_end(local, 2).to_string(), "[fe80::1%2]:443");
    }

    #[test]
    fn a_unix_socket_is_told_by_its_file_or_by_its_abstract_name() {
        let told = |file: &[u8], name: &[u8]| unix_path(file, name, false).unwrap();
        assert_eq!(told(b"docker.sock\0run\0", b"").as_deref(), Some("/run/docker.sock"));
        assert_eq!(told(b"", b"\0shim/1").as_deref(), Some("@shim/1"));
        assert_eq!(told(b"", b"run/x.sock\0").as_deref(), Some("run/x.sock"));
        assert_eq!(told(b"", b""), None);
        assert!(unix_path(b"unterminated", b"", false).is_err());
    }
}
