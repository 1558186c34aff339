//! Batches that come again, a publisher that does not take them, and an end in the middle.

use crate::collector::{Collector, Setup};
use crate::event_list::{at_path, event, events, list};
use crate::publisher::{DEADLINE, Publisher};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Instant;

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
    publisher.expect_losses(event_model::LossReason::Undecodable, 1).await;
    collector.expect_metric("defender_audit_events_repeated_total 12").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_publisher_is_away_api_servers_are_told_to_come_again_and_nothing_is_lost() {
    let mut publisher = Publisher::stopped();
    let collector = Collector::start(Setup::new(), &publisher).await;
    let batch = |number: u32| list(&events(number * 400..(number + 1) * 400));
    let mut full = 0;
    let refused = loop {
        let answer = collector.api_server().post(&batch(full)).await.unwrap();
        if answer.status != 200 {
            break answer;
        }
        full += 1;
    };
    assert_eq!(refused.status, 503, "{refused}");
    assert!(refused.head.to_ascii_lowercase().contains("retry-after: 5"), "{}", refused.head);
    collector.expect_metric("defender_audit_requests_total{outcome=\"crowded\"} 1").await;
    publisher.serve();
    let began = Instant::now();
    while collector.api_server().post(&batch(full)).await.unwrap().status != 200 {
        assert!(began.elapsed() < DEADLINE, "it is never taken");
    }
    publisher.expect_event(&((full + 1) * 400 - 1).to_string()).await;
    let came: Vec<u32> =
        publisher.events().iter().map(|event| event.audit_id.parse().unwrap()).collect();
    assert_eq!(came.len(), came.iter().collect::<BTreeSet<_>>().len(), "none twice");
    assert_eq!(came.len(), (full as usize + 1) * 400);
    assert_eq!(publisher.losses(), []);
    println!("{full} batches until it was full");
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
