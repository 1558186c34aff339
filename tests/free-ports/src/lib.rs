//! Ports of the loopback interface for programs that tests start.
//!
//! A port that the system gives (by binding to 0) is one of those that connections go out from: while it is free again for
//! the program to bind, another test's connection may take it. These lie below.

use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below `net.ipv4.ip_local_port_range` as Linux sets it, above what services use.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

/// Spreads processes that are started one after the other.
const STRIDE: u32 = 7_919;

static TAKEN: AtomicU32 = AtomicU32::new(0);

/// A port that nobody listens on, and that this process is not given again before all others were.
///
/// # Panics
/// Where none of them is free.
pub fn free_port() -> u16 {
    (0..COUNT).find_map(|_| candidate()).expect("a free port between 20000 and 32000")
}

fn candidate() -> Option<u16> {
    let taken = TAKEN.fetch_add(1, Ordering::Relaxed);
    let place = process::id().wrapping_mul(STRIDE).wrapping_add(taken) % COUNT;
    let port = u16::try_from(FIRST + place).ok()?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok().map(|_| port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_port_is_another_and_can_be_bound() {
        let ports = [free_port(), free_port(), free_port()];
        assert!(ports[0] != ports[1] && ports[1] != ports[2] && ports[0] != ports[2], "{ports:?}");
        for port in ports {
            assert!(port < 32_768);
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("nobody listens there");
        }
    }
}
