//! Addresses that are rewritten while a child connects to a Unix socket, by a ring, or sends a datagram.

use crate::io_uring::{OneRing, Submission};
use crate::loopback::raise_loopback;
use crate::races::{Flip, flip, judge, last_letter, networks, race, system};
use crate::recorder::recorder;
use event_model::{NetworkAct, SystemAct};
use nix::libc;
use std::cell::OnceCell;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

/// The last part of an address.
const OCTETS: [u8; 2] = [1, 2];

/// A `struct sockaddr_in` of 127.0.0.1 or 127.0.0.2.
fn address(port: u16) -> [u8; 16] {
    let mut address = [0_u8; 16];
    address[..2].copy_from_slice(&u16::try_from(libc::AF_INET).unwrap().to_ne_bytes());
    address[2..4].copy_from_slice(&port.to_be_bytes());
    address[4..8].copy_from_slice(&[127, 0, 0, OCTETS[0]]);
    address
}

fn octet(address: Option<SocketAddr>) -> u8 {
    match address {
        Some(SocketAddr::V4(address)) => address.ip().octets()[3],
        _ => 0,
    }
}

fn socket(family: i32, kind: i32) -> OwnedFd {
    // SAFETY: plain numbers; the descriptor is new, and nobody else's.
    unsafe {
        let socket = libc::socket(family, kind, 0);
        assert!(socket >= 0);
        OwnedFd::from_raw_fd(socket)
    }
}

#[test]
fn the_unix_socket_that_was_connected_to_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        let listener = UnixListener::bind(folder.path().join(name)).unwrap();
        thread::spawn(move || listener.incoming().for_each(drop));
    }
    let path = folder.path().join("a");
    let mut address = libc::AF_UNIX.to_ne_bytes()[..2].to_vec();
    address.extend(path.to_str().unwrap().as_bytes());
    let size = libc::socklen_t::try_from(address.len() + 1).unwrap();
    let (pid, done) = race(
        &flip(&address),
        || true,
        |shared| {
            let client = UnixStream::from(socket(libc::AF_UNIX, libc::SOCK_STREAM));
            // SAFETY: the address lives, and a NUL follows.
            let result =
                unsafe { libc::connect(client.as_raw_fd(), shared.pointer().cast(), size) };
            assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
            let peer = client.peer_addr().unwrap();
            Some(last_letter(peer.as_pathname().unwrap().to_str()))
        },
    )
    .unwrap();
    let told = networks(pid, |event| {
        (event.act == NetworkAct::Connect).then(|| last_letter(event.path.as_deref()))
    });
    judge("connect to a Unix socket", *b"ab", &told, &done);
}

#[test]
fn the_end_that_a_datagram_went_to_is_told() {
    recorder();
    raise_loopback();
    let receivers = OnceCell::new();
    let first = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = first.local_addr().unwrap().port();
    let second = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, OCTETS[1]), port)).unwrap();
    for receiver in [&first, &second] {
        receiver.set_nonblocking(true).unwrap();
    }
    let flip = Flip { bytes: &address(port), place: 7, values: OCTETS };
    let (pid, done) = race(
        &flip,
        || receivers.set([&first, &second]).is_ok(),
        |shared| {
            let client = socket(libc::AF_INET, libc::SOCK_DGRAM);
            // SAFETY: the text and the address live.
            let sent = unsafe {
                let (text, to) = (c"x".as_ptr().cast(), shared.pointer().cast());
                libc::sendto(client.as_raw_fd(), text, 1, 0, to, 16)
            };
            assert_eq!(sent, 1, "{}", std::io::Error::last_os_error());
            loop {
                for (receiver, octet) in receivers.get().unwrap().iter().zip(OCTETS) {
                    if receiver.recv(&mut [0]).is_ok() {
                        return Some(octet);
                    }
                }
            }
        },
    )
    .unwrap();
    let told = networks(pid, |event| {
        let is_it = event.act == NetworkAct::Datagram
            && event.remote.is_some_and(|remote| remote.port() == port);
        is_it.then(|| octet(event.remote))
    });
    judge("sendto", OCTETS, &told, &done);
}

#[test]
fn the_end_that_a_ring_connects_to_is_told_and_what_it_was_given_is_the_callers() {
    recorder();
    raise_loopback();
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().for_each(drop));
    let flip = Flip { bytes: &address(port), place: 7, values: OCTETS };
    let ring = OnceCell::new();
    let raced = race(
        &flip,
        || OneRing::new().is_some_and(|one| ring.set(one).is_ok()),
        |shared| {
            let client = TcpStream::from(socket(libc::AF_INET, libc::SOCK_STREAM));
            ring.get().unwrap().run(Submission {
                operation: 16, // IORING_OP_CONNECT
                descriptor: client.as_raw_fd(),
                address: shared.address(),
                offset: 16,
                ..Submission::default()
            });
            let peer = client.peer_addr().unwrap();
            // Without a wait for late packets: 10,000 ports would wait.
            let linger = libc::linger { l_onoff: 1, l_linger: 0 };
            nix::sys::socket::setsockopt(&client, nix::sys::socket::sockopt::Linger, &linger)
                .unwrap();
            Some(octet(Some(peer)))
        },
    );
    let Some((pid, done)) = raced else {
        println!("race io_uring connect: this kernel refuses rings");
        return;
    };
    // Missing where the caller's memory was not there yet: kernels up to 6.2 tell of an operation before they read its address.
    let given = system(pid, |event| {
        let address = event.argument("address").and_then(|address| address.parse().ok());
        (event.act == SystemAct::IoUring).then(|| octet(address))
    });
    judge("io_uring connect", OCTETS, &given, &done);
    assert!(given.iter().all(|given| given.callers_word));
    // An attempt that nobody answered for a second is told before its outcome is known: the listener's queue was full.
    let told = networks(pid, |event| {
        let has_outcome = event.act == NetworkAct::Connect && event.error.is_some();
        has_outcome.then(|| octet(event.remote))
    });
    judge("connect by a ring", OCTETS, &told, &done);
}
