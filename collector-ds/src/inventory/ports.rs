//! Listening ports with their processes, in each network namespace that a process is in.
//!
//! A table of sockets tells inodes, and `/proc/PID/fd` tells who holds them. UDP sockets that only ask (a resolver's) look
//! like those that serve while they are open.

use super::limits;
use super::pace::Pace;
use super::proc_net::{self, Socket, TABLES};
use super::view::NodeView;
use event_model::{ListeningPort, Process, TransportProtocol};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

/// What was found.
#[derive(Debug, Default)]
pub struct Ports {
    /// The ports.
    pub ports: Vec<ListeningPort>,
    /// What could not be read.
    pub problems: Vec<String>,
}

/// A socket, in its namespace.
struct Found {
    namespace: u64,
    protocol: TransportProtocol,
    socket: Socket,
}

/// Reads the tables of all network namespaces.
pub fn read(proc_root: &Path, view: &NodeView, pace: &mut Pace) -> Ports {
    let mut problems = vec![];
    let mut namespaces: BTreeMap<u64, Vec<&Arc<Process>>> = BTreeMap::new();
    for process in &view.processes {
        pace.rest();
        if let Some(namespace) = namespace_of(&directory(proc_root, process)) {
            namespaces.entry(namespace).or_default().push(process);
        }
    }
    let mut sockets = vec![];
    for (namespace, processes) in &namespaces {
        let read = processes.iter().any(|process| {
            read_tables(&directory(proc_root, process), *namespace, &mut sockets, pace)
        });
        if !read {
            problems.push(format!("the sockets of network namespace {namespace} can't be read"));
        }
    }
    if sockets.len() >= limits::ITEMS {
        problems.push(format!("only the first {} listening ports are told", limits::ITEMS));
        sockets.truncate(limits::ITEMS);
    }
    let wanted = sockets.iter().map(|found| found.socket.inode).filter(|inode| *inode != 0);
    let mut holders: HashMap<u64, Option<&Arc<Process>>> =
        wanted.map(|inode| (inode, None)).collect();
    find_holders(proc_root, view, &mut holders, pace, &mut problems);
    let ports = sockets.into_iter().map(|found| {
        let holder = holders.get(&found.socket.inode).copied().flatten();
        listening(&found, holder)
    });
    Ports { ports: ports.collect(), problems }
}

fn directory(proc_root: &Path, process: &Process) -> std::path::PathBuf {
    proc_root.join(process.reference.key.pid.to_string())
}

/// `/proc/PID/ns/net` is a link such as `net:[4026531840]`. None where the process is gone.
fn namespace_of(process: &Path) -> Option<u64> {
    let link = fs::read_link(process.join("ns/net")).ok()?;
    link.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

/// False where the process is gone, or has moved to another namespace meanwhile.
fn read_tables(process: &Path, namespace: u64, found: &mut Vec<Found>, pace: &mut Pace) -> bool {
    let mut sockets = vec![];
    for (table, protocol) in TABLES {
        pace.rest();
        let path = process.join("net").join(table);
        let table = match File::open(path) {
            Ok(file) => BufReader::new(file.take(limits::SOCKET_TABLE_BYTES)),
            // A kernel without IPv6.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && table.ends_with('6') => {
                continue;
            }
            Err(_) => return false,
        };
        let most = limits::ITEMS.saturating_sub(found.len() + sockets.len());
        let Ok(read) = proc_net::read(table, protocol, most) else { return false };
        sockets.extend(read.into_iter().map(|socket| Found { namespace, protocol, socket }));
    }
    if namespace_of(process) != Some(namespace) {
        return false;
    }
    found.extend(sockets);
    true
}

