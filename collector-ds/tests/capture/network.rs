//! Acts on sockets.

use crate::io_uring::{Submission, through_a_ring};
use crate::loopback::{RawAddress, loopback, raise_loopback, with_address};
use crate::recorder::{Recorder, recorder};
use event_model::{EventKind, NetworkAct, NetworkEvent};
use nix::libc;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockProtocol, SockType, listen, socket};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener, UnixStream};
use std::time::{Duration, Instant};

/// The first act on a socket of this program's that `pick` takes.
pub fn act(
    recorder: &Recorder,
    what: &str,
    act: NetworkAct,
    pick: impl Fn(&NetworkEvent) -> bool,
) -> NetworkEvent {
    recorder.act_of(std::process::id(), what, |record| match &record.event {
        EventKind::Network(event) if event.act == act && pick(event) => {
            Some(event.as_ref().clone())
        }
        _ => None,
    })
}

/// All acts on sockets of this program's that `pick` takes.
pub fn acts(recorder: &Recorder, pick: impl Fn(&NetworkEvent) -> bool) -> Vec<NetworkEvent> {
    recorder.all(|record| match record {
        collector_ds::kernel::KernelRecord::Act(act) if act.process.pid == std::process::id() => {
            match &act.event {
                EventKind::Network(event) if pick(event) => Some(event.as_ref().clone()),
                _ => None,
            }
        }
        _ => None,
    })
}

const ADDRESSES: [IpAddr; 2] =
    [IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

fn family_of(address: IpAddr) -> u16 {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    family.try_into().unwrap()
}

#[test]
fn a_connection_is_told_at_both_its_ends_and_at_its_end() {
    let recorder = recorder();
    raise_loopback();
    for address in ADDRESSES {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let (near, far) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
        client.write_all(&[1; 1000]).unwrap();
        server.read_exact(&mut [0; 1000]).unwrap();
        server.write_all(&[2; 300]).unwrap();
        client.read_exact(&mut [0; 300]).unwrap();
        drop(server);
        assert_eq!(client.read(&mut [0]).unwrap(), 0, "the server has closed");
        drop(client);

        let made = act(recorder, "a connection", NetworkAct::Connect, |event| {
            event.local == Some(near) && event.remote == Some(far)
        });
        let identity = (made.family, made.protocol, made.socket_type, made.error);
        assert_eq!(identity, (family_of(address), 6, 1, Some(0)));
        assert_eq!((made.flow, made.path), (None, None));
        let taken = act(recorder, "its acceptance", NetworkAct::Accept, |event| {
            event.local == Some(far) && event.remote == Some(near)
        });
        assert_eq!((taken.family, taken.error), (family_of(address), Some(0)));
        let closed = |local, remote| {
            let event = act(recorder, "its end", NetworkAct::Close, |event| {
                (event.local, event.remote) == (Some(local), Some(remote))
            });
            event.flow.expect("a closed connection has a flow")
        };
        let (out, into) = (closed(near, far), closed(far, near));
        assert_eq!((out.inbound, out.bytes_sent, out.bytes_received), (false, 1000, 300));
        assert_eq!((into.inbound, into.bytes_sent, into.bytes_received), (true, 300, 1000));
        assert!(out.duration > 0 && out.duration < 60_000_000_000, "{out:?}");
    }
}

#[test]
fn a_refused_connection_is_told_with_its_error() {
    let recorder = recorder();
    raise_loopback();
    for address in ADDRESSES {
        let far = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap();
        TcpStream::connect(far).unwrap_err();
        let event = act(recorder, "a refused connection", NetworkAct::Connect, |event| {
            event.remote == Some(far)
        });
        assert_eq!(event.error, Some(libc::ECONNREFUSED.try_into().unwrap()));
        assert_eq!(event.local.map(|local| local.ip()), Some(address));
    }
}

#[test]
fn a_connection_that_nobody_answers_is_told_while_it_is_tried() {
    let recorder = recorder();
    raise_loopback();
    let listener = tcp_socket();
    with_address(&listener, loopback(0), libc::bind).unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let far = address_of(&listener);
    // The queue of one is full after the first, and what comes then is not answered.
    let waiting: Vec<_> = (0..4).map(|_| begin_connection(far)).collect();
    let event = act(recorder, "an unanswered connection", NetworkAct::Connect, |event| {
        event.remote == Some(far) && event.error.is_none()
    });
    let locals: Vec<_> = waiting.iter().map(address_of).collect();
    let local = event.local.expect("it has a port by now");
    assert!(locals.contains(&local), "{local} is none of {locals:?}");
    drop(listener);
    let refused = act(recorder, "its outcome", NetworkAct::Connect, |event| {
        event.local == Some(local) && event.remote == Some(far) && event.error.is_some()
    });
    assert_eq!(refused.error, Some(libc::ECONNREFUSED.try_into().unwrap()));
}

fn tcp_socket() -> OwnedFd {
    socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_NONBLOCK, None).unwrap()
}

