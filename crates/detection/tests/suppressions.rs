//! Which alerts suppressions take, and what is said of files of them that are wrong.

use detection::{
    AuditAct, Engine, EventSource, LoadError, RuleSet, SourceFile, Sources, Suppression, Tally,
};
use event_model::{AuditEvent, AuditUser, Host, Timestamp};
use rule_cases::Case;

const RULES: &str = "
- macro: backup
  condition: (proc.name in (restic, borg))
- rule: Program started
  desc: d
  condition: evt.type = execve and proc.name exists
  output: started %proc.name
  priority: NOTICE
  tags: [T1059, noisy]
- rule: Other
  desc: d
  condition: evt.type = execve and proc.name = restic
  output: other
  priority: NOTICE
- rule: Switched off
  desc: d
  condition: evt.type = execve
  output: off
  priority: NOTICE
  enabled: false
- rule: Pod deleted
  desc: d
  source: k8s_audit
  condition: ka.verb = delete
  output: deleted
  priority: NOTICE
  enabled: false
- rule: Pod made
  desc: d
  source: k8s_audit
  condition: ka.verb = create
  output: made
  priority: NOTICE
  tags: [noisy]
";

/// 2026-11-23T12:00:00Z.
const NOW: Timestamp = Timestamp(1_795_435_200_000_000_000);
const DAY: u64 = 86_400_000_000_000;

fn load(suppressions: &str) -> Result<RuleSet, LoadError> {
    let rules = [SourceFile { name: "rules.yaml", text: RULES }];
    let suppressions = [SourceFile { name: "suppressions.yaml", text: suppressions }];
    RuleSet::load_from(Sources {
        rules: &rules,
        suppressions: &suppressions,
        now: NOW,
        ..Sources::default()
    })
}

fn suppression(lines: &str) -> String {
    format!("- suppression: Backups\n  reason: Each night.\n  owner: platform\n{lines}")
}

fn engine(lines: &str) -> Engine {
    let rules = load(&suppression(lines));
    Engine::compile(rules.unwrap_or_else(|error| panic!("{error}")))
}

/// The rules that the start of a program matches, and what suppresses each.
fn matched(engine: &Engine, process: &str, at: Timestamp) -> Vec<(String, Option<String>)> {
    let text = format!("{{what: a test, process: {process}}}");
    let case: Case = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}"));
    let scene = case.scene();
    scene.with_act(true, |act| {
        let mut event = act.event.clone();
        event.time = at;
        let act = detection::Act { event: &event, ..*act };
        let matches = engine.detect(&act, &mut Tally::default());
        let told = matches.iter().map(|matched| {
            let suppression = matched.suppression().map(|known| known.name().to_owned());
            (matched.rule().name().to_owned(), suppression)
        });
        told.collect()
    })
}

fn of(rule: &str, suppression: Option<&str>) -> (String, Option<String>) {
    (rule.to_owned(), suppression.map(str::to_owned))
}

fn errors(suppressions: &str) -> String {
    load(suppressions).err().map_or_else(|| panic!("nothing is wrong"), |error| error.to_string())
}

#[test]
fn only_what_meets_the_condition_is_suppressed_and_only_of_the_rule_that_is_named() {
    let engine = engine("  rule: Program started\n  when: backup\n  expires: 2026-12-31\n");
    let restic = matched(&engine, "{path: /bin/restic}", NOW);
    assert_eq!(restic, [of("Program started", Some("Backups")), of("Other", None)]);
    assert_eq!(matched(&engine, "{path: /bin/nc}", NOW), [of("Program started", None)]);
    let suppression = &engine.suppressions()[0];
    assert_eq!((suppression.owner(), suppression.reason()), ("platform", "Each night."));
}

#[test]
fn the_type_of_the_act_can_be_asked_for_by_any_of_its_names() {
    for (condition, holds) in [
        ("evt.type in (execve, execveat)", true),
        ("evt.type = openat", false),
        ("not evt.type = execve", false),
    ] {
        let lines =
            format!("  rule: [Program started]\n  when: {condition}\n  expires: 2026-12-31\n");
        let engine = engine(&lines);
        let expected = of("Program started", holds.then_some("Backups"));
        assert_eq!(matched(&engine, "{path: /bin/nc}", NOW), [expected], "{condition}");
    }
}

#[test]
fn a_suppression_counts_through_its_last_day_and_not_longer() {
    let engine = engine("  rule: Program started\n  when: proc.name = nc\n  expires: 2026-11-24\n");
    let at = |moment| matched(&engine, "{path: /bin/nc}", moment)[0].1.is_some();
    assert!(at(NOW) && at(Timestamp(NOW.0 + DAY)), "the last day, noon");
    assert!(at(Timestamp(NOW.0 + DAY + DAY / 2 - 1)), "its last nanosecond");
    assert!(!at(Timestamp(NOW.0 + DAY + DAY / 2)), "the next midnight");
}

