//! What the kernel leaves out of the acts on sockets, and counts.

use crate::loopback::raise_loopback;
use crate::recorder::recorder;
use collector_ds::kernel::{
    KernelConfig, KernelRecord, NetworkFilter, RecordKind, Sensor, UnixSockets,
};
use event_model::{EventKind, NetworkAct, NetworkEvent};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

/// Long enough for an emulated machine.
const DEADLINE: Duration = Duration::from_mins(1);

/// A sensor that looks at sockets alone.
struct Filtered {
    sensor: Sensor,
    events: Vec<NetworkEvent>,
}

impl Filtered {
    fn new(network: NetworkFilter) -> Self {
        recorder(); // One after the other: loading takes much memory.
        raise_loopback();
        let acts = NetworkAct::ALL.into_iter().map(RecordKind::Network).collect();
        let config = KernelConfig { acts, network, ..KernelConfig::everything(1 << 20) };
        Self { sensor: Sensor::load(&config).unwrap().0, events: vec![] }
    }

    /// The acts of this thread so far. What listens is told whatever the filter: by then all before has been told.
    fn events(&mut self) -> &[NetworkEvent] {
        let mark = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let deadline = Instant::now() + DEADLINE;
        let thread = nix::unistd::gettid().as_raw().cast_unsigned();
        let mut marked = false;
        while !marked {
            assert!(Instant::now() < deadline, "a listening socket is always told");
            self.sensor.poll(usize::MAX, |record| {
                let KernelRecord::Act(act) = record else { return };
                let EventKind::Network(event) = act.event else { return };
                marked |= event.act == NetworkAct::Listen && event.local == Some(mark);
                if act.thread == thread {
                    self.events.push(*event);
                }
            });
        }
        &self.events
    }

    fn connected(&mut self) -> Vec<SocketAddr> {
        let connects = self.events().iter().filter(|event| event.act == NetworkAct::Connect);
        connects.filter_map(|event| event.remote).collect()
    }
}

/// An address that refuses connections.
fn closed(ip: &str) -> SocketAddr {
    TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap()
}

#[test]
fn other_ends_that_are_ignored_are_not_told() {
    let (wanted, by_port) = (closed("127.0.0.1"), closed("127.0.0.1"));
    let (by_network, by_network6) = (closed("127.9.9.9"), closed("::1"));
    let mut filtered = Filtered::new(NetworkFilter {
        ignored_networks: vec!["127.9.0.0/16".parse().unwrap(), "::1/128".parse().unwrap()],
        ignored_ports: [by_port.port()].into(),
        ..NetworkFilter::everything()
    });
    for far in [by_port, by_network, by_network6, wanted] {
        TcpStream::connect(far).unwrap_err();
    }
    assert_eq!(filtered.connected(), [wanted]);
}

#[test]
fn on_loopback_only_the_ports_that_rule_the_node_are_told() {
    let (docker, other, other6) = (closed("127.0.0.1"), closed("127.0.0.1"), closed("::1"));
    let mut filtered = Filtered::new(NetworkFilter {
        loopback: false,
        loopback_ports: [docker.port()].into(),
        ..NetworkFilter::everything()
    });
    for far in [other, other6, docker] {
        TcpStream::connect(far).unwrap_err();
    }
    assert_eq!(filtered.connected(), [docker]);
}

#[test]
fn of_unix_sockets_only_those_named_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (docker, other) = (folder.path().join("docker.sock"), folder.path().join("other.sock"));
    let listeners = [&other, &docker].map(|path| UnixListener::bind(path).unwrap());
    let names = ["docker.sock".to_owned()].into();
    let mut filtered = Filtered::new(NetworkFilter {
        unix_sockets: UnixSockets::Named(names),
        ..NetworkFilter::everything()
    });
    for path in [&other, &docker] {
        UnixStream::connect(path).unwrap();
    }
    let told: Vec<_> = filtered.events().iter().filter_map(|event| event.path.clone()).collect();
    assert_eq!(told, [docker.to_str().unwrap()]);
    drop(listeners);
}

#[test]
fn what_passes_the_limit_is_counted_to_the_act() {
    const CONNECTIONS: u64 = 500;
    const LIMIT: u64 = 20;
    let far = closed("127.0.0.1");
    let mut filtered = Filtered::new(NetworkFilter {
        limit: Some(LIMIT),
        window: Duration::from_hours(1),
        ..NetworkFilter::everything()
    });
    let folded = |filtered: &Filtered| {
        filtered.sensor.folded().unwrap().of(RecordKind::Network(NetworkAct::Connect))
    };
    let before = folded(&filtered);
    for _ in 0..CONNECTIONS {
        TcpStream::connect(far).unwrap_err();
    }
    let told = filtered.connected().iter().filter(|remote| **remote == far).count();
    assert_eq!(u64::try_from(told), Ok(LIMIT));
    let counted = folded(&filtered) - before;
    assert!(counted >= CONNECTIONS - LIMIT, "{counted} of {CONNECTIONS} were counted");
}