fn begin_connection(far: SocketAddr) -> OwnedFd {
    let client = tcp_socket();
    // Established at once, or in progress.
    let _ = with_address(&client, far, libc::connect);
    client
}

fn address_of(socket: &OwnedFd) -> SocketAddr {
    TcpStream::from(socket.try_clone().unwrap()).local_addr().unwrap()
}

#[test]
fn a_socket_that_listens_is_told_with_its_backlog() {
    let recorder = recorder();
    raise_loopback();
    let listener = tcp_socket();
    with_address(&listener, loopback(0), libc::bind).unwrap();
    listen(&listener, Backlog::new(7).unwrap()).unwrap();
    let local = address_of(&listener);
    let event = act(recorder, "listening", NetworkAct::Listen, |event| event.local == Some(local));
    assert_eq!((event.backlog, event.protocol, event.remote), (Some(7), 6, None));
}

#[test]
fn a_socket_that_is_bound_is_told_with_the_port_that_it_got() {
    let recorder = recorder();
    raise_loopback();
    for address in ADDRESSES {
        let bound = UdpSocket::bind((address, 0)).unwrap();
        let local = bound.local_addr().unwrap();
        let event = act(recorder, "binding", NetworkAct::Bind, |event| event.local == Some(local));
        let identity = (event.family, event.protocol, event.socket_type, event.error);
        assert_eq!(identity, (family_of(address), 17, 2, Some(0)));
    }
    let taken = TcpListener::bind((ADDRESSES[0], 0)).unwrap();
    UdpSocket::bind(("192.0.2.1", 9)).unwrap_err();
    let event = act(recorder, "a failed binding", NetworkAct::Bind, |event| {
        event.error == Some(libc::EADDRNOTAVAIL.try_into().unwrap())
    });
    assert_eq!((event.local, event.protocol), (None, 17));
    drop(taken);
}

#[test]
fn a_datagram_socket_that_gets_its_other_end_is_told() {
    let recorder = recorder();
    raise_loopback();
    for address in ADDRESSES {
        let far = UdpSocket::bind((address, 0)).unwrap().local_addr().unwrap();
        let near = UdpSocket::bind((address, 0)).unwrap();
        near.connect(far).unwrap();
        let event = act(recorder, "connecting by UDP", NetworkAct::Connect, |event| {
            event.remote == Some(far)
        });
        assert_eq!(event.local, Some(near.local_addr().unwrap()));
        let identity = (event.family, event.protocol, event.socket_type, event.error);
        assert_eq!(identity, (family_of(address), 17, 2, Some(0)));
    }
}

#[test]
fn a_connection_to_a_unix_socket_is_told_by_the_path_that_was_bound() {
    let recorder = recorder();
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("docker.sock"), folder.path().join("link"));
    let _listener = UnixListener::bind(&path).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let _client = UnixStream::connect(&link).unwrap();
    let event = act(recorder, "connecting to a Unix socket", NetworkAct::Connect, |event| {
        event.path.as_deref() == path.to_str()
    });
    assert_eq!((event.family, event.socket_type, event.remote), (1, 1, None));
    assert_eq!(event.error, Some(0));
}

#[test]
fn a_connection_to_an_abstract_socket_is_told_by_its_name() {
    let recorder = recorder();
    let name = format!("/containerd-shim/{}.sock", std::process::id());
    let address = UnixAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let _client = UnixStream::connect_addr(&address).unwrap();
    let told = format!("@{name}");
    act(recorder, "connecting to an abstract socket", NetworkAct::Connect, |event| {
        event.path.as_ref() == Some(&told)
    });
}

