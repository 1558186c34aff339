//! What collectors send is in the backend, once, whatever connection breaks.

use crate::backend::{Backend, Vault};
use crate::certificates::Authority;
use crate::collector::{Collector, bulky_event, event, event_numbers};
use crate::process::Home;
use crate::waiting::until;
use event_model::{Lane, LossReason};
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Stage {
    home: Home,
    vault: Arc<Vault>,
    authority: Authority,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { home: Home::new(), vault: Vault::new(), authority: Authority::new() };
        stage.home.trust(&stage.authority, &stage.authority.client());
        stage
    }

    fn backend(&self) -> Backend {
        let backend =
            Backend::start(&self.vault, &self.authority.server("localhost"), &self.authority);
        self.home.configure(&format!("https://localhost:{}", backend.address.port()), "64MiB");
        backend
    }

    fn wait_for_events(&self, count: usize) {
        until(
            "all events arrived",
            || self.vault.count(Lane::Telemetry) >= count,
            || (self.vault.count(Lane::Telemetry), self.home.log()),
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_travel_from_the_socket_over_mutual_tls_and_leave_the_spool() {
    let stage = Stage::new();
    let _backend = stage.backend();
    let publisher = stage.home.start();
    let collector = Collector::start(stage.home.socket());
    for number in 0..5000 {
        collector.outbox.send(event(number));
    }
    collector.finish().await;
    stage.wait_for_events(5000);
    assert_eq!(event_numbers(&stage.vault.records(Lane::Telemetry)), (0..5000).collect::<Vec<_>>());
    publisher.wait_until_ready();
    let delivered = "defender_records_delivered_total{lane=\"telemetry\",destination=\"backend\"}";
    let spooled = "defender_spool_records{lane=\"telemetry\",destination=\"backend\"}";
    until(
        "all were delivered",
        || publisher.metric(delivered) == 5000 && publisher.metric(spooled) == 0,
        || stage.home.log(),
    );
    assert_eq!(publisher.metric("defender_records_received_total{lane=\"telemetry\"}"), 5000);
    assert_eq!(publisher.metric("defender_egress_connected"), 1);
    publisher.stop();
    assert!(!stage.home.socket().exists(), "the socket was left behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_welcomes_and_stores_nothing_is_tried_again_with_growing_pauses() {
    let stage = Stage::new();
    stage.vault.fill();
    let _backend = stage.backend();
    let begun = Instant::now();
    let _publisher = stage.home.start();
    until("it was tried five times", || stage.vault.welcomes() >= 5, || stage.home.log());
    // 0.25 s, 0.5 s, 1 s and 2 s lie between.
    assert!(begun.elapsed() >= Duration::from_millis(3700), "after {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_publisher_reports_its_own_state() {
    let stage = Stage::new();
    let _backend = stage.backend();
    let _publisher = stage.home.start();
    until("a status arrived", || !stage.vault.statuses().is_empty(), || stage.home.log());
    let status = stage.vault.statuses().remove(0);
    assert_eq!(status.description.node, "node-1");
    assert!(status.counters.contains_key("spool_bytes"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_is_killed_again_and_again_has_everything_once_in_the_end() {
    let stage = Stage::new();
    let certificate = stage.authority.server("localhost");
    let mut backend = stage.backend();
    let address = backend.address;
    let _publisher = stage.home.start();
    let collector = Collector::start(stage.home.socket());
    let total = 20_000;
    let mut sent = 0;
    for round in 1..=5 {
        let before = stage.vault.count(Lane::Telemetry);
        while sent < total * round / 5 {
            collector.outbox.send(bulky_event(sent));
            sent += 1;
        }
        until("more arrived", || stage.vault.count(Lane::Telemetry) > before, || stage.home.log());
        backend.kill();
        backend = Backend::start_at(address, &stage.vault, &certificate, &stage.authority);
    }
    collector.finish().await;
    stage.wait_for_events(usize::try_from(total).unwrap());
    let numbers = event_numbers(&stage.vault.records(Lane::Telemetry));
    assert_eq!(numbers, (0..total).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_end_before_or_after_the_acknowledgement_lose_and_double_nothing() {
    for acknowledges_last in [true, false] {
        let stage = Stage::new();
        let _backend = stage.backend();
        let publisher = stage.home.start();
        let collector = Collector::start(stage.home.socket());
        let ended = "defender_egress_reconnects_total{reason=\"ended\"}";
        let mut sent = 0;
        for ends in 1..=3 {
            stage.vault.drop_connection_after(2, acknowledges_last);
            let sends_until_it_ended = || {
                (sent..sent + 100).for_each(|number| collector.outbox.send(bulky_event(number)));
                sent += 100;
                publisher.metric(ended) >= ends
            };
            until("a connection ended", sends_until_it_ended, || stage.home.log());
        }
        collector.finish().await;
        stage.wait_for_events(usize::try_from(sent).unwrap());
        let numbers = event_numbers(&stage.vault.records(Lane::Telemetry));
        assert_eq!(numbers, (0..sent).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_in_order_sends_nothing_twice_and_loses_nothing() {
    let stage = Stage::new();
    let _backend = stage.backend();
    let collector = Collector::start(stage.home.socket());
    let mut sent = 0;
    for _ in 0..3 {
        let publisher = stage.home.start();
        for _ in 0..1000 {
            collector.outbox.send(event(sent));
            sent += 1;
        }
        stage.wait_for_events(usize::try_from(sent).unwrap());
        publisher.stop();
    }
    assert_eq!(event_numbers(&stage.vault.records(Lane::Telemetry)), (0..sent).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_spooled_while_the_backend_was_away_arrives_when_it_is_back() {
    let stage = Stage::new();
    let backend = stage.backend();
    let address = backend.address;
    backend.kill();
    let publisher = stage.home.start();
    publisher.wait_until_not_ready(&["backend", "localhost", "not reachable"]);
    let collector = Collector::start(stage.home.socket());
    for number in 0..20_000 {
        collector.outbox.send(bulky_event(number));
    }
    collector.finish().await;
    // The collector is done: everything is on disk. The publisher may now die, too.
    publisher.kill();
    let publisher = stage.home.start();
    let certificate = stage.authority.server("localhost");
    let _backend = Backend::start_at(address, &stage.vault, &certificate, &stage.authority);
    stage.wait_for_events(20_000);
    let numbers = event_numbers(&stage.vault.records(Lane::Telemetry));
    assert_eq!(numbers, (0..20_000).collect::<Vec<_>>());
    publisher.wait_until_ready();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envelope_that_the_backend_rejects_is_counted_reported_and_holds_nothing_up() {
    let stage = Stage::new();
    stage.vault.reject_one(Lane::Telemetry);
    let _backend = stage.backend();
    let publisher = stage.home.start();
    let collector = Collector::start(stage.home.socket());
    for number in 0..8 * 4096 {
        collector.outbox.send(event(number));
    }
    collector.finish().await;
    until("the loss is reported", || !stage.vault.losses().is_empty(), || stage.home.log());
    let loss = stage.vault.losses().remove(0);
    assert_eq!((loss.lane, loss.reason), (Lane::Telemetry, LossReason::Rejected));
    stage.wait_for_events(8 * 4096 - usize::try_from(loss.count).unwrap());
    let rejected = "defender_spool_dropped_total{lane=\"telemetry\",reason=\"rejected\",destination=\"backend\"}";
    let spooled = "defender_spool_records{lane=\"telemetry\",destination=\"backend\"}";
    until(
        "the spool is empty and the loss is counted",
        || publisher.metric(spooled) == 0 && publisher.metric(rejected) == loss.count,
        || stage.home.log(),
    );
}
