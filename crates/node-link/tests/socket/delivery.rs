//! What is sent arrives: in order, once, across restarts.

use crate::support::*;
use event_model::{Lane, Loss, LossReason, Record, Timestamp};
use node_link::{Delivery, Link, LinkConfig, LinkError, Outbox, connect};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Collector {
    outbox: Outbox,
    connected: tokio::sync::watch::Receiver<bool>,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), LinkError>>,
}

impl Collector {
    fn start(socket: PathBuf, queue_bytes: u64) -> Self {
        count_metrics();
        let (outbox, link) = connect(LinkConfig { socket, queue_bytes }, description());
        Self::run(outbox, link)
    }

    fn run(outbox: Outbox, link: Link) -> Self {
        let shutdown = CancellationToken::new();
        let connected = link.connected();
        let task = tokio::spawn(link.run(shutdown.clone()));
        Self { outbox, connected, shutdown, task }
    }

    /// Ends once the publisher has everything: a link that is told to end waits for 5 seconds alone.
    async fn finish(self) {
        let all = self.outbox.moment(&Lane::ALL);
        let delivered = tokio::time::timeout(PATIENCE, self.outbox.delivered(&all, &all)).await;
        delivered.expect("the publisher never had everything");
        self.end().await;
    }

    /// Ends, whatever the publisher has.
    async fn end(self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.task).await.expect("the link never ended");
        ended.unwrap().unwrap();
    }
}

const ROOMY: u64 = 64 << 20;

#[tokio::test]
async fn records_arrive_in_order_and_entities_before_events() {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    let collector = Collector::start(scratch.socket(), ROOMY);
    for number in 0..500 {
        collector.outbox.send(entity(number));
        collector.outbox.send(event(number));
    }
    let _publisher = Publisher::start(listen_on(scratch.socket()), shelf.clone());
    collector.finish().await;
    assert_eq!(event_numbers(&shelf.records(Lane::Telemetry)), (0..500).collect::<Vec<_>>());
    assert_eq!(shelf.records(Lane::Entity).len(), 500);
    let arrivals = shelf.arrivals();
    let first_event = arrivals.iter().position(|lane| *lane == Lane::Telemetry);
    let last_entity = arrivals.iter().rposition(|lane| *lane == Lane::Entity);
    assert!(last_entity < first_event, "{arrivals:?}");
}

#[tokio::test]
async fn a_collector_that_starts_before_its_publisher_waits_for_it() {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    let collector = Collector::start(scratch.socket(), ROOMY);
    collector.outbox.send(event(1));
    until(
        "the collector has tried to connect",
        || counted("defender_link_reconnects_total{reason=\"absent\"}") > 0,
        all_counted,
    )
    .await;
    assert!(!*collector.connected.borrow());
    let _publisher = Publisher::start(listen_on(scratch.socket()), shelf.clone());
    let mut connected = collector.connected.clone();
    tokio::time::timeout(PATIENCE, connected.wait_for(|it| *it)).await.unwrap().unwrap();
    until("the event arrived", || !shelf.records(Lane::Telemetry).is_empty(), || ()).await;
    collector.finish().await;
}

