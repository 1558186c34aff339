//! Files of `/proc`: processes choose their names, users those of mounts and cgroups.

use collector_ds::inventory::proc_net;
use collector_ds::kernel::{Membership, Mount, Stat, Status};
use event_model::TransportProtocol;

/// What is taken of one table of sockets here.
const SOCKETS: usize = 16;
const NANOSECONDS_A_TICK: u64 = 10_000_000;

/// The first byte says which file the rest is.
pub fn file(bytes: &[u8]) {
    let [which, bytes @ ..] = bytes else { return };
    let text = String::from_utf8_lossy(bytes);
    match which % 6 {
        0 => stat(&text),
        1 => drop(Status::parse(&text)),
        2 => text.lines().for_each(mount),
        3 => text.lines().for_each(membership),
        4 => sockets(bytes, TransportProtocol::Tcp),
        _ => sockets(bytes, TransportProtocol::Udp),
    }
}

fn stat(text: &str) {
    let Some(stat) = Stat::parse(text) else { return };
    assert!(text.contains(&format!("({})", stat.name)), "{stat:?}");
    let time = stat.key.start_time;
    assert!(time.is_multiple_of(NANOSECONDS_A_TICK), "{stat:?}");
    assert!(stat.terminal().is_none_or(|terminal| terminal.len() <= 16), "{stat:?}");
}

fn mount(line: &str) {
    let Some(mount) = Mount::parse(line) else { return };
    assert!(line.contains(mount.root) && line.contains(mount.file_system), "{mount:?}");
    let point = mount.point.as_os_str().len();
    assert!(point + mount.root_directory().as_os_str().len() <= line.len(), "{mount:?}");
}

fn membership(line: &str) {
    let Some(membership) = Membership::parse(line) else { return };
    assert!(line.ends_with(membership.path), "{membership:?}");
    assert!(membership.controllers.iter().all(|name| !name.is_empty()), "{membership:?}");
}

fn sockets(table: &[u8], protocol: TransportProtocol) {
    let Ok(sockets) = proc_net::read(table, protocol, SOCKETS) else { return };
    assert!(sockets.len() <= SOCKETS && sockets.iter().all(|socket| socket.port != 0));
}
