//! Questions to the domain name system, and its answers: by UDP and TCP, of IPv4 and IPv6, whichever call sends them.

use crate::loopback::{RawAddress, raise_loopback};
use crate::recorder::{Recorder, recorder};
use event_model::{DnsEvent, EventKind};
use nix::libc;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread;

const PORT: u16 = 53;
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(label.len().try_into().unwrap());
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}

/// A question for the address of `name` (RFC 1035, 4.1).
fn question(id: u16, name: &str) -> Vec<u8> {
    let mut bytes = [id.to_be_bytes(), [1, 0], [0, 1], [0; 2], [0; 2], [0; 2]].concat();
    bytes.extend(labels(name));
    bytes.extend([0, 1, 0, 1]);
    bytes
}

/// The answer to a question: one address.
fn answer(question: &[u8]) -> Vec<u8> {
    let mut bytes = question.to_vec();
    bytes[2] |= 0x80;
    bytes[7] = 1;
    bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
    bytes.extend(ADDRESS.octets());
    bytes
}

/// Answers `count` questions by UDP.
fn serve_udp(address: IpAddr, count: usize) -> SocketAddr {
    let server = UdpSocket::bind((address, PORT)).expect("port 53 of a loopback address is free");
    let local = server.local_addr().unwrap();
    thread::spawn(move || {
        for _ in 0..count {
            let mut bytes = [0; 2048];
            let (length, client) = server.recv_from(&mut bytes).unwrap();
            server.send_to(&answer(&bytes[..length]), client).unwrap();
        }
    });
    local
}

/// The first packet of the domain name system of this program's with that number.
fn told(recorder: &Recorder, what: &str, id: u16, response: bool) -> DnsEvent {
    recorder.act_of(std::process::id(), what, |record| match &record.event {
        EventKind::Dns(event) if (event.id, event.response) == (id, response) => {
            Some(event.as_ref().clone())
        }
        _ => None,
    })
}

fn check(
    recorder: &Recorder,
    id: u16,
    name: &str,
    server: SocketAddr,
    local: SocketAddr,
    tcp: bool,
) {
    let lower = name.to_lowercase();
    for response in [false, true] {
        let what = if response { "an answer" } else { "a question" };
        let event = told(recorder, &format!("{what} about {name}"), id, response);
        assert_eq!((event.server, event.local), (Some(server), Some(local)), "{event:?}");
        assert_eq!((event.tcp, event.code, event.partial), (tcp, 0, false), "{event:?}");
        assert_eq!(event.questions.len(), 1, "{event:?}");
        assert_eq!(event.questions[0].name, lower);
        assert_eq!(event.questions[0].record_type, "A");
        assert_eq!(event.answers.len(), usize::from(response), "{event:?}");
        if let Some(answer) = event.answers.first() {
            assert_eq!((answer.name.as_str(), answer.ttl), (lower.as_str(), 60));
            assert_eq!((answer.record_type.as_str(), answer.data.as_str()), ("A", "192.0.2.7"));
        }
    }
}

/// How a question is sent.
type Send = fn(&UdpSocket, &[u8], SocketAddr);

fn by_sendto(socket: &UdpSocket, bytes: &[u8], server: SocketAddr) {
    assert_eq!(socket.send_to(bytes, server).unwrap(), bytes.len());
}

fn by_connected_send(socket: &UdpSocket, bytes: &[u8], server: SocketAddr) {
    socket.connect(server).unwrap();
    assert_eq!(socket.send(bytes).unwrap(), bytes.len());
}

fn by_write(socket: &UdpSocket, bytes: &[u8], server: SocketAddr) {
    socket.connect(server).unwrap();
    assert_eq!(nix::unistd::write(socket, bytes).unwrap(), bytes.len());
}

fn by_sendmsg(socket: &UdpSocket, bytes: &[u8], server: SocketAddr) {
    let (head, tail) = bytes.split_at(13);
    let part = |bytes: &[u8]| libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    with_message(&mut [part(head), part(tail)], server, |message| {
        // SAFETY: the message's address and parts live until the call returns.
        let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), message, 0) };
        assert_eq!(usize::try_from(sent), Ok(bytes.len()));
    });
}

