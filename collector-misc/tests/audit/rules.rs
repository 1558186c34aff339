//! Rules and suppressions that change while requests come.

use crate::collector::{Collector, Setup};
use crate::event_list::{at_path, list};
use crate::publisher::{Publisher, poll};
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_change_are_asked_of_the_next_requests_and_broken_ones_change_nothing() {
    let publisher = Publisher::start();
    let setup = Setup::new().with("alerts: { repeat_seconds: 0, per_minute: 0 }");
    let collector = Collector::start(setup, &publisher).await;
    let file = collector.setup().rules().join("more.yaml");
    let rule = "- {rule: Another, desc: D., condition: ka.uri startswith /another, output: '%ka.uri', priority: NOTICE, source: k8s_audit}\n";
    fs::write(&file, rule).unwrap();
    collector.expect_log("rules reloaded").await;
    collector.api_server().post(&list(&[at_path("a", "/another")])).await.unwrap();
    poll("its alert", || {
        let alerts = publisher.alerts();
        if alerts.iter().any(|alert| alert.rule == "Another") {
            Ok(())
        } else {
            Err(format!("{alerts:?}"))
        }
    })
    .await;
    fs::write(&file, rule.replace("ka.uri startswith", "ka.nothing =")).unwrap();
    collector.expect_log("those before stay in force").await;
    collector.api_server().post(&list(&[at_path("b", "/another/one")])).await.unwrap();
    poll("its alert", || {
        let messages: Vec<_> = publisher.alerts().into_iter().map(|alert| alert.message).collect();
        if messages.contains(&"/another/one".to_owned()) {
            Ok(())
        } else {
            Err(format!("{messages:?}"))
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_suppression_takes_is_counted_and_told() {
    let publisher = Publisher::start();
    let setup = Setup::new();
    let file = setup.path("suppressions.yaml");
    let tomorrow = (jiff::Zoned::now().date() + jiff::ToSpan::days(1)).to_string();
    fs::write(&file, format!("- {{suppression: Expected, rule: Marked, when: ka.uri = /marked/expected, reason: R., owner: O, expires: {tomorrow}}}\n")).unwrap();
    let setup = setup.with(&format!("suppressions: {{ paths: [{}] }}", file.display()));
    let mut collector = Collector::start(setup, &publisher).await;
    let requests = [at_path("a", "/marked/expected"), at_path("b", "/marked/other")];
    collector.api_server().post(&list(&requests)).await.unwrap();
    publisher.expect_event("b").await;
    collector.terminate();
    let messages: Vec<_> = publisher.alerts().into_iter().map(|alert| alert.message).collect();
    assert_eq!((messages, publisher.held_alerts()), (vec!["/marked/other".to_owned()], 1));
}

#[test]
fn an_audit_configuration_that_cannot_be_is_told_before_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("collector-misc.yaml");
    for (lines, expected) in [
        ("audit: { listen: '0.0.0.0:8444' }", "audit.client_ca_file"),
        ("audit: { listen: '8444' }", "audit.listen"),
        (
            "audit: { listen: '0.0.0.0:8444', token_file: /token }\nrules: { paths: [/nowhere] }",
            "rules.paths",
        ),
    ] {
        fs::write(&file, lines).unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_collector-misc"))
            .args(["--check-config", "--config"])
            .arg(&file)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(expected), "{lines}: {told}");
    }
}