/// Finds for each socket the oldest process that holds it: servers hand theirs to their children.
fn find_holders<'view>(
    proc_root: &Path,
    view: &'view NodeView,
    holders: &mut HashMap<u64, Option<&'view Arc<Process>>>,
    pace: &mut Pace,
    problems: &mut Vec<String>,
) {
    let mut left = limits::DESCRIPTORS_OF_ALL;
    let mut missing = holders.len();
    for process in &view.processes {
        if missing == 0 {
            return;
        }
        let Ok(descriptors) = fs::read_dir(directory(proc_root, process).join("fd")) else {
            continue;
        };
        for descriptor in descriptors.flatten().take(limits::DESCRIPTORS.min(left)) {
            left -= 1;
            pace.rest();
            let inode = fs::read_link(descriptor.path()).ok().and_then(|link| {
                link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse::<u64>().ok()
            });
            if let Some(holder) = inode.and_then(|inode| holders.get_mut(&inode))
                && holder.is_none()
            {
                *holder = Some(process);
                missing -= 1;
            }
        }
        if left == 0 {
            problems.push(format!(
                "the processes of some listening ports are not known: there are more than {} open descriptors",
                limits::DESCRIPTORS_OF_ALL
            ));
            return;
        }
    }
}

fn listening(found: &Found, holder: Option<&Arc<Process>>) -> ListeningPort {
    ListeningPort {
        protocol: found.protocol,
        address: found.socket.address,
        port: found.socket.port,
        network_namespace: found.namespace,
        uid: found.socket.uid,
        process: holder.map(|process| process.reference.key),
        process_name: holder.map(|process| process.name.clone()),
        executable: holder.map(|process| limits::clipped(&process.executable.path, limits::PATH)),
        container: holder.and_then(|process| process.container.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, TcpListener, UdpSocket};

    fn this_process() -> NodeView {
        let mut process = Process { name: "the test".to_owned(), ..Process::default() };
        process.reference.key.pid = std::process::id();
        process.executable.path = "/the/test".to_owned();
        NodeView { containers: vec![], processes: vec![Arc::new(process)] }
    }

    #[test]
    fn the_ports_that_this_test_opens_are_found_with_their_process() {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a TCP socket");
        let tcp6 = TcpListener::bind("[::1]:0").ok();
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
        let connected = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
        connected.connect(udp.local_addr().expect("an address")).expect("connected");
        let found = read(Path::new("/proc"), &this_process(), &mut Pace::hurried());
        let find = |protocol, address: std::net::SocketAddr| {
            found.ports.iter().find(|port| {
                port.protocol == protocol
                    && (port.address, port.port) == (address.ip(), address.port())
            })
        };
        let port = find(TransportProtocol::Tcp, tcp.local_addr().expect("an address"))
            .expect("it listens");
        assert_eq!(port.process.map(|key| key.pid), Some(std::process::id()));
        assert_eq!(port.process_name.as_deref(), Some("the test"));
        assert_eq!(port.executable.as_deref(), Some("/the/test"));
        assert_eq!(port.uid, nix::unistd::getuid().as_raw());
        assert!(port.network_namespace > 0);
        if let Some(tcp6) = tcp6 {
            let address = tcp6.local_addr().expect("an address");
            let port = find(TransportProtocol::Tcp, address).expect("it listens");
            assert_eq!(port.address, "::1".parse::<IpAddr>().expect("an address"));
        }
        find(TransportProtocol::Udp, udp.local_addr().expect("an address")).expect("it waits");
        let connected = connected.local_addr().expect("an address");
        assert_eq!(find(TransportProtocol::Udp, connected), None, "it waits for one only");
        assert!(found.problems.is_empty(), "{:?}", found.problems);
        drop((tcp, udp));
    }

    #[test]
    fn a_process_that_is_gone_hides_nothing_of_the_others() {
        let mut view = this_process();
        let mut gone = Process::default();
        gone.reference.key.pid = u32::MAX;
        view.processes.insert(0, Arc::new(gone));
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a TCP socket");
        let found = read(Path::new("/proc"), &view, &mut Pace::hurried());
        let port = tcp.local_addr().expect("an address").port();
        assert!(found.ports.iter().any(|found| found.port == port), "{found:?}");
    }
}
