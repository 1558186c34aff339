//! Why a rule matches, or does not: by parts, as its author wrote them.

use detection::{Engine, RuleSet, SourceFile, Truth, Why};
use rule_cases::Case;

const RULES: &str = "
- list: netcats
  items: [nc, ncat]
- macro: started
  condition: evt.type in (execve, execveat)
- macro: netcat
  condition: started and proc.name in (netcats)
- rule: Netcat
  desc: d
  condition: netcat and not proc.pname in (systemd, cron) and (proc.args contains -e or container.image.repository = evil)
  output: o
  priority: INFO
- rule: Shadow
  desc: d
  condition: evt.type = open and fd.name = /etc/shadow
  output: o
  priority: INFO
- rule: Ten of them
  desc: d
  condition: started and proc.name = id
  output: o
  priority: INFO
  defender: {at_least: 10, within: 60s, by: [proc.pname]}
";

fn engine() -> Engine {
    let rules = RuleSet::load(&[SourceFile { name: "rules.yaml", text: RULES }]);
    Engine::compile(rules.unwrap_or_else(|error| panic!("{error}")))
}

fn why(rule: &str, act: &str) -> Why {
    let case: Case = serde_saphyr::from_str(&format!("{{what: a test, {act}}}")).expect("a case");
    case.why(&engine(), rule, true).expect("the rule is there")
}

#[test]
fn each_part_is_told_as_true_false_or_without_a_value_and_by_its_macro() {
    let why = why(
        "Netcat",
        "process: {path: /bin/nc, arguments: [nc, -l]}, ancestors: [{path: /bin/bash}]",
    );
    let wanted = "\
false     all of
true        netcat: all of
true          started: evt.type in \"execve\" \"execveat\"  [\"execve\"]
true          proc.name in \"nc\" \"ncat\"  [\"nc\"]
true        not
false         proc.pname in \"systemd\" \"cron\"  [\"bash\"]
false       any of
false         proc.args contains \"-e\"  [\"-l\"]
no value      container.image.repository = \"evil\"";
    assert_eq!(why.to_string(), wanted, "\n{why}");
    assert_eq!((why.holds(), why.distance()), (false, 1));
    let decisive = "\
false     all of
false       any of
false         proc.args contains \"-e\"  [\"-l\"]
no value      container.image.repository = \"evil\"";
    assert_eq!(why.decisive().to_string(), decisive);
}

#[test]
fn a_field_without_a_value_is_told_so_below_a_negation_too() {
    let why = why("Netcat", "process: {path: /bin/nc, arguments: [nc, -e, sh]}");
    assert!(why.holds(), "{why}");
    let parent = why.parts().iter().find(|part| part.text.starts_with("proc.pname"));
    assert_eq!(parent.expect("the part").truth, Truth::NoValue);
    assert_eq!(why.decisive().parts()[4].text, "not", "{why}");
}

#[test]
fn an_act_of_another_type_is_farther_away_than_any_of_the_right_one() {
    let open = |path| format!("process: {{path: /bin/cat}}, file: {{act: open, path: {path}}}");
    let other_file = why("Shadow", &open("/etc/passwd"));
    let other_type = why("Shadow", "process: {path: /bin/cat, arguments: [cat, /etc/shadow]}");
    assert!(other_file.distance() < other_type.distance());
    let request = why("Shadow", "audit: {user: eve, verb: get}");
    assert!(!request.holds() && request.distance() >= other_type.distance(), "{request}");
}

#[test]
fn a_rule_that_takes_several_acts_says_so_where_its_condition_holds() {
    let why = why("Ten of them", "process: {path: /bin/id}");
    assert!(
        why.to_string().ends_with("An alert takes 10 acts within 60 s for one proc.pname."),
        "{why}"
    );
}