fn by_sendmmsg(socket: &UdpSocket, bytes: &[u8], server: SocketAddr) {
    let part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    with_message(&mut [part], server, |message| {
        let mut messages = [libc::mmsghdr { msg_hdr: *message, msg_len: 0 }];
        // SAFETY: one message, whose address and part live until the call returns.
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), 1, 0) };
        assert_eq!(sent, 1, "{}", std::io::Error::last_os_error());
    });
}

fn with_message(parts: &mut [libc::iovec], server: SocketAddr, send: impl Fn(&libc::msghdr)) {
    let mut address = RawAddress::from(server);
    // SAFETY: all zeros are an empty message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = (&raw mut address).cast();
    message.msg_namelen = size_of::<RawAddress>().try_into().unwrap();
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = parts.len();
    send(&message);
}

const WAYS: [(&str, Send); 5] = [
    ("sendto", by_sendto),
    ("send", by_connected_send),
    ("write", by_write),
    ("sendmsg", by_sendmsg),
    ("sendmmsg", by_sendmmsg),
];

fn ask_by_udp(address: IpAddr, client: IpAddr, first_id: u16) {
    let recorder = recorder();
    raise_loopback();
    let server = serve_udp(address, WAYS.len());
    for (id, (way, send)) in (first_id..).zip(WAYS) {
        let name = format!("By-{way}.{id}.Example.org");
        let socket = UdpSocket::bind((client, 0)).unwrap();
        send(&socket, &question(id, &name), server);
        socket.recv(&mut [0; 512]).unwrap();
        let local = SocketAddr::new(client, socket.local_addr().unwrap().port());
        check(recorder, id, &name, server, local, false);
    }
}

#[test]
fn a_question_by_udp_and_its_answer_are_told_whichever_call_sends_it() {
    ask_by_udp(Ipv4Addr::new(127, 53, 0, 1).into(), Ipv4Addr::LOCALHOST.into(), 1000);
}

#[test]
fn so_they_are_over_ipv6() {
    ask_by_udp("::1".parse().unwrap(), "::1".parse().unwrap(), 2000);
}

fn ask_by_tcp(address: IpAddr, id: u16) {
    let recorder = recorder();
    raise_loopback();
    let listener =
        TcpListener::bind((address, PORT)).expect("port 53 of a loopback address is free");
    let server = listener.local_addr().unwrap();
    let answering = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut length = [0; 2];
        client.read_exact(&mut length).unwrap();
        let mut bytes = vec![0; u16::from_be_bytes(length).into()];
        client.read_exact(&mut bytes).unwrap();
        client.write_all(&framed(&answer(&bytes))).unwrap();
    });
    let name = format!("by-tcp.{id}.example.org");
    let mut client = TcpStream::connect(server).unwrap();
    client.write_all(&framed(&question(id, &name))).unwrap();
    client.read_exact(&mut [0; 2]).unwrap();
    answering.join().unwrap();
    check(recorder, id, &name, server, client.local_addr().unwrap(), true);
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

#[test]
fn a_question_by_tcp_and_its_answer_are_told() {
    ask_by_tcp(Ipv4Addr::new(127, 53, 0, 2).into(), 3000);
    ask_by_tcp("::1".parse().unwrap(), 3001);
}

#[test]
fn of_a_malformed_packet_what_can_be_read_is_told() {
    let recorder = recorder();
    raise_loopback();
    let server = UdpSocket::bind((Ipv4Addr::new(127, 53, 0, 3), PORT)).unwrap();
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut bytes = question(4000, "cut.example.org");
    bytes.truncate(20);
    client.send_to(&bytes, server.local_addr().unwrap()).unwrap();
    let event = told(recorder, "a malformed question", 4000, false);
    assert!(event.partial && event.questions.is_empty(), "{event:?}");

    let mut long = question(4001, "long.example.org");
    long.resize(3000, 0);
    client.send_to(&long, server.local_addr().unwrap()).unwrap();
    let event = told(recorder, "a question with much behind it", 4001, false);
    assert_eq!(event.questions[0].name, "long.example.org");
    assert!(event.partial, "{event:?}");
}
