//! Rules that ask for acts one after another.

use crate::node::{DONE, Done, Node, load};
use detection::{EventType, EventTypes};
use event_model::FileAct;

/// A rule whose last act is the start of `last`.
fn rule(defender: &str) -> String {
    format!(
        "- rule: Sequence\n  desc: D.\n  condition: evt.type = execve and proc.name = last\n  output: 'last=%proc.name'\n  \
         priority: NOTICE\n  defender: {defender}\n"
    )
}

fn started(second: u64, name: &'static str) -> Done {
    Done { second, name, ..DONE }
}

const TWO: &str = "{after: [{condition: evt.type = execve and proc.name = first}], within: 10s, by: [container.id]}";

#[test]
fn the_last_act_raises_the_alert_where_the_first_came_before_it_in_time() {
    let mut node = Node::with(&rule(TWO));
    assert!(!node.alerts(&started(0, "last")), "nothing came before");
    assert!(!node.alerts(&started(1, "first")));
    assert!(!node.alerts(&started(2, "other")));
    assert!(
        !node.alerts(&Done { container: Some("c2"), ..started(3, "last") }),
        "another container"
    );
    assert!(node.alerts(&started(11, "last")));
    assert!(!node.alerts(&started(12, "last")), "told once");
    assert!(!node.alerts(&started(30, "first")));
    assert!(!node.alerts(&started(41, "last")), "too late");
    assert!(!node.alerts(&started(42, "first")));
    assert!(!node.alerts(&started(50, "first")));
    assert!(node.alerts(&started(60, "last")), "the latest first act counts");
}

#[test]
fn the_alert_tells_what_came_before() {
    let mut node = Node::with(&rule(TWO));
    node.detect(&Done { pid: 41, ..started(1, "first") });
    let raised = node.detect(&started(2, "last")).remove(0);
    assert_eq!(raised.rule, "Sequence");
    assert_eq!(raised.value("proc.name"), Some("last"));
    assert_eq!(raised.value("after[1].proc.name"), Some("first"));
    assert_eq!(raised.value("after[1].actor"), Some("first[41]"));
    assert_eq!(raised.value("after[1].time"), Some("2027-01-15T08:00:01.000000000Z"));
}

#[test]
fn all_steps_must_come_in_their_order_and_no_act_is_two_of_them() {
    let steps = ["a", "b", "b"]
        .map(|name| format!("{{condition: evt.type = execve and proc.name = {name}}}"));
    let defender = format!("{{after: [{}], within: 1m, by: [container.id]}}", steps.join(", "));
    let mut node = Node::with(&rule(&defender));
    let mut run = |begin: u64, names: &[&'static str]| {
        let all = (begin..).zip(names).map(|(second, name)| node.alerts(&started(second, name)));
        all.collect::<Vec<_>>()
    };
    assert_eq!(run(0, &["b", "a", "b", "last"]), [false; 4], "one b is not two");
    assert_eq!(run(100, &["b", "b", "a", "last"]), [false; 4], "a comes first");
    assert_eq!(run(200, &["a", "b", "x", "b", "last"]), [false, false, false, false, true]);
}

#[test]
fn a_process_tree_is_a_process_with_all_that_descends_from_it() {
    let defender = "{after: [{condition: evt.type = execve and proc.name = first}], within: 10s, by: [process_tree]}";
    let mut node = Node::with(&rule(defender));
    node.alerts(&Done { pid: 10, ancestors: vec![1], ..started(1, "first") });
    let last = |second, pid, ancestors| Done { pid, ancestors, ..started(second, "last") };
    assert!(!node.alerts(&last(2, 11, vec![1])), "a sibling");
    assert!(!node.alerts(&last(3, 1, vec![])), "the parent");
    assert!(node.alerts(&last(4, 12, vec![11, 10, 1])), "a grandchild");
    node.alerts(&Done { pid: 20, ancestors: vec![1], ..started(5, "first") });
    assert!(node.alerts(&last(6, 20, vec![1])), "itself, with another program");
}

#[test]
fn each_act_may_be_told_apart_by_fields_of_its_own() {
    let defender = "{after: [{condition: evt.type = open, by: [container.id, file.path]}], within: 10s, \
                    by: [container.id, proc.exepath]}";
    let mut node = Node::with(&rule(defender));
    let file = Some((FileAct::Open, "/tmp/x"));
    assert!(!node.alerts(&Done { file, ..started(1, "curl") }));
    let run = |second, executable| Done { executable, ..started(second, "last") };
    assert!(!node.alerts(&run(2, "/tmp/y")));
    assert!(node.alerts(&run(3, "/tmp/x")));
}

