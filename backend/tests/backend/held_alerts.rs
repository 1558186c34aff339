//! Alerts that a sensor counted instead of sending them, beside the one that stands for them.

use crate::publisher::Publisher;
use crate::records::{alert, container, status};
use crate::running::Backend;
use event_model::{Component, HeldAlerts, HeldReason, Lane, Priority, Record, SourceId, Timestamp};
use serde_json::{Value, json};

fn held(rule: &str, reason: HeldReason, count: u64, until: Timestamp) -> Record {
    let (rule, since) = (rule.to_owned(), Timestamp(until.0 - 5));
    Record::HeldAlerts(Box::new(HeldAlerts { rule, reason, count, since, until }))
}

#[tokio::test]
async fn counts_stand_beside_their_alert_and_with_their_sensor_once_however_often_they_come() {
    let backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let source = SourceId::generate();
    let shell = alert("Shell", Priority::Warning, &["/bin/sh"], Some(container('a')));
    let until = Timestamp(shell.time.0 + 40_000_000_000);
    let suppression = "The nightly backup".to_owned();
    let records = [
        Record::Alert(Box::new(shell.clone())),
        held("Shell", HeldReason::Repeated { alert: shell.id }, 4, until),
        held("Shell", HeldReason::RateLimited { alert: shell.id }, 70, until),
        held("Read", HeldReason::Suppressed { suppression }, 9, until),
        status(source, Component::CollectorDs, &[]),
    ];
    publisher.send(source, 1, &records).await;
    publisher.acknowledged(Lane::Alert, 5).await;
    // A publisher that did not hear the acknowledgement sends them again.
    let mut again = Publisher::connect(&backend, "node-1").await;
    again.send(source, 1, &records).await;
    again.acknowledged(Lane::Alert, 5).await;

    let shown = backend.get(&format!("/api/v1/alerts/{}", shell.id)).await;
    assert_eq!((&shown["repeated"], &shown["rate_limited"]), (&json!(4), &json!(70)), "{shown:#}");
    assert_eq!(shown["held_until"], until.to_string());
    let finding = backend.get(&format!("/api/v1/alerts/{}/ocsf", shell.id)).await;
    assert_eq!((&finding["count"], &finding["unmapped"]["rate_limited"]), (&json!(5), &json!(70)));

    let sensors = backend.all("/api/v1/sensors").await;
    let told = sensors.iter().find(|sensor| sensor["component"] == "collector-ds").unwrap();
    let mut told: Vec<_> = told["held_alerts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            (it["reason"].as_str().unwrap(), &it["suppression"], it["count"].as_u64().unwrap())
        })
        .collect();
    told.sort_by_key(|(reason, ..)| *reason);
    let expected = [
        ("rate_limited", &Value::Null, 70),
        ("repeated", &Value::Null, 4),
        ("suppressed", &json!("The nightly backup"), 9),
    ];
    assert_eq!(told, expected);

    let page = backend.answer("/").await.text().await.unwrap();
    let words = "and 4 more alike and 70 others of this rule, not shown until ";
    assert!(page.contains(words), "{page}");
    assert!(page.contains("9 suppressed by The nightly backup"), "{page}");
}

#[tokio::test]
async fn an_alert_that_stands_for_itself_says_nothing_of_counts() {
    let backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let shell = alert("Shell", Priority::Warning, &["/bin/sh"], None);
    publisher.send(SourceId::generate(), 1, &[Record::Alert(Box::new(shell.clone()))]).await;
    publisher.acknowledged(Lane::Alert, 1).await;
    let shown = backend.get(&format!("/api/v1/alerts/{}", shell.id)).await;
    assert_eq!((&shown["repeated"], &shown["held_until"]), (&json!(0), &Value::Null));
    let page = backend.answer("/").await.text().await.unwrap();
    assert!(!page.contains("more alike"), "{page}");
}
