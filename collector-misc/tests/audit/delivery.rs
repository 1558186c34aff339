//! Batches that come again, a publisher that does not take them, and an end in the middle.

use crate::collector::{Collector, Setup};
use crate::event_list::{at_path, event, events, list};
use crate::publisher::{DEADLINE, Publisher};
use event_model::LossReason;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;

/// The timeout of an API server's webhook.
const API_SERVER_GIVES_UP: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_sent_again_is_taken_once() {
    let publisher = Publisher::start();
    let setup = Setup::new().with("alerts: { repeat_seconds: 0, per_minute: 0 }");
    let collector = Collector::start(setup, &publisher).await;
    let batch = [at_path("a", "/marked"), event("b"), json!({"broken": 1})];
    for _ in 0..5 {
        let answer = collector.api_server().post(&list(&batch)).await.unwrap();
        assert_eq!(answer.status, 200, "{answer}");
    }
    // The same id again, as a client may choose it, and another request.
    collector.api_server().post(&list(&[at_path("a", "/marked/other")])).await.unwrap();
    collector.api_server().post(&list(&[event("the last")])).await.unwrap();
    publisher.expect_event("the last").await;
    let ids: Vec<_> = publisher.events().into_iter().map(|event| event.audit_id).collect();
    assert_eq!(ids, ["a", "b", "a", "the last"]);
    let messages: Vec<_> = publisher.alerts().into_iter().map(|alert| alert.message).collect();
    assert_eq!(messages, ["/marked", "/marked/other"]);
    publisher.expect_losses(LossReason::Undecodable, 1).await;
    collector.expect_metric("defender_audit_events_repeated_total 12").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_answered_once_the_publisher_has_stored_it_and_its_alerts() {
    let publisher = Publisher::start();
    publisher.withhold();
    let collector = Collector::start(Setup::new(), &publisher).await;
    let server = collector.api_server();
    let batch = list(&[at_path("a", "/marked"), event("b"), json!({"broken": 1})]);
    let post = tokio::spawn(async move { server.post(&batch).await.unwrap() });
    publisher.expect_event("b").await;
    publisher.expect_losses(LossReason::Undecodable, 1).await;
    assert!(!post.is_finished(), "answered before anything was stored: {:?}", post.await);
    publisher.acknowledge();
    let answer = post.await.unwrap();
    assert_eq!(answer.status, 200, "{answer}");
    assert_eq!((publisher.events().len(), publisher.alerts().len()), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_not_stored_in_time_is_to_come_again_and_is_taken_once() {
    let publisher = Publisher::start();
    publisher.withhold();
    let collector = Collector::start(Setup::new(), &publisher).await;
    let batch = list(&[at_path("a", "/marked"), event("b")]);
    let began = Instant::now();
    let answer = collector.api_server().post(&batch).await.unwrap();
    assert_eq!(answer.status, 503, "{answer}");
    assert!(answer.head.to_ascii_lowercase().contains("retry-after: 1"), "{}", answer.head);
    assert!(began.elapsed() < API_SERVER_GIVES_UP, "after {:?}", began.elapsed());
    collector.expect_metric("defender_audit_requests_total{outcome=\"unacknowledged\"} 1").await;
    publisher.acknowledge();
    let answer = collector.api_server().post(&batch).await.unwrap();
    assert_eq!(answer.status, 200, "{answer}");
    assert_eq!((publisher.events().len(), publisher.alerts().len()), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_was_under_way_when_the_collector_was_killed_comes_again_as_the_same_records()
{
    let publisher = Publisher::start();
    let setup = Setup::new().with("alerts: { repeat_seconds: 0, per_minute: 0 }");
    let mut collector = Collector::start(setup, &publisher).await;
    for round in 0..3 {
        publisher.withhold();
        let id = |place: u32| format!("{round} {place}");
        let mut items: Vec<_> = (0..500).map(|place| event(&id(place))).collect();
        items[7] = at_path(&id(7), "/marked/a");
        items[8] = at_path(&id(8), "/marked/b");
        let batch = list(&items);
        let server = collector.api_server();
        let post = tokio::spawn({
            let batch = batch.clone();
            async move { server.post(&batch).await }
        });
        publisher.expect_event(&id(499)).await;
        collector = collector.kill_and_restart(&publisher).await;
        let unanswered = post.await.unwrap();
        assert!(unanswered.is_err(), "answered, and it was not stored: {unanswered:?}");
        publisher.acknowledge();
        let answer = collector.api_server().post(&batch).await.unwrap();
        assert_eq!(answer.status, 200, "{answer}");
        // By what a request says, and by an alert's id, the store knows what it has.
        let told = publisher.events().into_iter().map(|event| format!("{event:?}"));
        assert_eq!(told.collect::<BTreeSet<_>>().len(), 500 * (round + 1));
        assert_eq!(publisher.events().len(), 1000 * (round + 1), "each came twice");
        let alerts = publisher.alerts();
        let ids: BTreeSet<_> = alerts.iter().map(|alert| alert.id).collect();
        assert_eq!((alerts.len(), ids.len()), (4 * (round + 1), 2 * (round + 1)));
    }
    assert_eq!(publisher.losses(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_publisher_is_away_api_servers_are_told_to_come_again_and_nothing_is_lost() {
    const BATCHES: u32 = 50;
    let mut publisher = Publisher::stopped();
    let collector = Collector::start(Setup::new(), &publisher).await;
    let (refusals, mut refused) = unbounded_channel();
    let mut servers = JoinSet::new();
    for number in 0..BATCHES {
        let (server, refusals) = (collector.api_server(), refusals.clone());
        let batch = list(&events(number * 400..(number + 1) * 400));
        servers.spawn(async move {
            loop {
                // With so many at once a connection may have to make room before it shows who it is.
                if let Ok(answer) = server.post(&batch).await {
                    if answer.status == 200 {
                        return;
                    }
                    refusals.send(answer).unwrap();
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
    let crowded = loop {
        let answer = refused.recv().await.unwrap();
        assert!(matches!(answer.status, 429 | 503), "{answer}");
        if answer.text.contains("does not take events") {
            break answer;
        }
    };
    assert_eq!(crowded.status, 503, "{crowded}");
    assert!(crowded.head.to_ascii_lowercase().contains("retry-after: 5"), "{}", crowded.head);
    publisher.serve();
    tokio::time::timeout(DEADLINE, servers.join_all()).await.expect("all are taken");
    let came: Vec<u32> =
        publisher.events().iter().map(|event| event.audit_id.parse().unwrap()).collect();
    assert_eq!(came.len(), came.iter().collect::<BTreeSet<_>>().len(), "none twice");
    assert_eq!(came.len(), BATCHES as usize * 400);
    assert_eq!(publisher.losses(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_before_an_end_arrives_with_the_counts_of_alerts() {
    let publisher = Publisher::start();
    let mut collector = Collector::start(Setup::new(), &publisher).await;
    let marked: Vec<_> = (0..4).map(|number| at_path(&number.to_string(), "/marked")).collect();
    let answer = collector.api_server().post(&list(&marked)).await.unwrap();
    assert_eq!(answer.status, 200, "{answer}");
    collector.terminate();
    publisher.expect_event("3").await;
    assert_eq!((publisher.alerts().len(), publisher.held_alerts()), (1, 3));
}