#[test]
fn raw_and_packet_sockets_are_told_and_netlinks_are_not() {
    let recorder = recorder();
    let flags = SockFlag::SOCK_CLOEXEC;
    socket(AddressFamily::Inet, SockType::Raw, flags, SockProtocol::Icmp).unwrap();
    socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll).unwrap();
    socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute).unwrap();
    let told = |family: i32| {
        let family = u16::try_from(family).unwrap();
        act(recorder, "making a socket", NetworkAct::Socket, |event| event.family == family)
    };
    let raw = told(libc::AF_INET);
    assert_eq!((raw.protocol, raw.socket_type, raw.error), (1, 3, Some(0)));
    let packet = told(libc::AF_PACKET);
    assert_eq!((packet.protocol, packet.socket_type), (3, 3), "ETH_P_ALL, in our byte order");
    let netlink = u16::try_from(libc::AF_NETLINK).unwrap();
    assert_eq!(acts(recorder, |event| event.family == netlink), []);
}

#[test]
fn datagrams_to_one_end_are_told_once() {
    let recorder = recorder();
    raise_loopback();
    for address in ADDRESSES {
        let far = UdpSocket::bind((address, 0)).unwrap();
        let near = UdpSocket::bind((address, 0)).unwrap();
        let remote = far.local_addr().unwrap();
        for _ in 0..5 {
            near.send_to(&[0; 100], remote).unwrap();
        }
        let event =
            act(recorder, "a datagram", NetworkAct::Datagram, |event| event.remote == Some(remote));
        assert_eq!(event.local, Some(near.local_addr().unwrap()));
        assert_eq!(event.flow.map(|flow| (flow.inbound, flow.bytes_sent)), Some((false, 100)));
        let all = acts(recorder, |event| {
            event.act == NetworkAct::Datagram && event.remote == Some(remote)
        });
        assert_eq!(all.len(), 1);
    }
}

#[test]
fn who_makes_a_connection_is_told_although_it_stands_in_nobodys_time() {
    let recorder = recorder();
    raise_loopback();
    let listener = TcpListener::bind((ADDRESSES[0], 0)).unwrap();
    let far = listener.local_addr().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let (pid, status) = crate::acts::in_fork(|| {
        let client = TcpStream::connect(far);
        crate::acts::exit_now(i32::from(client.is_err()));
    });
    assert!(status.success());
    let (server, near) = listener.accept().unwrap();
    let owner = |what: &str, wanted: NetworkAct| {
        recorder.act_of(pid, what, |record| match &record.event {
            EventKind::Network(event) if event.act == wanted && event.local == Some(near) => {
                Some(record.thread)
            }
            _ => None,
        })
    };
    assert_eq!(owner("its connection", NetworkAct::Connect), pid);
    drop(server);
    assert_eq!(owner("the end of its connection", NetworkAct::Close), pid);
    assert!(Instant::now() < deadline, "an end is told at once");
}

#[test]
fn a_connection_through_a_ring_is_told_like_one_by_a_call() {
    const CONNECT: u8 = 16; // IORING_OP_CONNECT
    let recorder = recorder();
    raise_loopback();
    let listener = TcpListener::bind(loopback(0)).unwrap();
    let far = listener.local_addr().unwrap();
    let address = RawAddress::from(far);
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).unwrap();
    let pid = through_a_ring(&[Submission {
        operation: CONNECT,
        descriptor: socket.as_raw_fd(),
        address: (&raw const address) as u64,
        offset: size_of::<RawAddress>() as u64,
        ..Submission::default()
    }]);
    let error = recorder.act_of(pid, "a connection through a ring", |record| match &record.event {
        EventKind::Network(event)
            if event.act == NetworkAct::Connect && event.remote == Some(far) =>
        {
            event.error
        }
        _ => None,
    });
    assert_eq!(error, 0);
}

#[test]
fn the_answers_of_a_service_are_told_once_for_an_address() {
    let recorder = recorder();
    raise_loopback();
    let service = UdpSocket::bind(("127.7.7.7", 777)).unwrap();
    let local = service.local_addr().unwrap();
    for _ in 0..3 {
        let client = UdpSocket::bind(loopback(0)).unwrap();
        service.send_to(&[0; 10], client.local_addr().unwrap()).unwrap();
    }
    let told =
        acts(recorder, |event| event.act == NetworkAct::Datagram && event.local == Some(local));
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].flow.map(|flow| flow.inbound), Some(true), "the other end began");
}