#[tokio::test]
async fn a_publisher_killed_again_and_again_loses_and_doubles_nothing() {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    let collector = Collector::start(scratch.socket(), ROOMY);
    let total = 60_000;
    let outbox = collector.outbox.clone();
    let sender = tokio::spawn(async move {
        for number in 0..total {
            outbox.send(event(number));
            if number % 50 == 0 {
                outbox.send(entity(number));
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    while !sender.is_finished() {
        let publisher = Publisher::start(listen_on(scratch.socket()), shelf.clone());
        let before = shelf.count(Lane::Telemetry);
        until(
            "more events arrived",
            || shelf.count(Lane::Telemetry) > before || sender.is_finished(),
            || before,
        )
        .await;
        publisher.kill();
    }
    let _publisher = Publisher::start(listen_on(scratch.socket()), shelf.clone());
    collector.finish().await;
    assert_eq!(event_numbers(&shelf.records(Lane::Telemetry)), (0..total).collect::<Vec<_>>());
    assert_eq!(shelf.records(Lane::Entity).len() as u64, total / 50);
}

#[tokio::test]
async fn what_is_told_delivered_is_on_the_publishers_disk_though_it_is_killed() {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    let collector = Collector::start(scratch.socket(), ROOMY);
    let outbox = &collector.outbox;
    for round in 1..=10 {
        (0..100).for_each(|number| outbox.send(entity(number)));
        let mark = outbox.mark(Lane::Entity).unwrap();
        // What is given later, and to other lanes, changes nothing.
        outbox.send(entity(100));
        outbox.send(event(round));
        assert_eq!(outbox.delivery(mark), Delivery::Waiting);
        let publisher = Publisher::start(listen_on(scratch.socket()), shelf.clone());
        until("all is delivered", || outbox.delivery(mark) == Delivery::Acknowledged, || round)
            .await;
        let on_disk = shelf.count(Lane::Entity);
        assert!(on_disk >= 101 * round - 1, "only {on_disk} in round {round}");
        publisher.kill();
    }
}

#[tokio::test]
async fn whether_something_was_delivered_is_uncertain_after_a_loss_and_certain_again_later() {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    let collector = Collector::start(scratch.socket(), 64 << 10);
    let outbox = &collector.outbox;
    outbox.send(entity(0));
    let before = outbox.mark(Lane::Entity).unwrap();
    (0..10_000).for_each(|number| outbox.send(entity(number)));
    assert_eq!(outbox.delivery(before), Delivery::Uncertain);
    let after = outbox.mark(Lane::Entity).unwrap();
    assert_eq!(outbox.delivery(after), Delivery::Waiting);
    let _publisher = Publisher::start(listen_on(scratch.socket()), shelf.clone());
    until("the rest is delivered", || outbox.delivery(after) == Delivery::Acknowledged, || ())
        .await;
    assert_eq!(outbox.delivery(before), Delivery::Uncertain);
}

#[tokio::test]
async fn who_waits_for_several_lanes_is_told_once_each_is_durable_and_losses_are_reported() {
    const LANES: [Lane; 2] = [Lane::Alert, Lane::Telemetry];
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    let _publisher = Publisher::start(listen_on(scratch.socket()), shelf.clone());
    let collector = Collector::start(scratch.socket(), ROOMY);
    let outbox = collector.outbox.clone();
    for number in 0..3 {
        shelf.close(Lane::Telemetry);
        let begin = outbox.moment(&LANES);
        outbox.send(Record::Loss(Loss {
            lane: Lane::Telemetry,
            kind: "audit".to_owned(),
            reason: LossReason::Undecodable,
            count: 1,
            since: Timestamp::now(),
            until: Timestamp::now(),
        }));
        outbox.send(event(number));
        let end = outbox.moment(&LANES);
        let mut delivered = std::pin::pin!(outbox.delivered(&begin, &end));
        let held = tokio::time::timeout(Duration::from_millis(20), &mut delivered).await;
        assert!(held.is_err(), "nothing of it can be durable: {held:?}");
        shelf.open(Lane::Telemetry);
        let outcome = tokio::time::timeout(PATIENCE, delivered).await.expect("it is told");
        assert_eq!(outcome, Delivery::Acknowledged);
        let told = shelf.records(Lane::Alert);
        let told = told.iter().filter_map(|record| match record {
            Record::Loss(loss) => Some(loss.count),
            _ => None,
        });
        assert_eq!(told.sum::<u64>(), number + 1);
        assert_eq!(shelf.count(Lane::Telemetry), number + 1);
    }
}

#[tokio::test]
async fn a_publisher_that_welcomes_and_keeps_nothing_is_tried_again_with_growing_pauses() {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    shelf.fill();
    let _publisher = Publisher::start(listen_on(scratch.socket()), shelf.clone());
    let begun = Instant::now();
    let collector = Collector::start(scratch.socket(), ROOMY);
    collector.outbox.send(entity(1));
    until("it was tried six times", || shelf.arrivals().len() >= 6, || shelf.arrivals()).await;
    // 0.1 s, 0.2 s, 0.4 s, 0.8 s and 1.6 s lie between.
    assert!(begun.elapsed() >= Duration::from_secs(3), "after {:?}", begun.elapsed());
}

#[tokio::test]
async fn each_new_connection_is_announced() {
    let scratch = Scratch::new();
    let collector = Collector::start(scratch.socket(), ROOMY);
    let mut connected = collector.connected.clone();
    for _ in 0..3 {
        let publisher = Publisher::start(listen_on(scratch.socket()), Shelf::new());
        let announced = async {
            loop {
                connected.changed().await.unwrap();
                if *connected.borrow_and_update() {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, announced).await.expect("a connection was not announced");
        publisher.kill();
    }
}

#[tokio::test]
async fn over_the_bound_what_arrives_and_what_is_reported_lost_add_up_to_the_record() {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    let collector = Collector::start(scratch.socket(), 256 << 10);
    let (events, entities) = (20_000_u64, 200_u64);
    for number in 0..events {
        collector.outbox.send(event(number));
        if number % (events / entities) == 0 {
            collector.outbox.send(entity(number));
        }
    }
    // A loss of the collector's own, as when the kernel's ring overran.
    collector.outbox.send(Record::Loss(Loss {
        lane: Lane::Telemetry,
        kind: "exec".into(),
        reason: LossReason::RingFull,
        count: 77,
        since: Timestamp(1),
        until: Timestamp(2),
    }));
    let _publisher = Publisher::start(listen_on(scratch.socket()), shelf.clone());
    collector.finish().await;
    let arrived = event_numbers(&shelf.records(Lane::Telemetry));
    let mut lost = BTreeMap::new();
    for loss in shelf.losses() {
        *lost.entry((loss.lane, loss.kind, loss.reason.name())).or_insert(0) += loss.count;
    }
    assert_eq!(lost.remove(&(Lane::Telemetry, "exec".into(), "ring_full")), Some(77));
    let dropped = lost.remove(&(Lane::Telemetry, "exec".into(), "queue_full")).unwrap_or(0);
    assert!(dropped > 0, "nothing was dropped, so the bound was not reached");
    assert_eq!(arrived.len() as u64 + dropped, events);
    assert_eq!(arrived.last(), Some(&(events - 1)), "the newest event should have stayed");
    assert_eq!(shelf.records(Lane::Entity).len() as u64, entities, "events go before entities");
    assert!(lost.is_empty(), "{lost:?}");
}

#[tokio::test]
async fn a_slow_publisher_slows_nobody_and_all_arrives_in_the_end() {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    shelf.close(Lane::Telemetry);
    let _publisher = Publisher::start(listen_on(scratch.socket()), shelf.clone());
    let collector = Collector::start(scratch.socket(), ROOMY);
    let total = 150_000;
    for number in 0..total {
        collector.outbox.send(event(number));
    }
    until("telemetry came", || shelf.arrivals().contains(&Lane::Telemetry), || shelf.arrivals())
        .await;
    assert!(shelf.records(Lane::Telemetry).is_empty());
    shelf.open(Lane::Telemetry);
    collector.finish().await;
    assert_eq!(event_numbers(&shelf.records(Lane::Telemetry)), (0..total).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_report_of_loss_overtakes_telemetry_that_is_stuck_on_the_disk() {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    shelf.close(Lane::Telemetry);
    let small = node_link::ListenConfig {
        maximum_envelope_bytes: 16 << 10,
        credit_bytes: 32 << 10,
        ..listen_on(scratch.socket())
    };
    let _publisher = Publisher::start(small, shelf.clone());
    let collector = Collector::start(scratch.socket(), ROOMY);
    for number in 0..200_000_u64 {
        collector.outbox.send(event(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    }
    until("telemetry came", || shelf.arrivals().contains(&Lane::Telemetry), || shelf.arrivals())
        .await;
    collector.outbox.send(Record::Loss(Loss {
        lane: Lane::Telemetry,
        kind: "exec".into(),
        reason: LossReason::RingFull,
        count: 1,
        since: Timestamp(1),
        until: Timestamp(2),
    }));
    until("the report of loss overtook", || !shelf.losses().is_empty(), || shelf.arrivals()).await;
    assert!(shelf.records(Lane::Telemetry).is_empty());
    collector.task.abort();
}

#[tokio::test]
async fn a_batch_larger_than_the_publisher_takes_is_split_and_a_single_record_reported() {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    let small =
        node_link::ListenConfig { maximum_envelope_bytes: 8 << 10, ..listen_on(scratch.socket()) };
    let _publisher = Publisher::start(small, shelf.clone());
    let collector = Collector::start(scratch.socket(), ROOMY);
    for number in 0..2000_u64 {
        collector.outbox.send(event(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    }
    // UUIDs, for what no compressor shortens much.
    let random: String = (0..2000).map(|_| uuid::Uuid::new_v4().to_string()).collect();
    collector
        .outbox
        .send(Record::Host(event_model::Host { hostname: random, ..event_model::Host::default() }));
    collector.finish().await;
    assert_eq!(shelf.records(Lane::Telemetry).len(), 2000);
    assert!(shelf.arrivals().len() > 2, "the batch was not split: {:?}", shelf.arrivals());
    let losses = shelf.losses();
    assert_eq!(losses.len(), 1, "{losses:?}");
    assert_eq!((losses[0].kind.as_str(), losses[0].reason), ("host", LossReason::TooLarge));
}

#[tokio::test]
async fn a_socket_path_that_no_kernel_takes_is_an_error_with_its_length() {
    let socket = PathBuf::from(format!("/{}", "x".repeat(150)));
    let (_outbox, link) = connect(LinkConfig { socket, queue_bytes: ROOMY }, description());
    let error = link.run(CancellationToken::new()).await.unwrap_err().to_string();
    assert!(error.contains("has 151 bytes") && error.contains("at most 107"), "{error}");
}

#[tokio::test]
async fn without_a_publisher_the_end_of_the_program_is_not_held_up_for_long() {
    let scratch = Scratch::new();
    let collector = Collector::start(scratch.socket(), ROOMY);
    collector.outbox.send(event(1));
    let before = std::time::Instant::now();
    collector.end().await;
    assert!(before.elapsed() < Duration::from_secs(8), "took {:?}", before.elapsed());
}
