//! The tables of sockets in `/proc/PID/net` (proc_pid_net(5)), of the network namespace that the process is in.

use event_model::TransportProtocol;
use std::io::{self, BufRead};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The tables.
pub const TABLES: [(&str, TransportProtocol); 4] = [
    ("tcp", TransportProtocol::Tcp),
    ("tcp6", TransportProtocol::Tcp),
    ("udp", TransportProtocol::Udp),
    ("udp6", TransportProtocol::Udp),
];

/// TCP_LISTEN and TCP_CLOSE of the kernel's `tcp_states.h`: a UDP socket is "closed" unless it is connected.
const LISTENING: &str = "0A";
const UNCONNECTED: &str = "07";

/// A socket that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// The address it is bound to.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// Who made it.
    pub uid: u32,
    /// Its inode, which descriptors show. 0: no process holds it.
    pub inode: u64,
}

/// Reads a table; stops at `most` sockets. TCP sockets that listen stand before all others.
pub fn read(
    table: impl BufRead,
    protocol: TransportProtocol,
    most: usize,
) -> io::Result<Vec<Socket>> {
    let mut sockets = vec![];
    for line in table.lines().skip(1) {
        let line = line?;
        let Some((state, socket)) = parse(&line) else { continue };
        let waits = match protocol {
            TransportProtocol::Tcp if state != LISTENING => break,
            TransportProtocol::Tcp => true,
            TransportProtocol::Udp => state == UNCONNECTED,
        };
        // A raw or unbound socket has no port.
        if waits && socket.port != 0 {
            sockets.push(socket);
        }
        if sockets.len() >= most {
            break;
        }
    }
    Ok(sockets)
}

/// `  0: 0100007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 12345 …`
fn parse(line: &str) -> Option<(&str, Socket)> {
    let mut fields = line.split_ascii_whitespace();
    let (address, port) = fields.nth(1)?.split_once(':')?;
    let state = fields.nth(1)?;
    let uid = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some((state, Socket { address: parse_address(address)?, port, uid, inode }))
}

/// Words of 32 bits in the machine's own order.
fn parse_address(text: &str) -> Option<IpAddr> {
    let word = |place: usize| {
        let digits = text.get(8 * place..8 * place + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    match text.len() {
        8 => word(0).map(|bytes| Ipv4Addr::from(bytes).into()),
        32 => {
            let mut bytes = [0; 16];
            for (place, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(place)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 3500007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 18313 1 0000000000000000 100 0 0 10 5
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 20012 1 0000000000000000 100 0 0 10 0
   2: 0100007F:9C40 0100007F:0016 01 00000000:00000000 00:00000000 00000000  1000        0 30000 1 0000000000000000 20 4 30 10 -1
";
    const UDP6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  10: 00000000000000000000000001000000:0202 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 777 2 0000000000000000 0
  11: 00000000000000000000000001000000:0203 00000000000000000000000001000000:0001 01 00000000:00000000 00:00000000 00000000     0        0 778 2 0000000000000000 0
nonsense
";

    #[test]
    fn sockets_that_wait_are_found() {
        let found = read(TCP.as_bytes(), TransportProtocol::Tcp, 10).expect("a table");
        let first = Socket { address: [127, 0, 0, 53].into(), port: 53, uid: 101, inode: 18313 };
        assert_eq!(found[0], first);
        assert_eq!((found.len(), found[1].port), (2, 22));
        let found = read(UDP6.as_bytes(), TransportProtocol::Udp, 10).expect("a table");
        let socket = Socket { address: Ipv6Addr::LOCALHOST.into(), port: 514, uid: 0, inode: 777 };
        assert_eq!(found, [socket]);
    }

    #[test]
    fn a_table_is_read_up_to_its_bound() {
        let found = read(TCP.as_bytes(), TransportProtocol::Tcp, 1).expect("a table");
        assert_eq!(found.len(), 1);
    }
}