#[test]
fn acts_whose_key_is_not_known_are_of_no_sequence() {
    let defender = "{after: [{condition: evt.type = execve and proc.name = first}], within: 10s, \
                    by: [container.image.repository]}";
    let mut node = Node::with(&rule(defender));
    assert!(!node.alerts(&started(1, "first")) && !node.alerts(&started(2, "last")));
    let image = Some("docker.io/library/nginx:1");
    assert!(!node.alerts(&Done { image, ..started(3, "first") }));
    assert!(node.alerts(&Done { image, ..started(4, "last") }));
}

#[test]
fn what_a_step_needs_is_asked_of_the_kernel_and_missed_where_it_is_not_seen() {
    let defender = "{after: [{condition: evt.type = open and fd.name = /etc/shadow}, {condition: evt.type = connect}], \
                    within: 10s, by: [container.id]}";
    let engine = load(&rule(defender)).expect("a rule");
    let types = |name: &str| EventType::seen().find(|it| it.name() == name).expect("a type");
    for name in ["open", "connect"] {
        assert!(engine.wants(types(name)) && engine.looks_at(types(name)), "{name}");
    }
    assert!(engine.wanted_paths().read.contains("/etc/shadow"), "{:?}", engine.wanted_paths());
    assert!(matches!(engine.event_types(), EventTypes::Only(all) if all.len() == 3));
    assert_eq!(engine.blind_rules(|_| true), []);
    let blind = engine.blind_rules(|it| it != types("connect"));
    assert_eq!(blind[0].reason, "needs events of the type connect");
}

#[test]
fn a_rule_that_is_loaded_again_unchanged_remembers() {
    let mut node = Node::with(&rule(TWO));
    node.alerts(&started(1, "first"));
    let other = "- rule: Other\n  desc: D.\n  condition: evt.type = open\n  output: O\n  priority: NOTICE\n";
    node.engine = load(&format!("{other}{}", rule(TWO))).expect("rules");
    assert!(node.alerts(&started(2, "last")));
    node.alerts(&started(20, "first"));
    node.engine = load(&rule(&TWO.replace("10s", "11s"))).expect("a rule");
    assert!(!node.alerts(&started(21, "last")), "another rule by the same name");
}

#[test]
fn what_is_kept_in_mind_is_bounded() {
    let defender = "{after: [{condition: evt.type = execve and proc.name = first}], within: 1h, by: [process_tree]}";
    let mut node = Node::with(&rule(defender));
    for pid in 0..100_000 {
        node.alerts(&Done { pid, ..started(u64::from(pid) / 1_000, "first") });
    }
    assert!(node.tally.forgotten() > 0);
    assert!(
        node.alerts(&Done { pid: 99_999, ..started(101, "last") }),
        "the newest are remembered"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (defender, message) in [
        ("{after: [], within: 10s, by: [container.id]}", "`after` holds 1 to 7 acts"),
        (
            "{after: [{by: [container.id]}], within: 10s, by: [container.id]}",
            "needs the key `condition`",
        ),
        (
            "{after: [{condition: proc.nme = a}], within: 10s, by: [container.id]}",
            "there is no field `proc.nme`",
        ),
        ("{after: [{condition: proc.name = }], within: 10s, by: [container.id]}", "rules.yaml:6:"),
        ("{after: [{condition: proc.name = a}], by: [container.id]}", "needs the key `within`"),
        ("{after: [{condition: proc.name = a}], within: 2h, by: [container.id]}", "up to an hour"),
        (
            "{after: [{condition: proc.name = a, by: [proc.name, proc.exe]}], within: 1h, by: [container.id]}",
            "names as many fields as the rule's",
        ),
        (
            "{after: [{condition: proc.name = a}], within: 1h, by: [ka.verb]}",
            "is told of audit events",
        ),
        (
            "{after: [{condition: proc.name = a}], at_least: 3, within: 1h, by: [container.id]}",
            "unknown key `at_least`",
        ),
        (
            "{after: [{condition: proc.name = a}], within: 1h, by: [process_tre]}",
            "there is no field `process_tre`",
        ),
    ] {
        let error = load(&rule(defender)).map(drop).expect_err(defender);
        assert!(error.contains(message) && error.contains("rules.yaml:6:"), "{defender}: {error}");
    }
}
