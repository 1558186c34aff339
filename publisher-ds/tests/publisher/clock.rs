//! A node's clock that jumps. The program's own clock is moved (libfaketime), the machine's stays as it is.

use crate::backend::{Backend, Vault};
use crate::certificates::Authority;
use crate::collector::{Collector, event, event_numbers};
use crate::process::{Home, Publisher};
use crate::waiting::until;
use event_model::Lane;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Of Debian's package libfaketime.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// How far the wall clock is off; timers go by the monotonic one, which never jumps.
fn set_clock(home: &Home, offset: &str) {
    // The library may read the file at any moment: it must never be half written.
    fs::write(home.path("clock.new"), offset).unwrap();
    fs::rename(home.path("clock.new"), home.path("clock")).unwrap();
}

fn start(home: &Home) -> Publisher<'_> {
    assert!(Path::new(LIBRARY).exists(), "apt-get install libfaketime: {LIBRARY} is not there");
    set_clock(home, "+0");
    let clock = home.path("clock");
    home.start_in(&[
        ("LD_PRELOAD", LIBRARY),
        ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ])
}

fn wait_for_events(vault: &Arc<Vault>, home: &Home, count: usize) {
    until(
        "all events arrived",
        || vault.count(Lane::Telemetry) >= count,
        || (vault.count(Lane::Telemetry), home.log()),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_a_century_ahead_is_told_and_all_goes_on_when_it_is_set() {
    let (home, vault, authority) = (Home::new(), Vault::new(), Authority::new());
    home.trust(&authority, &authority.client());
    let server = authority.server_until("localhost", 2090);
    let backend = Backend::start(&vault, &server, &authority);
    let address = backend.address;
    home.configure(&format!("https://localhost:{}", address.port()), "64MiB");
    let publisher = start(&home);
    publisher.wait_until_ready();
    let collector = Collector::start(home.socket());
    (0..1000).for_each(|number| collector.outbox.send(event(number)));
    wait_for_events(&vault, &home, 1000);

    set_clock(&home, "+100y");
    backend.kill();
    let _backend = Backend::start_at(address, &vault, &server, &authority);
    publisher.wait_until_not_ready(&["[-]backend", "has expired", "set this node's clock"]);
    (1000..2000).for_each(|number| collector.outbox.send(event(number)));
    collector.finish().await;
    assert_eq!(vault.count(Lane::Telemetry), 1000, "a certificate was believed that has expired");

    set_clock(&home, "+0");
    publisher.wait_until_ready();
    wait_for_events(&vault, &home, 2000);
    assert_eq!(event_numbers(&vault.records(Lane::Telemetry)), (0..2000).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_to_and_fro_disturbs_no_delivery() {
    let (home, vault, authority) = (Home::new(), Vault::new(), Authority::new());
    home.trust(&authority, &authority.client());
    let backend = Backend::start(&vault, &authority.server("localhost"), &authority);
    home.configure(&format!("https://localhost:{}", backend.address.port()), "64MiB");
    let publisher = start(&home);
    let collector = Collector::start(home.socket());
    let mut sent = 0;
    for offset in ["-1d", "+10y", "-20y", "+1d", "-60", "+0"] {
        set_clock(&home, offset);
        for _ in 0..20 {
            (sent..sent + 50).for_each(|number| collector.outbox.send(event(number)));
            sent += 50;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        wait_for_events(&vault, &home, usize::try_from(sent).unwrap());
    }
    collector.finish().await;
    assert_eq!(event_numbers(&vault.records(Lane::Telemetry)), (0..sent).collect::<Vec<_>>());
    publisher.wait_until_ready();
}
