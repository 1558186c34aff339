//! kill -9 at any moment loses nothing that was acknowledged and doubles nothing.

use crate::backend::{Backend, Vault};
use crate::certificates::Authority;
use crate::collector::{Collector, bulky_event, event_numbers};
use crate::process::Home;
use crate::waiting::until;
use event_model::Lane;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const KILLS: u64 = 12;
/// Sent between two pauses of 10 ms.
const EVENTS_AT_ONCE: u64 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_killed_in_a_stream_of_numbered_events_loses_and_doubles_nothing() {
    let (home, authority, vault) = (Home::new(), Authority::new(), Vault::new());
    home.trust(&authority, &authority.client());
    let backend = Backend::start(&vault, &authority.server("localhost"), &authority);
    home.configure(&format!("https://localhost:{}", backend.address.port()), "64MiB");
    let collector = Collector::start(home.socket());
    let outbox = collector.outbox.clone();
    let is_over = Arc::new(AtomicBool::new(false));
    let until_over = Arc::clone(&is_over);
    let sender = tokio::spawn(async move {
        let mut sent = 0;
        while !until_over.load(Ordering::Relaxed) {
            (sent..sent + EVENTS_AT_ONCE).for_each(|number| outbox.send(bulky_event(number)));
            sent += EVENTS_AT_ONCE;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        sent
    });
    for kill in 0..KILLS {
        let publisher = home.start();
        let before = vault.count(Lane::Telemetry);
        until("more arrived", || vault.count(Lane::Telemetry) > before, || home.log());
        // A different moment each time: in a write, in a sync, between spool and backend.
        tokio::time::sleep(Duration::from_micros(kill * 7919 % 50_000)).await;
        publisher.kill();
    }
    let _publisher = home.start();
    is_over.store(true, Ordering::Relaxed);
    let total = sender.await.unwrap();
    collector.finish().await;
    let arrived = || vault.count(Lane::Telemetry);
    until("all arrived", || arrived() as u64 >= total, arrived);
    let numbers = event_numbers(&vault.records(Lane::Telemetry));
    assert_eq!(numbers, (0..total).collect::<Vec<_>>());
    assert_eq!(vault.losses(), [], "a loss was reported though none happened");
}
