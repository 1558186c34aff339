//! Rules that ask for what was never seen before of a workload.

use crate::node::{DONE, Done, Node, load};
use detection::{BaselinesError, Tally};

const HOUR: u64 = 3600;

fn rule(defender: &str) -> String {
    format!(
        "- rule: New\n  desc: D.\n  condition: evt.type = execve and proc.name != init\n  output: 'new=%proc.exepath'\n  \
         priority: NOTICE\n  defender: {defender}\n"
    )
}

const LEARNS: &str = "{first_seen: proc.exepath, by: container.image.repository, learn_for: 24h}";

fn started(second: u64, image: &'static str, executable: &'static str) -> Done {
    Done { second, image: Some(image), executable, ..DONE }
}

#[test]
fn what_is_new_after_the_time_to_learn_raises_an_alert_once() {
    let mut node = Node::with(&rule(LEARNS));
    assert!(
        !node.alerts(&started(0, "nginx:1", "/bin/nginx")),
        "the first act begins the learning"
    );
    assert!(!node.alerts(&started(23 * HOUR, "nginx:1", "/bin/logrotate")));
    assert!(!node.alerts(&started(25 * HOUR, "nginx:1", "/bin/nginx")));
    assert!(node.alerts(&started(26 * HOUR, "nginx:1", "/bin/sh")));
    assert!(!node.alerts(&started(27 * HOUR, "nginx:1", "/bin/sh")), "it is known now");
    assert!(
        !node.alerts(&started(28 * HOUR, "nginx:2", "/bin/logrotate")),
        "another tag, the same image"
    );
}

#[test]
fn each_workload_learns_by_itself_and_what_is_of_none_is_not_looked_at() {
    let mut node = Node::with(&rule(LEARNS));
    node.alerts(&started(0, "nginx", "/bin/nginx"));
    assert!(!node.alerts(&started(30 * HOUR, "redis", "/bin/redis")), "redis begins to learn");
    assert!(node.alerts(&started(31 * HOUR, "nginx", "/bin/redis")));
    assert!(!node.alerts(&Done { second: 60 * HOUR, ..DONE }), "of no known image");
    assert!(node.alerts(&started(61 * HOUR, "redis", "/bin/sh")));
}

#[test]
fn several_values_are_new_together() {
    let mut node = Node::with(&rule(
        "{first_seen: [proc.exepath, proc.name], by: [container.image.repository], learn_for: 1h}",
    ));
    node.alerts(&started(0, "a", "/bin/x"));
    node.alerts(&Done { name: "y", ..started(1, "a", "/bin/y") });
    assert!(!node.alerts(&started(2 * HOUR, "a", "/bin/x")));
    assert!(node.alerts(&Done { name: "y", ..started(2 * HOUR, "a", "/bin/x") }));
}

#[test]
fn a_workload_without_usual_values_raises_no_alert_and_is_counted() {
    let mut node = Node::with(&rule(LEARNS));
    for number in 0..2_000 {
        let executable = String::leak(format!("/tmp/{number}"));
        assert!(!node.alerts(&started(number, "build", executable)));
    }
    assert_eq!(node.tally.forgotten(), 2_000 - 1_024);
    assert!(!node.alerts(&started(25 * HOUR, "build", "/tmp/new")));
}

#[test]
fn baselines_outlast_a_restart_and_their_rule_does_not_outlast_a_change() {
    let mut node = Node::with(&rule(LEARNS));
    node.alerts(&started(0, "nginx", "/bin/nginx"));
    assert_eq!(node.tally.baseline_changes(), 1);
    let stored = node.tally.baselines();
    let mut again = Node::with(&rule(LEARNS));
    again.tally = Tally::with_baselines(&stored).expect("baselines");
    again.tally.keep_baselines_of(&again.engine);
    assert!(!again.alerts(&started(25 * HOUR, "nginx", "/bin/nginx")));
    assert!(again.alerts(&started(25 * HOUR, "nginx", "/bin/sh")));

    again.tally = Tally::with_baselines(&stored).expect("baselines");
    again.engine = load(&rule(&LEARNS.replace("24h", "23h"))).expect("a rule");
    again.tally.keep_baselines_of(&again.engine);
    assert!(!again.alerts(&started(25 * HOUR, "nginx", "/bin/sh")), "it begins to learn");
}

#[test]
fn the_environment_of_programs_is_wanted_where_it_is_learnt() {
    let wants = |defender: &str| load(&rule(defender)).expect("a rule").wants_environment();
    assert!(!wants(LEARNS));
    assert!(wants(&LEARNS.replace("proc.exepath", "\"proc.env[PATH]\"")));
}

#[test]
fn damaged_baselines_are_refused() {
    let mut node = Node::with(&rule(LEARNS));
    for second in 0..20 {
        node.alerts(&started(second, "nginx", String::leak(format!("/bin/{second}"))));
    }
    let stored = node.tally.baselines();
    assert!(Tally::with_baselines(&stored).is_ok());
    for place in 0..stored.len() {
        let mut damaged = stored.clone();
        damaged[place] ^= 0x10;
        assert!(Tally::with_baselines(&damaged).is_err(), "byte {place}");
        assert!(Tally::with_baselines(&stored[..place]).is_err(), "cut at {place}");
    }
    let error = Tally::with_baselines(b"{\"json\": true, \"and\": \"more\"}").map(drop);
    assert_eq!(error, Err(BaselinesError::NoBaselines));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (defender, message) in [
        ("{first_seen: proc.name, learn_for: 1h}", "needs the key `by`"),
        ("{first_seen: proc.name, by: container.id}", "needs the key `learn_for`"),
        ("{first_seen: proc.name, by: container.id, learn_for: 1s}", "from a minute to 30 days"),
        ("{first_seen: proc.nme, by: container.id, learn_for: 1h}", "there is no field `proc.nme`"),
        ("{first_seen: [], by: container.id, learn_for: 1h}", "`first_seen` names 1 to 4 fields"),
        (
            "{first_seen: proc.name, by: process_tree, learn_for: 1h}",
            "there is no field `process_tree`",
        ),
        ("{first_seen: proc.name, by: container.id, learn_fr: 1h}", "did you mean `learn_for`?"),
    ] {
        let error = load(&rule(defender)).map(drop).expect_err(defender);
        assert!(error.contains(message) && error.contains("rules.yaml:6:"), "{defender}: {error}");
    }
}
