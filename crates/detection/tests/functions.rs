//! Functions of fields: transformers, `concat`, `join`, `getopt`, `val`, arguments by their place.

use detection::{Engine, RuleSet, SourceFile};
use rule_cases::Case;
use std::collections::BTreeSet;

fn load(condition: &str, output: &str) -> Result<Engine, String> {
    let text = format!(
        "- rule: R\n  desc: D.\n  condition: >\n    {condition}\n  output: >-\n    {output}\n  priority: NOTICE\n"
    );
    let rules = RuleSet::load(&[SourceFile { name: "r.yaml", text: &text }]);
    rules.map(Engine::compile).map_err(|error| error.to_string())
}

fn engine(condition: &str) -> Engine {
    load(condition, "O").unwrap_or_else(|error| panic!("{error}"))
}

const NETCAT: &str = "{what: a test, process: {path: /usr/bin/nc, arguments: [nc, -le, /bin/sh, -p, '4444', aGVsbG8=]}, \
                      ancestors: [{path: /usr/bin/nc}, {path: /usr/bin/bash}]}";

fn case(text: &str) -> Case {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}"))
}

fn matches(case: &Case, condition: &str) -> bool {
    let engine = engine(condition);
    case.scene().with_act(true, |act| engine.evaluate(act).next().is_some())
}

fn check(text: &str, holding: &[&str], failing: &[&str]) {
    let case = case(text);
    for condition in holding {
        assert!(matches(&case, condition), "does not hold: {condition}");
    }
    for condition in failing {
        assert!(!matches(&case, condition), "holds: {condition}");
    }
}

#[test]
fn a_field_is_compared_with_another_one() {
    check(
        NETCAT,
        &[
            "proc.name = val(proc.pname)",
            "proc.exepath endswith val(proc.name)",
            "proc.pid >= val(proc.ppid)",
            "proc.name != val(proc.aname[2])",
            "proc.aname = val(proc.name)",
            "toupper(proc.name) = toupper(proc.pname)",
            "proc.exepath icontains tolower(proc.name)",
        ],
        &[
            "proc.name = val(proc.aname[2])",
            "proc.name != val(proc.pname)",
            "proc.name = val(container.image)",
            "proc.name != val(container.image)",
            "proc.pid < val(proc.ppid)",
            "not proc.name = val(proc.pname)",
        ],
    );
}

#[test]
fn fields_and_texts_are_put_together() {
    check(
        NETCAT,
        &[
            "concat(proc.name, \":\", proc.pname) = \"nc:nc\"",
            "concat(proc.aname[1], \">\", proc.aname[2]) in (\"nc>bash\", x)",
            "toupper(concat(proc.name, \"-\")) = NC-",
            "concat(\"/\", tolower(proc.name)) startswith /n",
            "join(\"->\", proc.name, proc.pname) = \"nc->nc\"",
            "not concat(proc.name, container.image) exists",
        ],
        &["concat(proc.name, container.image) != x", "concat(proc.name, \"x\") = nc"],
    );
    let named = "{what: a test, process: {path: /bin/a}, dns: {names: [a.example, b.example]}}";
    check(
        named,
        &[
            "join(\", \", dns.question.name) = \"a.example, b.example\"",
            "len(dns.question.name) = 2",
        ],
        &["len(dns.question.name) = 9"],
    );
}

#[test]
fn options_of_a_command_line_are_found() {
    check(
        NETCAT,
        &[
            "getopt(proc.args, \"le:p:\") intersects (l, x)",
            "getopt(proc.args, \"le:p:\") in (l, e, p)",
            "getopt(proc.args, \"le:p:\")[e] = /bin/sh",
            "getopt(proc.args, \"le:p:\")[p] = \"4444\"",
            "getopt(proc.args, \"le:p:\")[l] exists",
        ],
        &[
            "getopt(proc.args, \"p:\") intersects (e)",
            "getopt(proc.args, \"le:p:\")[x] exists",
            "getopt(proc.args, \"le:p:\") in (l, e)",
        ],
    );
}

#[test]
fn what_stands_in_base64_is_decoded() {
    let encoded =
        "{what: a test, process: {path: /bin/aGVsbG8=, name: d2hvYW1p, arguments: [x, '!']}}";
    check(
        encoded,
        &[
            "b64(proc.name) = whoami",
            "b64(basename(proc.exepath)) = hello",
            "len(b64(proc.name)) = 6",
        ],
        &["b64(proc.args) exists", "b64(proc.args) != x"],
    );
}

#[test]
fn an_argument_is_told_by_its_place() {
    let chmod = "{what: a test, process: {path: /bin/chmod}, file: {act: chmod, path: /tmp/x, mode: 0o100755, error: 0}}";
    check(
        chmod,
        &["evt.type = chmod and evt.arg[1] contains S_IXUSR and evt.arg[2] = SUCCESS"],
        &["evt.arg[3] exists"],
    );
    let ptrace = "{what: a test, process: {path: /bin/a}, system: {act: ptrace, arguments: {request: PTRACE_ATTACH}}}";
    check(ptrace, &["evt.arg[0] = PTRACE_ATTACH"], &["evt.arg[1] exists"]);
}

#[test]
fn an_output_prints_what_a_condition_compares() {
    let engine = load(
        "proc.name = nc",
        "%concat(proc.name, \":\", proc.pname) %getopt(proc.args, \"p:\")[p] %b64(proc.name)",
    );
    let engine = engine.unwrap_or_else(|error| panic!("{error}"));
    let message = case(NETCAT).scene().with_act(true, |act| {
        engine.evaluate(act).next().map(|matched| matched.message().to_owned())
    });
    assert_eq!(message.as_deref(), Some("nc:nc 4444 <NA>"));
}

#[test]
fn a_function_that_is_misused_is_an_error_that_says_how_it_is_used() {
    for (condition, reason) in [
        ("concat(\"a\", \"b\") = ab", "is given no field"),
        ("join(proc.name, proc.pname) = x", "`join` takes one text"),
        ("getopt(proc.args) = x", "`getopt` takes a field and the letters"),
        ("getopt(proc.args, \"a\")[long] = x", "`long` is no letter"),
        ("concat(proc.name, proc.pname)[1] = x", "nothing in brackets"),
        ("concat(proc.nme, \"a\") = x", "there is no field `proc.nme`"),
        ("proc.name = val(proc.pid)", "can't compare a text with a number"),
        ("proc.name > val(proc.pname)", "can't compare a text with a text"),
        ("proc.name = vall(proc.pname)", "there is no transformer `vall`"),
        ("proc.name = val(ka.verb)", "is told of audit events"),
        ("concat(proc.name, proc.pname = x", "expected `)`"),
    ] {
        let error = load(condition, "O").map(|_| ()).expect_err(condition);
        assert!(error.contains(reason), "{condition}: {error}");
    }
    let deep = format!("{}proc.name{} = x", "concat(".repeat(100_000), ")".repeat(100_000));
    assert!(load(&deep, "O").map(|_| ()).unwrap_err().contains("nested more than 8 levels"));
}

#[test]
fn a_rule_asks_for_all_the_fields_of_its_functions() {
    let engine = engine("proc.name = val(proc.env) or concat(proc.cwd, \"x\") = y");
    let fields: BTreeSet<&str> =
        engine.rules()[0].fields().iter().map(|field| field.name).collect();
    assert_eq!(fields, BTreeSet::from(["proc.name", "proc.env", "proc.cwd"]));
    assert!(engine.wants_environment());
}
