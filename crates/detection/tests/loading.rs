//! How later items change earlier ones, and what a loaded condition means.

use detection::{Engine, RuleSet, SourceFile};
use rule_cases::Case;

fn engine(text: &str) -> Engine {
    let rules = RuleSet::load(&[SourceFile { name: "test.yaml", text }]);
    Engine::compile(rules.unwrap_or_else(|error| panic!("{error}")))
}

/// The messages that the start of a program raises. The process is a case's, in YAML.
fn messages(engine: &Engine, process: &str) -> Vec<String> {
    let text = format!("{{what: a test, process: {process}}}");
    let case: Case = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}"));
    let scene = case.scene();
    scene.with_act(true, |act| {
        engine.evaluate(act).map(|matched| matched.message().to_owned()).collect()
    })
}

fn matches(engine: &Engine, process: &str) -> bool {
    !messages(engine, process).is_empty()
}

const RULE: &str = "
- list: names
  items: [nc, ncat]
- macro: known
  condition: (proc.name in (names))
- rule: Netcat
  desc: d
  condition: evt.type = execve and known
  output: netcat %proc.name
  priority: NOTICE
";

#[test]
fn a_list_grows() {
    let engine = engine(&format!(
        "{RULE}\n- list: names\n  items: [socat]\n  override: {{items: append}}\n"
    ));
    assert!(matches(&engine, "{path: /bin/socat}") && matches(&engine, "{path: /bin/nc}"));
}

#[test]
fn a_list_is_replaced_and_everyone_sees_it() {
    let engine = engine(&format!("{RULE}\n- list: names\n  items: [socat]\n"));
    assert!(matches(&engine, "{path: /bin/socat}") && !matches(&engine, "{path: /bin/nc}"));
}

#[test]
fn lists_may_name_lists() {
    let text = RULE.replace("[nc, ncat]", "[more, nc]");
    let engine = engine(&format!("- list: more\n  items: [socat, \"'a b'\", c d]\n{text}"));
    assert!(matches(&engine, "{path: /bin/socat}") && matches(&engine, "{path: /bin/nc}"));
    assert!(matches(&engine, "{name: a b, path: /x}") && matches(&engine, "{name: c d, path: /x}"));
    assert!(!matches(&engine, "{name: more, path: /x}"));
}

#[test]
fn an_empty_list_matches_nothing() {
    let engine = engine(&RULE.replace("[nc, ncat]", "[]"));
    assert!(!matches(&engine, "{path: /bin/nc}"));
}

#[test]
fn a_macro_grows_by_text() {
    let more =
        "- macro: known\n  condition: or proc.name = socat\n  override: {condition: append}\n";
    let engine = engine(&format!("{RULE}\n{more}"));
    assert!(matches(&engine, "{path: /bin/socat}") && matches(&engine, "{path: /bin/nc}"));
}

#[test]
fn a_rule_s_condition_grows_and_its_output_is_replaced() {
    let more = "- rule: Netcat\n  condition: and user.uid = 0\n  output: as root %user.uid\n  \
                override: {condition: append, output: replace}\n";
    let engine = engine(&format!("{RULE}\n{more}"));
    assert_eq!(messages(&engine, "{path: /bin/nc}"), ["as root 0"]);
    assert!(!matches(&engine, "{path: /bin/nc, uid: 5}"));
}

#[test]
fn a_rule_is_switched_off_and_on() {
    let off = format!("{RULE}\n- rule: Netcat\n  enabled: false\n");
    assert_eq!(engine(&off).rules_loaded(), 0);
    let on = format!("{off}\n- rule: Netcat\n  enabled: true\n  override: {{enabled: replace}}\n");
    assert_eq!(engine(&on).rules_loaded(), 1);
}

#[test]
fn a_redefined_rule_keeps_its_place() {
    let again = "- {rule: A, desc: d, condition: proc.name = nc, output: a, priority: INFO}\n\
                 - {rule: B, desc: d, condition: proc.name = nc, output: b, priority: INFO}\n\
                 - {rule: A, desc: d, condition: proc.pid > 0, output: new a, priority: INFO}\n";
    assert_eq!(messages(&engine(again), "{path: /bin/nc}"), ["new a", "b"]);
}

#[test]
fn exceptions_of_one_field_and_of_several() {
    let exceptions = "  exceptions:\n    - name: users\n      fields: user.uid\n      values: [7, 8]\n    \
                      - name: programs\n      fields: [proc.exepath, proc.args]\n      comps: [startswith, in]\n      \
                      values: [[/opt/, [-l, -z]], [/srv/, '(-l)']]\n";
    let engine = engine(&format!("{RULE}{exceptions}"));
    assert!(
        matches(&engine, "{path: /bin/nc, uid: 6}") && !matches(&engine, "{path: /bin/nc, uid: 7}")
    );
    assert!(!matches(&engine, "{path: /opt/nc, arguments: [nc, -z]}"));
    assert!(matches(&engine, "{path: /srv/nc, arguments: [nc, -z]}"));
    assert!(!matches(&engine, "{path: /srv/nc, arguments: [nc, -l]}"));
}

#[test]
fn an_exception_gets_values_later() {
    let exceptions = "  exceptions:\n    - name: users\n      fields: user.uid\n";
    let values =
        "- rule: Netcat\n  exceptions:\n    - name: users\n      values: [7]\n  append: true\n";
    let engine = engine(&format!("{RULE}{exceptions}{values}"));
    assert!(
        matches(&engine, "{path: /bin/nc, uid: 6}") && !matches(&engine, "{path: /bin/nc, uid: 7}")
    );
}

#[test]
fn a_missing_value_makes_every_comparison_false() {
    let rule = |condition: &str| {
        engine(&format!(
            "- {{rule: R, desc: d, condition: '{condition}', output: o, priority: INFO}}\n"
        ))
    };
    let process = "{path: /bin/nc}";
    assert!(!matches(&rule("container.image = x"), process));
    assert!(!matches(&rule("container.image != x"), process));
    assert!(!matches(&rule("container.image exists"), process));
    assert!(matches(&rule("not container.image = x"), process));
    assert!(!matches(&rule("proc.aname[3] != x"), process));
}

#[test]
fn an_output_prints_what_is_missing_and_cuts_to_a_width() {
    let text = RULE.replace(
        "netcat %proc.name",
        "out %5proc.name|%toupper(proc.name)|%proc.aname[4]|%container.info|100%%",
    );
    assert_eq!(messages(&engine(&text), "{path: /bin/ncat}"), ["out ncat |NCAT|<NA>||100%"]);
}

#[test]
fn conditions_that_name_no_event_type_want_all() {
    let all =
        engine("- {rule: R, desc: d, condition: proc.name = nc, output: o, priority: INFO}\n");
    assert_eq!(*all.event_types(), detection::EventTypes::All);
    let some = engine(
        "- {rule: R, desc: d, condition: not (evt.type != openat) and proc.name = nc, output: o, priority: INFO}\n",
    );
    let openat = detection::EventType::named("openat").unwrap();
    assert_eq!(*some.event_types(), detection::EventTypes::Only([openat].into()));
    assert_eq!(some.blind_rules(detection::EventType::is_seen), []);
    let blind = some.blind_rules(|event_type| event_type == detection::EventType::EXECVE);
    assert_eq!(blind[0].reason, "needs events of the type open");
}
