//! kill -9 at any moment loses nothing that was acknowledged and doubles nothing.

use crate::backend::{Backend, Vault};
use crate::certificates::Authority;
use crate::collector::{Collector, bulky_event, event_numbers};
use crate::process::Home;
use crate::waiting::until;
use event_model::Lane;
use std::time::Duration;

const KILLS: u64 = 12;
const EVENTS_BETWEEN: u64 = 3000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_killed_in_a_stream_of_numbered_events_loses_and_doubles_nothing() {
    let (home, authority, vault) = (Home::new(), Authority::new(), Vault::new());
    home.trust(&authority, &authority.client());
    let backend = Backend::start(&vault, &authority.server("localhost"), &authority);
    home.configure(&format!("https://localhost:{}", backend.address.port()), "64MiB");
    let collector = Collector::start(home.socket());
    let outbox = collector.outbox.clone();
    let total = (KILLS + 1) * EVENTS_BETWEEN;
    let sender = tokio::spawn(async move {
        for number in 0..total {
            outbox.send(bulky_event(number));
            if number % 100 == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
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
    sender.await.unwrap();
    collector.finish().await;
    let total = usize::try_from(total).unwrap();
    until("all arrived", || vault.count(Lane::Telemetry) >= total, || vault.count(Lane::Telemetry));
    let numbers = event_numbers(&vault.records(Lane::Telemetry));
    assert_eq!(numbers, (0..total as u64).collect::<Vec<_>>());
    assert_eq!(vault.losses(), [], "a loss was reported though none happened");
}
