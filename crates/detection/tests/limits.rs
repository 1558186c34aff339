//! Input that is large, deep, or not meant well: an answer within bounds, or a clear error; never a crash.

use detection::{Engine, RuleSet, SourceFile};
use proptest::prelude::*;
use rule_cases::Case;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

fn load(text: &str) -> Result<RuleSet, String> {
    RuleSet::load(&[SourceFile { name: "test.yaml", text }]).map_err(|error| error.to_string())
}

fn rule(condition: &str) -> String {
    format!("- {{rule: R, desc: d, condition: '{condition}', output: o, priority: INFO}}\n")
}

/// Whether the only rule matches the start of a program with these arguments.
fn matches(engine: &Engine, arguments: &[String]) -> bool {
    let text = "{what: a test, process: {path: /bin/nc}}";
    let case: Case = serde_saphyr::from_str(text).expect("a case");
    let scene = case.with_arguments(arguments).scene();
    scene.with_act(true, |act| engine.evaluate(act).next().is_some())
}

#[test]
fn a_list_of_a_hundred_thousand_items() {
    let mut text = "- list: names\n  items:\n".to_owned();
    for number in 0..100_000 {
        let _ = writeln!(text, "  - name-{number}");
    }
    let engine = Engine::compile(load(&(text + &rule("proc.args in (names)"))).unwrap());
    assert!(matches(&engine, &["nc".to_owned(), "name-99999".to_owned()]));
    assert!(!matches(&engine, &["nc".to_owned(), "name-100000".to_owned()]));
}

#[test]
fn a_condition_two_hundred_levels_deep() {
    let deep = format!("{}proc.args = x{}", "not (proc.pid = 1 or ".repeat(200), ")".repeat(200));
    let engine = Engine::compile(load(&rule(&deep)).unwrap());
    assert!(matches(&engine, &["nc".to_owned(), "x".to_owned()]));
    assert!(!matches(&engine, &["nc".to_owned(), "y".to_owned()]));
}

#[test]
fn parentheses_without_end() {
    let error = load(&rule(&"(".repeat(200_000))).unwrap_err();
    assert!(error.contains("nested more than 256 levels deep"), "{error}");
}

#[test]
fn macros_that_double_each_other() {
    let mut text = "- {macro: m0, condition: proc.pid = 1 or proc.args = x}\n".to_owned();
    for number in 1..200 {
        let inner = number - 1;
        let condition =
            format!("(m{inner} and user.uid != {number}) or (m{inner} and group.gid = {number})");
        let _ = writeln!(text, "- {{macro: m{number}, condition: {condition}}}");
    }
    let error = load(&(text + &rule("m199"))).unwrap_err();
    assert!(error.contains("more than 100000 parts"), "{error}");
}

/// Macros of which each uses the one before it and adds two levels.
fn nested_macros(count: usize) -> String {
    let mut text = "- {macro: m0, condition: proc.args = x}\n".to_owned();
    for number in 1..count {
        let inner = number - 1;
        let condition = format!("proc.pid = {number} or (proc.vpid != {number}0000 and m{inner})");
        let _ = writeln!(text, "- {{macro: m{number}, condition: {condition}}}");
    }
    text
}

#[test]
fn macros_deep_in_one_another() {
    let engine = Engine::compile(load(&(nested_macros(490) + &rule("m489"))).unwrap());
    assert!(matches(&engine, &["nc".to_owned(), "x".to_owned()]));
    assert!(!matches(&engine, &["nc".to_owned(), "y".to_owned()]));
    let error = load(&(nested_macros(10_000) + &rule("m9999"))).unwrap_err();
    assert!(error.contains("more than 1000 levels deep"), "{error}");
}

#[test]
fn macros_that_reach_forward_through_later_definitions() {
    let mut text = String::new();
    for number in 0..5_000 {
        let _ = writeln!(text, "- {{macro: m{number}, condition: proc.pid = 1}}");
    }
    for number in 0..4_999 {
        let next = number + 1;
        let _ = writeln!(text, "- {{macro: m{number}, condition: m{next} and proc.pid != 2}}");
    }
    let error = load(&(text + &rule("m0"))).unwrap_err();
    assert!(error.contains("more than 64 macros"), "{error}");
}

