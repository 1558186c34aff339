//! What the loader says of faulty files: each message as a user reads it.

use detection::{RuleSet, SourceFile};

fn errors(text: &str) -> String {
    errors_of(&[SourceFile { name: "rules/mine.yaml", text }])
}

fn errors_of(files: &[SourceFile<'_>]) -> String {
    RuleSet::load(files).map(|_| ()).expect_err("the file is faulty").to_string()
}

fn warnings(text: &str) -> String {
    let rules = RuleSet::load(&[SourceFile { name: "rules/mine.yaml", text }]);
    let rules = rules.unwrap_or_else(|error| panic!("{error}"));
    let warnings: Vec<String> = rules.warnings().iter().map(ToString::to_string).collect();
    warnings.join("\n\n")
}

/// A rule with this condition, folded over two lines where it holds a line break.
fn rule(condition: &str) -> String {
    let condition = condition.replace('\n', "\n    ");
    format!(
        "- rule: Odd start\n  desc: Something odd was started.\n  condition: >\n    {condition}\n  \
         output: odd | command=%proc.cmdline\n  priority: NOTICE\n"
    )
}

#[test]
fn an_unknown_field() {
    insta::assert_snapshot!(errors(&rule("evt.type = execve and\nproc.nmae = nc")));
}

#[test]
fn an_unknown_operator() {
    insta::assert_snapshot!(errors(&rule("proc.name startwith nc")));
}

#[test]
fn an_unknown_macro_and_a_field_are_told_at_once() {
    let text = "- macro: spawned\n  condition: evt.type = execve\n".to_owned();
    insta::assert_snapshot!(errors(&(text + &rule("spawnd and proc.nam = nc"))));
}

#[test]
fn an_unknown_list() {
    let text = "- list: shells\n  items: [sh, bash]\n".to_owned();
    insta::assert_snapshot!(errors(&(text + &rule("proc.name in shels"))));
}

#[test]
fn an_unknown_event_type() {
    insta::assert_snapshot!(errors(&rule("evt.type in (exceve, clone)")));
}

#[test]
fn a_parenthesis_that_is_never_closed() {
    insta::assert_snapshot!(errors(&rule(
        "evt.type = execve and\n(proc.name = nc or proc.name = ncat"
    )));
}

#[test]
fn a_parenthesis_too_many() {
    insta::assert_snapshot!(errors(&rule("proc.name = nc) and proc.pid = 1")));
}

#[test]
fn a_value_with_a_space_and_without_quotation_marks() {
    insta::assert_snapshot!(errors(&rule("proc.cmdline = sh -c")));
}

#[test]
fn a_quotation_mark_that_is_never_closed() {
    insta::assert_snapshot!(errors(&rule("proc.cmdline = \"sh -c")));
}

#[test]
fn an_escape_that_is_none() {
    insta::assert_snapshot!(errors(&rule("proc.args regex \".*\\s-e\"")));
}

#[test]
fn a_word_where_a_number_is_needed() {
    insta::assert_snapshot!(errors(&rule("user.uid = root")));
}

#[test]
fn a_truth_value_that_is_none() {
    insta::assert_snapshot!(errors(&rule("proc.is_exe_from_memfd = 1")));
}

#[test]
fn an_operator_that_does_not_fit_the_field() {
    insta::assert_snapshot!(errors(&rule("proc.name > 3 or user.uid startswith 1")));
}

#[test]
fn a_list_where_one_value_is_needed() {
    let text = "- list: shells\n  items: [sh, bash]\n".to_owned();
    insta::assert_snapshot!(errors(&(text + &rule("proc.name = shells"))));
}

#[test]
fn an_expression_that_can_t_be_used() {
    insta::assert_snapshot!(errors(&rule("proc.args regex \"(a\"")));
}

#[test]
fn an_unknown_key() {
    insta::assert_snapshot!(warnings(&(rule("proc.name = nc") + "  tgas: [a]\n")));
}

#[test]
fn an_item_of_an_unknown_kind_that_is_like_no_other() {
    insta::assert_snapshot!(warnings("- authors: [ann]\n  since: 2024\n"));
}

#[test]
fn keys_that_are_missing() {
    insta::assert_snapshot!(errors("- rule: Odd start\n  condition: proc.name = nc\n"));
}

#[test]
fn an_unknown_kind_of_item() {
    insta::assert_snapshot!(errors("- marco: spawned\n  condition: evt.type = execve\n"));
}

#[test]
fn a_priority_that_is_none() {
    let text = rule("proc.name = nc").replace("NOTICE", "HIGH");
    insta::assert_snapshot!(errors(&text));
}

#[test]
fn a_field_in_an_output() {
    let text = rule("proc.name = nc").replace("%proc.cmdline", "%proc.cmdlin at 100% of %evt.time");
    insta::assert_snapshot!(errors(&text));
}

#[test]
fn a_file_that_is_no_yaml() {
    insta::assert_snapshot!(errors("- rule: Odd start\n  desc: \"never closed\n  condition: x\n"));
}

#[test]
fn a_key_that_stands_twice() {
    insta::assert_snapshot!(errors("- list: shells\n  items: [sh]\n  items: [bash]\n"));
}

#[test]
fn a_file_that_is_no_list() {
    insta::assert_snapshot!(errors("rule: Odd start\n"));
}

#[test]
fn macros_that_refer_to_one_another() {
    let text = "- macro: a\n  condition: proc.pid = 1\n- macro: b\n  condition: a or proc.pid = 2\n\
                - macro: a\n  condition: b or proc.pid = 3\n";
    insta::assert_snapshot!(errors(text));
}

#[test]
fn a_macro_that_stands_too_late() {
    let text =
        "- macro: a\n  condition: b or proc.pid = 1\n- macro: b\n  condition: proc.pid = 2\n";
    insta::assert_snapshot!(errors(text));
}

#[test]
fn an_override_of_nothing() {
    let text = rule("proc.name = nc")
        + "- rule: Odd strat\n  condition: and proc.pid = 1\n  override: {condition: append}\n";
    insta::assert_snapshot!(errors(&text));
}

#[test]
fn an_override_that_does_not_name_what_it_gives() {
    let text = rule("proc.name = nc")
        + "- rule: Odd start\n  condition: and proc.pid = 1\n  output: o\n  override: {condition: append}\n";
    insta::assert_snapshot!(errors(&text));
}

#[test]
fn an_appended_condition_is_pointed_at_in_its_own_file() {
    let first = rule("evt.type = execve");
    let second =
        "- rule: Odd start\n  condition: and proc.nmae = nc\n  override: {condition: append}\n";
    let files = [
        SourceFile { name: "rules/first.yaml", text: &first },
        SourceFile { name: "rules/second.yaml", text: second },
    ];
    insta::assert_snapshot!(errors_of(&files));
}

#[test]
fn an_exception_of_the_wrong_shape() {
    let text = rule("proc.name = nc")
        + "  exceptions:\n    - name: known\n      fields: [proc.pname, proc.nmae]\n      values: [[cron, x], [sshd]]\n";
    insta::assert_snapshot!(errors(&text));
}

#[test]
fn an_engine_that_is_too_old() {
    insta::assert_snapshot!(errors("- required_engine_version: 0.99.0\n"));
}

#[test]
fn a_plugin_that_is_not_built_in() {
    insta::assert_snapshot!(errors(
        "- required_plugin_versions:\n  - name: cloudtrail\n    version: 0.1.0\n"
    ));
}

#[test]
fn a_rule_of_another_source_is_skipped_with_a_warning() {
    insta::assert_snapshot!(warnings(&(rule("ct.name = PutUser") + "  source: aws_cloudtrail\n")));
}

#[test]
fn a_rule_may_ask_to_be_skipped_where_a_field_is_unknown() {
    insta::assert_snapshot!(warnings(
        &(rule("proc.weather = fine") + "  skip-if-unknown-filter: true\n")
    ));
}

#[test]
fn the_older_way_to_append_is_deprecated() {
    let text = rule("proc.name = nc")
        + "- rule: Odd start\n  condition: and proc.pid = 1\n  append: true\n";
    insta::assert_snapshot!(warnings(&text));
}

/// A rule about audit events.
fn audit_rule(condition: &str, output: &str) -> String {
    format!(
        "- rule: Odd request\n  desc: Something odd was asked.\n  condition: {condition}\n  \
         output: {output}\n  priority: NOTICE\n  source: k8s_audit\n"
    )
}

#[test]
fn a_field_of_acts_in_a_rule_about_audit_events() {
    let text = audit_rule("ka.verb = create and proc.name = nc", "odd | pod=%container.id");
    insta::assert_snapshot!(errors(&text));
}

#[test]
fn a_field_of_audit_events_in_a_rule_about_acts() {
    let text = "- macro: made\n  condition: (ka.verb = create)\n".to_owned()
        + &rule("evt.type = execve and\nmade");
    insta::assert_snapshot!(errors(&text));
}

#[test]
fn a_rule_about_audit_events_may_ask_to_be_skipped_where_a_field_is_of_acts() {
    let text = audit_rule("evt.type = execve", "odd") + "  skip-if-unknown-filter: true\n";
    insta::assert_snapshot!(warnings(&text));
}

#[test]
fn brackets_that_do_not_fit_a_field_of_audit_events() {
    let condition = "jevt.value[stage] exists and ka.user.groups[first] = a and ka.verb[0] = get";
    insta::assert_snapshot!(errors(&audit_rule(condition, "odd | command=%ka.uri.param")));
}

#[test]
fn an_unknown_field_of_audit_events() {
    insta::assert_snapshot!(errors(&audit_rule("ka.req.pod.container.image = a", "odd")));
}
