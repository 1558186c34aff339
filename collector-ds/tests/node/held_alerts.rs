//! Alerts that are counted instead of sent: repeats, and what a suppression takes.

use crate::expect::{alerts, outline};
use crate::sensor::{Node, Sensor, status, unique};
use event_model::{HeldAlerts, HeldReason, Record, Timestamp};
use serde_json::json;
use std::process::Command;

const DAY: u64 = 86_400_000_000_000;

/// A node with a rule about programs that are started with that word.
fn node(word: &str) -> Node {
    let node = Node::new();
    let rule = format!(
        "- {{rule: Marked, desc: D, condition: evt.type = execve and proc.args contains {word}, output: it ran, priority: NOTICE}}\n"
    );
    std::fs::write(node.path("rules/marked.yaml"), rule).expect("a rule file");
    node
}

fn run(arguments: &[&str]) {
    Command::new("/bin/true").args(arguments).status().expect("true");
}

fn held(records: &[Record]) -> Vec<HeldAlerts> {
    let held = records.iter().filter_map(|record| match record {
        Record::HeldAlerts(held) => Some(HeldAlerts::clone(held)),
        _ => None,
    });
    held.collect()
}

#[test]
fn repeats_of_an_alert_are_told_as_a_count_at_the_end_of_the_sensor() {
    let word = unique("repeated");
    let mut sensor = Sensor::start_on(node(&word));
    (0..4).for_each(|_| run(&[&word]));
    run(&[&word, "another"]);
    sensor.expect("the alerts", |records| (alerts(records).count() >= 2).then_some(()));
    let ended = sensor.process.terminate();
    assert!(ended.success(), "{ended}\n{}", sensor.node.log());
    let (sent, held) = sensor
        .look(|records| (alerts(records).map(|alert| alert.id).collect::<Vec<_>>(), held(records)));
    assert_eq!(sent.len(), 2, "{}", sensor.look(outline));
    let [held] = held.as_slice() else { panic!("{held:?}\n{}", sensor.look(outline)) };
    let reason = HeldReason::Repeated { alert: sent[0] };
    assert_eq!((held.count, held.rule.as_str(), &held.reason), (3, "Marked", &reason));
    assert!(held.since < held.until && held.until <= Timestamp::now(), "{held:?}");
}

#[test]
fn what_a_suppression_takes_is_counted_and_an_expired_one_is_a_problem() {
    let word = unique("suppressed");
    let mut node = node(&word);
    let tomorrow = Timestamp(Timestamp::now().0 + DAY).to_string();
    let suppression = |name: &str, when: &str, expires: &str| {
        format!(
            "- {{suppression: {name}, rule: Marked, when: {when}, reason: R, owner: the team, expires: {expires}}}\n"
        )
    };
    let text = suppression("Expected", "proc.args contains expected", &tomorrow[..10])
        + &suppression("Old", "proc.args contains other", "2020-01-01");
    std::fs::write(node.path("suppressions.yaml"), text).expect("a file of suppressions");
    let paths = [node.path("suppressions.yaml")];
    node.more.insert("suppressions".to_owned(), json!({ "paths": paths }));
    let mut sensor = Sensor::start_on(node);
    (0..3).for_each(|_| run(&[&word, "expected"]));
    run(&[&word, "other"]);
    sensor.expect("the other's alert", |records| alerts(records).next().map(drop));
    sensor.expect("the expired suppression among the problems", |records| {
        let problems = status(records)?.problems;
        let told =
            "the suppression `Old` expired on 2020-01-01 and has no effect; its owner is the team";
        problems.iter().any(|problem| problem == told).then_some(())
    });
    for counted in [
        "defender_alerts_suppressed_total{rule=\"Marked\",suppression=\"Expected\"} 3",
        "defender_alerts_held_total{reason=\"suppressed\"} 3",
        "defender_alerts_total{priority=\"notice\"} 1",
    ] {
        sensor.expect_metric(counted);
    }
    sensor.process.terminate();
    let (sent, held) = sensor.look(|records| (alerts(records).count(), held(records)));
    let told: Vec<_> = held.iter().map(|held| (held.reason.clone(), held.count)).collect();
    let expected = HeldReason::Suppressed { suppression: "Expected".to_owned() };
    assert_eq!((sent, told), (1, vec![(expected, 3)]), "{}", sensor.look(outline));
}

#[test]
fn a_broken_file_of_suppressions_stops_it_with_file_and_line() {
    let mut node = node("word");
    let text = "- {suppression: S, rule: Markd, when: proc.name = x, reason: R, owner: O, expires: 2020-01-01}\n";
    std::fs::write(node.path("suppressions.yaml"), text).expect("a file of suppressions");
    let paths = [node.path("suppressions.yaml")];
    node.more.insert("suppressions".to_owned(), json!({ "paths": paths }));
    let ended = node.command().status().expect("the sensor starts");
    let log = node.log();
    assert_eq!(ended.code(), Some(2), "{log}");
    assert!(
        log.contains("suppressions.yaml:1:26") && log.contains("did you mean `Marked`?"),
        "{log}"
    );
}
