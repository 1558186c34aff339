use crate::publisher::Publisher;
use crate::records::{alert, numbered};
use crate::running::{Backend, PATIENCE};
use event_model::{Lane, Priority, Record, SourceId};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

#[tokio::test]
async fn resends_and_overlaps_over_several_connections_are_stored_once() {
    let backend = Backend::start().await;
    let source = SourceId::generate();
    let records: Vec<_> = (1..=40).map(numbered).collect();
    for (first, last) in [(1, 10), (1, 10), (5, 20), (18, 30), (1, 40)] {
        let mut publisher = Publisher::connect(&backend, "node-1").await;
        publisher.send(source, first, &records[usize::try_from(first).unwrap() - 1..last]).await;
        publisher.acknowledged(Lane::Telemetry, last as u64).await;
    }
    expect_each_once(&backend, 40).await;
}

#[tokio::test]
async fn missing_sequences_are_shown_with_the_sensor() {
    let backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let source = SourceId::generate();
    publisher.send(source, 1, &[numbered(1)]).await;
    publisher.send(source, 7, &[numbered(7)]).await;
    publisher.acknowledged(Lane::Telemetry, 7).await;
    let sensors = backend.all("/api/v1/sensors").await;
    let sensor = sensors.iter().find(|sensor| sensor["source"] == source.to_string()).unwrap();
    assert_eq!(sensor["gaps"][0]["first_missing"], 2, "{sensor:#}");
    assert_eq!(sensor["gaps"][0]["last_missing"], 6);
    assert_eq!(sensor["streams"][0]["missing"], 5);
    backend.expect_metric("defender_ingest_sequence_gaps_total{lane=\"telemetry\"} 1").await;
}

#[tokio::test]
async fn a_publisher_that_comes_back_is_told_what_is_held_of_its_own() {
    let backend = Backend::start().await;
    let own = SourceId(Uuid::from_u128(0xbeef));
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    publisher.send(own, 1, &[numbered(1), numbered(2)]).await;
    publisher.acknowledged(Lane::Telemetry, 2).await;
    let again = Publisher::connect(&backend, "node-1").await;
    let held = &again.welcome.already_held;
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(held[0].through_sequence, 2);
}

/// Sees that each numbered event is in the store once, and nothing else.
async fn expect_each_once(backend: &Backend, last: u64) {
    let mut times: BTreeMap<u64, usize> = BTreeMap::new();
    for event in backend.all("/api/v1/events").await {
        assert_eq!(event["sequence"], event["process"]["pid"], "{event:#}");
        *times.entry(event["sequence"].as_u64().unwrap()).or_default() += 1;
    }
    let missing: Vec<_> =
        (1..=last).filter(|number| !times.contains_key(number)).take(10).collect();
    let repeated: Vec<_> = times.iter().filter(|(_, times)| **times > 1).take(10).collect();
    assert!(
        missing.is_empty() && repeated.is_empty(),
        "missing {missing:?}, repeated {repeated:?}"
    );
    assert_eq!(times.len() as u64, last);
}

/// A publisher that is cut off at any moment, and sends again what was not acknowledged.
struct Sender {
    source: SourceId,
    events: u64,
    alerts: u64,
    sent_events: u64,
    sent_alerts: u64,
}

impl Sender {
    /// Sends until the connection breaks; takes note of what was acknowledged.
    async fn send_until_cut_off(&mut self, backend: &Backend) {
        let identity = backend.authority.publisher("node-1");
        let Ok(mut publisher) = Publisher::connect_as(backend, Some(&identity)).await else {
            return;
        };
        publisher.acknowledged = [self.alerts, 0, 0, self.events];
        let (mut event, mut alarm) = (self.events, self.alerts);
        while event - self.events < 3000 {
            let batch: Vec<_> = (event + 1..=event + 37).map(numbered).collect();
            publisher.send(self.source, event + 1, &batch).await;
            event += 37;
            publisher.send(self.source, alarm + 1, &[numbered_alert(alarm + 1)]).await;
            alarm += 1;
            self.sent_events = self.sent_events.max(event);
            self.sent_alerts = self.sent_alerts.max(alarm);
            // Leaves several batches under way.
            let behind = event.saturating_sub(200);
            while publisher.acknowledged[Lane::Telemetry.index()] < behind {
                if !matches!(publisher.answer().await, Ok(Some(_))) {
                    self.note(&publisher);
                    return;
                }
            }
            self.note(&publisher);
        }
    }

    fn note(&mut self, publisher: &Publisher) {
        self.alerts = publisher.acknowledged[Lane::Alert.index()];
        self.events = publisher.acknowledged[Lane::Telemetry.index()];
    }
}

