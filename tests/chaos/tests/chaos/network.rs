//! What happens to a network.

use crate::site::Site;
use anyhow::Result;
use chaos::Conditions;
use std::thread;
use std::time::Duration;
use suite::program::Name;

/// Longer than a connection that answers nothing is believed: 20 s to the question, 20 s for the answer.
const LONG_CUT: Duration = Duration::from_secs(45);

fn endure(conditions: Conditions, duration: Duration, what: &str) -> Result<()> {
    let site = Site::begin()?;
    site.road.set(conditions);
    thread::sleep(duration);
    site.road.mend();
    site.recover(what)
}

#[test]
fn a_far_backend_is_served_as_well() -> Result<()> {
    let (delay, jitter) = (Duration::from_millis(200), Duration::from_millis(100));
    let conditions = Conditions { delay, jitter, ..Conditions::default() };
    endure(conditions, Duration::from_secs(10), "400 to 600 ms there and back")
}

#[test]
fn packets_are_lost() -> Result<()> {
    let conditions = Conditions { loss: 0.2, ..Conditions::default() };
    endure(conditions, Duration::from_secs(15), "every fifth packet lost, each way")
}

#[test]
fn the_road_is_narrow() -> Result<()> {
    let conditions = Conditions { bytes_per_second: Some(4096.0), ..Conditions::default() };
    endure(conditions, Duration::from_secs(15), "4 KiB a second")
}

#[test]
fn a_connection_is_half_open_after_a_cut() -> Result<()> {
    let mut site = Site::begin()?;
    site.wait_for_progress()?;
    site.road.set(Conditions { is_cut: true, ..Conditions::default() });
    // Nobody tells the publisher: no packet of this end arrives.
    site.machine.program(Name::Backend)?.crash_and_restart()?;
    thread::sleep(LONG_CUT);
    site.wait_for_trouble(&["ended", "transport", "timeout", "unreachable"], LONG_CUT)?;
    site.road.mend();
    site.recover("cut for 45 s, the backend killed meanwhile")
}

#[test]
fn the_road_comes_and_goes() -> Result<()> {
    let site = Site::begin()?;
    for _ in 0..8 {
        site.road.set(Conditions { is_cut: true, ..Conditions::default() });
        a_while(1500);
        site.road.mend();
        a_while(800);
    }
    site.recover("cut eight times, for up to 1.5 s")
}

fn a_while(most_milliseconds: u64) {
    thread::sleep(Duration::from_millis(fastrand::u64(most_milliseconds / 4..most_milliseconds)));
}