#[test]
fn lists_that_double_each_other() {
    let mut text = "- list: l0\n  items: [a, b]\n".to_owned();
    for number in 1..200 {
        let inner = number - 1;
        let _ = writeln!(text, "- list: l{number}\n  items: [l{inner}, l{inner}]");
    }
    let error = load(&(text + &rule("proc.name in (l199)"))).unwrap_err();
    assert!(error.contains("more than 2000000 values"), "{error}");
}

#[test]
fn aliases_that_double_each_other() {
    let mut text = "- &a0 [x, x]\n".to_owned();
    for number in 1..40 {
        let inner = number - 1;
        let _ = writeln!(text, "- &a{number} [*a{inner}, *a{inner}]");
    }
    assert!(load(&text).is_err());
}

#[test]
fn an_expression_that_is_slow_elsewhere() {
    let engine = Engine::compile(load(&rule("proc.args regex \"(a+)+b\"")).unwrap());
    let start = Instant::now();
    assert!(!matches(&engine, &["nc".to_owned(), "a".repeat(1 << 20)]));
    assert!(start.elapsed() < Duration::from_secs(20), "took {:?}", start.elapsed());
}

#[test]
fn an_expression_that_would_fill_the_memory() {
    let error = load(&rule("proc.args regex \"((a{1000}){1000}){1000}\"")).unwrap_err();
    assert!(error.contains("too large"), "{error}");
}

#[test]
fn a_command_line_of_a_mebibyte_and_bytes_that_are_not_text() {
    let engine = Engine::compile(load(&rule("proc.cmdline contains needle")).unwrap());
    let long = format!("{}\u{fffd}needle", "x".repeat(1 << 20));
    assert!(matches(&engine, &["nc".to_owned(), long]));
}

/// A few edits of a text: bytes cut out, doubled, or replaced by what means something in a rule file.
fn edited(text: &str, edits: &[(usize, u8, &str)]) -> String {
    let mut text = text.to_owned();
    for (place, action, word) in edits {
        let characters: Vec<(usize, char)> = text.char_indices().collect();
        let Some((at, character)) = characters.get(place % characters.len().max(1)).copied() else {
            break;
        };
        match action % 3 {
            0 => drop(text.drain(at..at + character.len_utf8())),
            1 => text.insert_str(at, word),
            _ => text.truncate(at),
        }
    }
    text
}

const FILE: &str = "- required_engine_version: 0.57.0
- list: shells
  items: [sh, bash, \"a b\"]
- macro: started
  condition: (evt.type in (execve, execveat))
- rule: Shell
  desc: A shell.
  condition: >
    started and proc.name in (shells) and
    not proc.aname[2] = \"x y\"
  output: shell | %proc.cmdline %5proc.name %tolower(proc.exe)
  priority: NOTICE
  tags: [container, T1059]
  exceptions:
    - name: known
      fields: [proc.pname, proc.args]
      comps: [=, startswith]
      values: [[cron, -c]]
- rule: Shell
  condition: and user.uid != 0
  override: {condition: append}
";

proptest! {
    #[test]
    fn any_damaged_file_is_loaded_or_refused(
        edits in prop::collection::vec(
            (any::<usize>(), any::<u8>(), prop::sample::select(vec![
                "(", ")", "\"", "'", "%", "[", "]", "{", "}", ":", "- ", "\n", "  ", "\t", "é", "\u{1F600}", "&a ", "*a",
                "|", ">", "not ", "!!int ", "\u{0}", "0x", ",", "=", "\\", "#", "? ",
            ])),
            1..6,
        )
    ) {
        let text = edited(FILE, &edits);
        if let Err(error) = load(&text) {
            prop_assert!(error.contains("error"), "{}", error);
        }
    }

    #[test]
    fn any_text_is_loaded_or_refused(text in any::<String>()) {
        let _ = load(&text);
    }
}
