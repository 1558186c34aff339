//! Rules that ask for several acts within a time.

use detection::{Act, Engine, RuleSet, SourceFile, Tally};
use event_model::{
    ContainerId, Event, EventKind, Host, Process, ProcessKey, ProcessRef, Timestamp,
};

const SECOND: u64 = 1_000_000_000;

fn load(burst: &str) -> Result<Engine, String> {
    let text = format!(
        "- rule: Burst\n  desc: D.\n  condition: evt.type = execve and proc.name != init\n  output: 'last=%proc.name'\n  \
         priority: NOTICE\n  defender: {burst}\n"
    );
    let rules = RuleSet::load(&[SourceFile { name: "bursts.yaml", text: &text }]);
    rules.map(Engine::compile).map_err(|error| error.to_string())
}

struct Node {
    engine: Engine,
    tally: Tally,
}

impl Node {
    fn with(burst: &str) -> Self {
        let engine = load(burst).unwrap_or_else(|error| panic!("{error}"));
        Self { engine, tally: Tally::default() }
    }

    /// Whether a program's start at that second, in that container, raises the alert.
    fn start(&mut self, second: u64, container: &str, name: &str) -> bool {
        let key = ProcessKey { pid: 7, start_time: 1 };
        let process = Process {
            reference: ProcessRef { key, generation: 1 },
            name: name.to_owned(),
            ..Process::default()
        };
        let event = Event {
            time: Timestamp(1_000 * SECOND + second * SECOND),
            process: process.reference,
            container: Some(ContainerId::from(container)),
            kind: EventKind::Exec,
        };
        let act = Act {
            event: &event,
            process: &process,
            ancestors: &[],
            container: None,
            host: &Host::default(),
            remote_name: None,
            is_on_sensor: false,
            environment: None,
            login_name: None,
            group_name: None,
        };
        let matches = self.engine.detect(&act, &mut self.tally);
        let last = format!("last={name}");
        assert!(matches.iter().all(|matched| matched.message().starts_with(&last)));
        !matches.is_empty()
    }
}

#[test]
fn the_act_that_completes_a_burst_raises_the_alert_and_no_other_does() {
    let mut node = Node::with("{at_least: 3, within: 10s, by: [container.id]}");
    let alerts: Vec<bool> = (0..6).map(|second| node.start(second, "a", "id")).collect();
    assert_eq!(alerts, [false, false, true, false, false, false]);
    // The window of the alert is over at 12: counting begins anew.
    let alerts: Vec<bool> = (12..16).map(|second| node.start(second, "a", "id")).collect();
    assert_eq!(alerts, [false, false, true, false]);
}

#[test]
fn acts_that_are_further_apart_than_the_window_are_no_burst() {
    let mut node = Node::with("{at_least: 3, within: 10s, by: [container.id]}");
    assert!(![0, 6, 12, 18, 24].into_iter().any(|second| node.start(second, "a", "id")));
    assert!(node.start(26, "a", "id"), "18, 24 and 26 are");
}

#[test]
fn each_key_has_a_count_of_its_own() {
    let mut node = Node::with("{at_least: 2, within: 10s, by: [container.id, proc.name]}");
    assert!(!node.start(0, "a", "id"));
    assert!(!node.start(1, "b", "id"));
    assert!(!node.start(2, "a", "ps"));
    assert!(node.start(3, "b", "id"));
}

#[test]
fn of_distinct_values_each_counts_once() {
    let mut node = Node::with("{at_least: 3, within: 1m, by: [container.id], distinct: proc.name}");
    for (second, name) in [(0, "id"), (1, "id"), (2, "ps"), (3, "id"), (4, "ps")] {
        assert!(!node.start(second, "a", name));
    }
    assert!(node.start(5, "a", "mount"));
}

#[test]
fn what_is_kept_in_mind_is_bounded() {
    let mut node = Node::with("{at_least: 2, within: 1h, by: [container.id]}");
    for number in 0..200_000 {
        assert!(!node.start(number / 1_000, &number.to_string(), "id"));
    }
    assert!(node.tally.forgotten() > 0);
    assert!(node.start(201, "199999", "id"), "the newest are remembered");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (burst, message) in [
        (
            "{at_least: 1, within: 10s, by: [container.id]}",
            "`at_least` is a number from 2 to 256, not `1`",
        ),
        (
            "{at_least: 3, within: 10, by: [container.id]}",
            "`within` is a time such as 30s, 5m or 1h",
        ),
        (
            "{at_least: 3, within: 2h, by: [container.id]}",
            "`within` is a time such as 30s, 5m or 1h",
        ),
        ("{at_least: 3, within: 10s, by: []}", "`by` names 1 to 4 fields"),
        ("{at_least: 3, within: 10s, by: [proc.nam]}", "there is no field `proc.nam`"),
        (
            "{at_least: 3, within: 10s, by: [proc.name], distinct: \"proc.aname[x]\"}",
            "takes a number of generations",
        ),
        ("{at_least: 3, by: [proc.name]}", "`defender` needs the key `within`"),
        ("{at_last: 3, within: 10s, by: [proc.name]}", "did you mean `at_least`?"),
        ("5", "`defender` must be a mapping"),
    ] {
        let error = load(burst).expect_err(burst);
        assert!(error.contains(message) && error.contains("bursts.yaml:6:"), "{burst}: {error}");
    }
}
