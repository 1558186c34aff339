//! Several addresses of the backend, and names that move: what works is used, what is preferred is returned to.

use crate::backend::{Backend, Vault};
use crate::certificates::Authority;
use crate::collector::{Collector, bulky_event, event_numbers};
use crate::process::Home;
use crate::waiting::until;
use event_model::Lane;
use std::fs;
use std::sync::Arc;

/// Sends events, and waits until all are there.
async fn send(numbers: std::ops::Range<u64>, home: &Home, vault: &Arc<Vault>) {
    let collector = Collector::start(home.socket());
    numbers.clone().for_each(|number| collector.outbox.send(bulky_event(number)));
    collector.finish().await;
    until(
        "all events arrived",
        || event_numbers(&vault.records(Lane::Telemetry)) == (0..numbers.end).collect::<Vec<_>>(),
        || (vault.count(Lane::Telemetry), home.log()),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_address_takes_over_and_the_preferred_one_takes_back() {
    let (home, vault, authority) = (Home::new(), Vault::new(), Authority::new());
    home.trust(&authority, &authority.client());
    let certificate = authority.server("localhost");
    let preferred = Backend::start(&vault, &certificate, &authority);
    let other = Backend::start(&vault, &certificate, &authority);
    let address = preferred.address;
    let (first, second) =
        (format!("localhost:{}", address.port()), format!("localhost:{}", other.address.port()));
    home.configure(&format!("https://{first}\", \"https://{second}"), "64MiB");
    let publisher = home.start();
    let is_in = |address: &str, state: &str| {
        let line =
            format!("defender_egress_circuit_state{{address=\"{address}\",state=\"{state}\"}}");
        publisher.metric(&line) == 1
    };
    send(0..1000, &home, &vault).await;
    assert!(is_in(&first, "closed"), "{}", home.log());

    preferred.kill();
    send(1000..2000, &home, &vault).await;
    publisher.wait_until_ready();
    until(
        "the dead one rests",
        || is_in(&first, "open") || is_in(&first, "half_open"),
        || home.log(),
    );
    assert!(is_in(&second, "closed"), "{}", home.log());

    let _preferred = Backend::start_at(address, &vault, &certificate, &authority);
    let returned = "defender_egress_renewals_total{reason=\"preferred\",outcome=\"done\"}";
    until("it returned", || publisher.metric(returned) == 1, || home.log());
    assert!(is_in(&first, "closed"), "{}", home.log());
    other.kill();
    send(2000..3000, &home, &vault).await;
    let lost = publisher.metric_sum("defender_egress_reconnects_total");
    assert_eq!(lost, 1, "only the first kill broke a connection: {}", home.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_moves_is_followed_before_the_old_address_goes() {
    let (home, vault, authority) = (Home::new(), Vault::new(), Authority::new());
    home.trust(&authority, &authority.client());
    let certificate = authority.server("backend.test");
    let old = Backend::start(&vault, &certificate, &authority);
    let port = old.address.port();
    let at_new = format!("127.0.0.2:{port}").parse().unwrap();
    let _new = Backend::start_at(at_new, &vault, &certificate, &authority);
    let hosts = home.path("hosts");
    // Nothing listens at the first of the addresses.
    fs::write(&hosts, "127.0.0.9 backend.test\n127.0.0.1 backend.test\n127.0.0.1 localhost\n")
        .unwrap();
    home.configure_further(&format!("https://backend.test:{port}"), ", lookup_seconds: 1", "");
    let publisher = home.start_with_hosts(&hosts);
    send(0..1000, &home, &vault).await;
    fs::write(&hosts, "127.0.0.2 backend.test\n127.0.0.1 localhost\n").unwrap();
    let followed = "defender_egress_renewals_total{reason=\"name\",outcome=\"done\"}";
    until("it followed the name", || publisher.metric(followed) == 1, || home.log());
    old.kill();
    send(1000..2000, &home, &vault).await;
    let lost = publisher.metric_sum("defender_egress_reconnects_total");
    assert_eq!(lost, 0, "the name was followed too late: {}", home.log());
}
