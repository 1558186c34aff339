//! Addresses that another thread rewrites while the call runs: what is told is what the kernel did.

use crate::loopback::{loopback, raise_loopback};
use crate::recorder::{Recorder, recorder};
use collector_ds::kernel::KernelRecord;
use event_model::{EventKind, NetworkAct, NetworkEvent};
use nix::libc;
use nix::unistd::gettid;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

const CALLS: usize = 10_000;

/// A `struct sockaddr_in`, whose first eight bytes hold family, port and address.
#[repr(C)]
struct SharedAddress {
    said: AtomicU64,
    zero: u64,
}

impl SharedAddress {
    fn packed(address: SocketAddr) -> u64 {
        let SocketAddr::V4(address) = address else { panic!("{address} is not of IPv4") };
        let family = u16::try_from(libc::AF_INET).unwrap().to_ne_bytes();
        let port = address.port().to_be_bytes();
        let [a, b, c, d] = address.ip().octets();
        u64::from_ne_bytes([family[0], family[1], port[0], port[1], a, b, c, d])
    }

    fn pass(
        &self,
        socket: &impl AsRawFd,
        call: unsafe extern "C" fn(
            libc::c_int,
            *const libc::sockaddr,
            libc::socklen_t,
        ) -> libc::c_int,
    ) {
        // SAFETY: the address has 16 bytes; that another thread writes to them meanwhile is what is tested, and
        // only the kernel reads them here.
        let result = unsafe { call(socket.as_raw_fd(), (&raw const *self).cast(), 16) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    }
}

/// Calls `act` many times while another thread makes the address now one, now the other. Returns what it returned.
fn race<T: Send>(
    one: SocketAddr,
    other: SocketAddr,
    act: impl Fn(&SharedAddress) -> T + Sync,
) -> (u32, Vec<T>) {
    let (one, other) = (SharedAddress::packed(one), SharedAddress::packed(other));
    let address = SharedAddress { said: AtomicU64::new(one), zero: 0 };
    assert_eq!(address.zero, 0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                address.said.store(other, Ordering::Relaxed);
                address.said.store(one, Ordering::Relaxed);
            }
        });
        let acting = scope.spawn(|| {
            let results = (0..CALLS).map(|_| act(&address)).collect();
            (gettid().as_raw().cast_unsigned(), results)
        });
        let results = acting.join();
        done.store(true, Ordering::Relaxed);
        results.unwrap()
    })
}

/// The acts of a thread that succeeded, in their order. A connection whose first packet the other end dropped is also told
/// while it is tried.
fn acts_of(recorder: &Recorder, thread: u32, act: NetworkAct) -> Vec<NetworkEvent> {
    recorder.all(|record| match record {
        KernelRecord::Act(record) if record.thread == thread => match &record.event {
            EventKind::Network(event) if event.act == act && event.error == Some(0) => {
                Some(event.as_ref().clone())
            }
            _ => None,
        },
        _ => None,
    })
}

fn both_were_taken(ends: impl Iterator<Item = SocketAddr>) {
    let distinct: std::collections::BTreeSet<_> = ends.map(|end| (end.ip(), end.port())).collect();
    assert!(distinct.len() > 1, "the other thread never came in between: {distinct:?}");
}

fn listener() -> SocketAddr {
    let listener = TcpListener::bind(loopback(0)).unwrap();
    let local = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().for_each(drop));
    local
}

#[test]
fn a_tcp_connection_is_told_as_it_was_made() {
    let recorder = recorder();
    raise_loopback();
    let (thread, made) = race(listener(), listener(), |address| {
        // SAFETY: plain numbers; the descriptor is new, and nobody else's.
        let client: TcpStream = unsafe {
            let socket = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
            std::os::fd::FromRawFd::from_raw_fd(socket)
        };
        address.pass(&client, libc::connect);
        let ends = (client.local_addr().unwrap(), client.peer_addr().unwrap());
        // Without a wait for late packets: 10,000 ports would wait.
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        nix::sys::socket::setsockopt(&client, nix::sys::socket::sockopt::Linger, &linger).unwrap();
        ends
    });
    both_were_taken(made.iter().map(|(_, remote)| *remote));
    let told = acts_of(recorder, thread, NetworkAct::Connect);
    // An attempt that nobody answered for a second is told before its outcome is known: the listener's queue was full.
    let told = told.iter().filter(|event| event.error.is_some());
    let told: Vec<_> = told.map(|event| (event.local.unwrap(), event.remote.unwrap())).collect();
    assert_eq!(told.len(), CALLS);
    assert!(told == made, "{:?}", told.iter().zip(&made).find(|(told, made)| told != made));
}

#[test]
fn a_connected_udp_socket_is_told_as_it_was_connected() {
    let recorder = recorder();
    raise_loopback();
    let (thread, made) = race(loopback(7001), loopback(7002), |address| {
        let socket = UdpSocket::bind(loopback(0)).unwrap();
        address.pass(&socket, libc::connect);
        (socket.local_addr().unwrap(), socket.peer_addr().unwrap())
    });
    both_were_taken(made.iter().map(|(_, remote)| *remote));
    let told = acts_of(recorder, thread, NetworkAct::Connect);
    let told: Vec<_> =
        told.iter().map(|event| (event.local.unwrap(), event.remote.unwrap())).collect();
    assert_eq!(told.len(), CALLS);
    assert!(told == made, "{:?}", told.iter().zip(&made).find(|(told, made)| told != made));
}

#[test]
fn a_socket_is_told_as_it_was_bound() {
    let recorder = recorder();
    raise_loopback();
    let other = SocketAddr::from(([127, 0, 0, 2], 0));
    let (thread, made) = race(loopback(0), other, |address| {
        // SAFETY: plain numbers; the descriptor is new, and nobody else's.
        let socket: UdpSocket = unsafe {
            let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0);
            std::os::fd::FromRawFd::from_raw_fd(socket)
        };
        address.pass(&socket, libc::bind);
        socket.local_addr().unwrap()
    });
    both_were_taken(made.iter().map(|local| SocketAddr::new(local.ip(), 0)));
    let told = acts_of(recorder, thread, NetworkAct::Bind);
    let told: Vec<_> = told.iter().map(|event| event.local.unwrap()).collect();
    assert_eq!(told.len(), CALLS);
    assert!(told == made, "{:?}", told.iter().zip(&made).find(|(told, made)| told != made));
}