#[test]
fn an_expired_one_is_told_of_and_has_no_effect() {
    let lines = "  rule: Program started\n  when: proc.name = nc\n  expires: 2026-11-22\n";
    let rules = load(&suppression(lines)).unwrap_or_else(|error| panic!("{error}"));
    let warnings: Vec<String> = rules.warnings().iter().map(ToString::to_string).collect();
    assert!(warnings[0].contains("suppression `Backups` expired on 2026-11-22"), "{warnings:?}");
    let engine = Engine::compile(rules);
    assert_eq!(matched(&engine, "{path: /bin/nc}", NOW), [of("Program started", None)]);
    assert!(engine.suppressions()[0].has_expired(NOW));
}

#[test]
fn a_tag_stands_for_its_rules() {
    let lines = "  tag: T1059\n  when: proc.name = restic\n  expires: 2027-11-23\n";
    let told = matched(&engine(lines), "{path: /bin/restic}", NOW);
    assert_eq!(told, [of("Program started", Some("Backups")), of("Other", None)]);
}

#[test]
fn alerts_about_requests_are_suppressed_by_fields_of_requests() {
    let engine =
        engine("  rule: Pod made\n  when: ka.user.name = deployer\n  expires: 2027-01-01\n");
    let suppressed = |name: &str| {
        let user = AuditUser { name: name.to_owned(), ..AuditUser::default() };
        let event =
            AuditEvent { verb: "create".to_owned(), user, stage_at: NOW, ..AuditEvent::default() };
        let act = AuditAct { event: &event, host: &Host::default() };
        let matches = engine.detect_audit(&act, &mut Tally::default());
        assert_eq!(matches.len(), 1);
        matches[0].suppression().is_some()
    };
    assert!(suppressed("deployer") && !suppressed("mallory"));
}

#[test]
fn a_condition_that_some_of_its_rules_cannot_meet_is_an_error() {
    let lines = "  tag: noisy\n  when: ka.user.name = deployer\n  expires: 2027-01-01\n";
    let errors = errors(&suppression(lines));
    assert!(errors.contains("`ka.user.name` is told of audit events of Kubernetes"), "{errors}");
    assert!(errors.contains("suppressions.yaml:5:9"), "{errors}");
}

#[test]
fn rules_that_are_switched_off_are_known() {
    let lines = "  rule: Switched off\n  when: proc.name = nc\n  expires: 2027-01-01\n";
    assert!(load(&suppression(lines)).is_ok());
    let lines = "  rule: Pod deleted\n  when: ka.user.name = d\n  expires: 2027-01-01\n";
    assert!(load(&suppression(lines)).is_ok());
}

#[test]
fn what_is_wrong_is_shown_with_its_line_and_the_way_out() {
    insta::assert_snapshot!(errors(
        "- suppression: Backups
  rule: [Program startd, Other]
  tag: T1059
  when: proc.nme = restic
  reson: Each night.
  owner: platform
  expires: 2028-01-01
- suppression: Backups
  tag: nosy
  when: proc.name = nc and
  reason: Each night.
  owner: platform
  expires: soon
- rule: Other
"
    ));
}

#[test]
fn more_than_can_be_looked_through_are_refused() {
    let one = |number: u32| {
        format!(
            "- {{suppression: S{number}, rule: Other, when: proc.name = nc, reason: R, owner: O, expires: 2027-01-01}}\n"
        )
    };
    let texts: String = (0..257).map(one).collect();
    let errors = errors(&texts);
    assert!(errors.contains("more than 256 suppressions"), "{errors}");
    let long = suppression("  rule: Other\n  when: proc.name = nc\n  expires: 2027-01-01\n")
        .replace("Each night.", &"x".repeat(501));
    let errors = load(&long).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(errors.contains("`reason` has 501 characters, at most 500"), "{errors}");
}

#[test]
fn suppressions_find_their_rules_among_those_of_one_source() {
    let only = |source, lines| {
        let rules = load(&suppression(lines)).unwrap_or_else(|error| panic!("{error}"));
        Engine::compile(rules.of_source(source))
    };
    let of_requests = "  rule: Pod made\n  when: ka.verb = create\n  expires: 2026-12-31\n";
    let engine = only(EventSource::KubernetesAudit, of_requests);
    let names: Vec<_> = engine.rules().iter().map(detection::Rule::name).collect();
    assert_eq!(names, ["Pod made"]);
    let event = AuditEvent { verb: "create".to_owned(), stage_at: NOW, ..AuditEvent::default() };
    let act = AuditAct { event: &event, host: &Host::default() };
    let matches = engine.detect_audit(&act, &mut Tally::default());
    let taken: Vec<_> = matches.iter().map(|it| it.suppression().map(Suppression::name)).collect();
    assert_eq!(taken, [Some("Backups")]);
    let of_acts = "  rule: Other\n  when: backup\n  expires: 2026-12-31\n";
    let engine = only(EventSource::Syscall, of_acts);
    let expected = [of("Program started", None), of("Other", Some("Backups"))];
    assert_eq!(matched(&engine, "{path: /bin/restic}", NOW), expected);
}