fn numbered_alert(number: u64) -> Record {
    let mut alert = alert(&format!("rule {number}"), Priority::Notice, &["/bin/sh"], None);
    // The same alert each time it is sent.
    alert.id = Uuid::from_u128(u128::from(number));
    Record::Alert(Box::new(alert))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_nine_at_any_moment_loses_nothing_acknowledged_and_repeats_nothing() {
    let rounds: u32 = std::env::var("DEFENDER_KILLS").map_or(15, |rounds| rounds.parse().unwrap());
    let mut backend = Backend::start().await;
    let mut sender = Sender {
        source: SourceId::generate(),
        events: 0,
        alerts: 0,
        sent_events: 0,
        sent_alerts: 0,
    };
    for round in 0..rounds {
        let pause = Duration::from_micros(Uuid::new_v4().as_u64_pair().1 % 150_000);
        tokio::select! {
            () = sender.send_until_cut_off(&backend) => {}
            () = tokio::time::sleep(pause) => {}
        }
        backend.kill();
        backend.run();
        backend.wait_ready().await;
        // Nothing that was acknowledged may be missing, ever.
        let held = held(&backend, sender.source).await;
        assert!(
            held >= sender.events,
            "round {round}: {held} held, {} acknowledged",
            sender.events
        );
    }
    finish(&backend, &mut sender).await;
    expect_each_once(&backend, sender.events).await;
    let alerts = backend.all("/api/v1/alerts").await;
    let mut rules: Vec<_> = alerts.iter().map(|alert| alert["rule"].as_str().unwrap()).collect();
    rules.sort_unstable();
    rules.dedup();
    assert_eq!((rules.len(), alerts.len() as u64), (alerts.len(), sender.alerts));
    check_files(&mut backend, &sender);
    println!(
        "{rounds} kill -9: {} events and {} alerts, each stored once",
        sender.events, sender.alerts
    );
}

/// Sends what is left and waits until all of it is acknowledged.
async fn finish(backend: &Backend, sender: &mut Sender) {
    let deadline = Instant::now() + PATIENCE;
    while sender.events < sender.sent_events || sender.alerts < sender.sent_alerts {
        assert!(Instant::now() < deadline, "not all was acknowledged");
        let mut publisher = Publisher::connect(backend, "node-1").await;
        if sender.events < sender.sent_events {
            let rest: Vec<_> = (sender.events + 1..=sender.sent_events).map(numbered).collect();
            publisher.send(sender.source, sender.events + 1, &rest).await;
            publisher.acknowledged(Lane::Telemetry, sender.sent_events).await;
            sender.events = sender.sent_events;
        }
        if sender.alerts < sender.sent_alerts {
            let rest: Vec<_> =
                (sender.alerts + 1..=sender.sent_alerts).map(numbered_alert).collect();
            publisher.send(sender.source, sender.alerts + 1, &rest).await;
            publisher.acknowledged(Lane::Alert, sender.sent_alerts).await;
            sender.alerts = sender.sent_alerts;
        }
    }
}

async fn held(backend: &Backend, source: SourceId) -> u64 {
    let sensors = backend.all("/api/v1/sensors").await;
    let sensor = sensors.iter().find(|sensor| sensor["source"] == source.to_string());
    let streams = sensor.and_then(|sensor| sensor["streams"].as_array());
    let lane = streams.into_iter().flatten().find(|stream| stream["lane"] == "telemetry");
    lane.map_or(0, |stream| stream["position"].as_u64().unwrap())
}

/// What the API says, asked of the files themselves.
fn check_files(backend: &mut Backend, sender: &Sender) {
    backend.kill();
    let mut sequences = Vec::new();
    for entry in std::fs::read_dir(backend.store()).unwrap() {
        let path = entry.unwrap().path();
        let is_day = path.file_name().unwrap().to_str().unwrap().starts_with("events-");
        if is_day && path.extension().is_some_and(|extension| extension == "db") {
            let file = Connection::open(&path).unwrap();
            let healthy: String =
                file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(healthy, "ok");
            let mut statement = file.prepare("SELECT sequence FROM events").unwrap();
            let rows = statement.query_map([], |row| row.get::<_, u64>(0)).unwrap();
            sequences.extend(rows.map(Result::unwrap));
        }
    }
    sequences.sort_unstable();
    let expected = (1..=sender.events).collect::<Vec<_>>();
    assert!(
        sequences == expected,
        "{} in the files, {} acknowledged",
        sequences.len(),
        expected.len()
    );
}
