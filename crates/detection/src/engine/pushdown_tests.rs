//! What the engine asks the kernel to tell holds everything that rules can match: rules and acts at random.

use super::Engine;
use crate::{Act, EventType, RuleSet, SourceFile, WantedPaths};
use event_model::{Event, EventKind, FileAct, FileEvent, Host, Process, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::Cell;
use std::collections::BTreeSet;

/// With so many rules and acts each, a million pairs.
const CASES: u32 = 2_000;
const RULES: usize = 10;
const ACTS: usize = 50;

// Few, so that rules and acts often agree.
const PATHS: [&str; 9] = [
    "/etc/shadow",
    "/etc/ssh/key",
    "/etc",
    "/srv/data/a",
    "/srv/data.d/a",
    "/home/u/.history",
    "/key",
    "/x.so",
    "/",
];
const TEXTS: [&str; 12] = [
    "/etc/shadow",
    "/etc/",
    "/etc/ssh",
    "/srv/da",
    "/.history",
    "key",
    ".history",
    "a",
    ".so",
    "/",
    "shadow",
    "*/key",
];
const FIELDS: [&str; 16] = [
    "fd.name",
    "fd.directory",
    "fd.filename",
    "file.path",
    "file.other_path",
    "fs.path.name",
    "fs.path.source",
    "fs.path.target",
    "evt.arg.name",
    "evt.arg.path",
    "evt.arg.oldpath",
    "evt.arg.newpath",
    "evt.arg.linkpath",
    "evt.arg.filename",
    "basename(fd.name)",
    "tolower(file.path)",
];
const ACTS_ASKED: [FileAct; 7] = [
    FileAct::Open,
    FileAct::Rename,
    FileAct::Link,
    FileAct::Symlink,
    FileAct::Unlink,
    FileAct::Chmod,
    FileAct::Mkdir,
];

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(&TEXTS[..]).prop_map(|text| format!("\"{text}\""))
}

fn check() -> impl Strategy<Value = String> {
    let field = prop::sample::select(&FIELDS[..]);
    let operators = ["=", "!=", "startswith", "endswith", "contains", "icontains", "glob"];
    let operator = prop::sample::select(operators.to_vec());
    let of_list =
        prop::sample::select(vec!["in", "intersects", "pmatch", "startswith anyof", "= allof"]);
    prop_oneof![
        4 => (field.clone(), operator, text())
            .prop_map(|(field, operator, text)| format!("{field} {operator} {text}")),
        3 => (field, of_list, prop::collection::vec(text(), 1..4))
            .prop_map(|(field, operator, texts)| format!("{field} {operator} ({})", texts.join(", "))),
        2 => opened(),
        1 => Just("proc.name = sh".to_owned()),
        1 => prop::sample::select(&ACTS_ASKED[..]).prop_map(|act| format!("evt.type = {}", act.name())),
    ]
}

/// How a file was opened.
fn opened() -> impl Strategy<Value = String> {
    let fields = [
        "evt.is_open_write",
        "evt.is_open_read",
        "evt.is_open_create",
        "evt.is_open_exec",
        "file.created",
    ];
    (prop::sample::select(fields.to_vec()), prop::bool::weighted(0.7))
        .prop_map(|(field, truth)| format!("{field} = {truth}"))
}

fn condition() -> impl Strategy<Value = String> {
    check().prop_recursive(3, 12, 3, |inner| {
        let parts = || prop::collection::vec(inner.clone(), 2..5);
        prop_oneof![
            2 => parts().prop_map(|parts| format!("({})", parts.join(" and "))),
            1 => parts().prop_map(|parts| format!("({})", parts.join(" or "))),
            1 => inner.clone().prop_map(|part| format!("not ({part})")),
        ]
    })
}

/// A condition as rules have them: types of acts, how a file is opened, where it lies, and whatever else.
fn typed_condition() -> impl Strategy<Value = String> {
    let types = prop_oneof![
        Just(vec![FileAct::Open]),
        prop::sample::subsequence(ACTS_ASKED.to_vec(), 1..4),
    ];
    let places = ["fd.name", "file.path", "fd.directory", "fd.filename", "evt.arg.name"];
    let place = (prop::sample::select(places.to_vec()), prop::collection::vec(text(), 1..3))
        .prop_map(|(field, texts)| format!("{field} in ({})", texts.join(", ")));
    let opened = prop::collection::vec(opened(), 0..3);
    (types, opened, prop::option::of(place), prop::option::of(condition())).prop_map(
        |(types, opened, place, condition)| {
            let names: Vec<_> = types.iter().map(|act| act.name()).collect();
            let types = format!("evt.type in ({})", names.join(", "));
            let parts = std::iter::once(types).chain(opened).chain(place).chain(condition);
            parts.collect::<Vec<_>>().join(" and ")
        },
    )
}

fn act_on_a_file() -> impl Strategy<Value = FileEvent> {
    let path = || prop::sample::select(&PATHS[..]).prop_map(str::to_owned);
    (prop::sample::select(&ACTS_ASKED[..]), path(), path(), 0..3_u64, any::<bool>()).prop_map(
        |(act, path, other, access, created)| FileEvent {
            act,
            path,
            other_path: matches!(act, FileAct::Rename | FileAct::Link | FileAct::Symlink)
                .then_some(other),
            flags: if act == FileAct::Open { access } else { 0 },
            created: created && act == FileAct::Open,
            mode: if created { 0o755 } else { 0o644 },
            ..FileEvent::default()
        },
    )
}

/// Whether the kernel's programs tell of an act, as docs/sensor.md promises it of the patterns.
fn is_told(wanted: &WantedPaths, event: &FileEvent) -> bool {
    let names = |patterns: &BTreeSet<String>| {
        let paths = [Some(event.path.as_str()), event.other_path.as_deref()];
        paths.into_iter().flatten().any(|path| patterns.iter().any(|one| is_named(one, path)))
    };
    if event.act != FileAct::Open {
        return names(&wanted.read) || names(&wanted.write);
    }
    let to_write = event.opens_for_writing() || event.created;
    (event.opens_for_reading() && names(&wanted.read)) || (to_write && names(&wanted.write))
}

fn is_named(pattern: &str, path: &str) -> bool {
    if let Some(name) = pattern.strip_prefix("**/") {
        return path.rsplit('/').next() == Some(name);
    }
    match pattern.strip_suffix('/') {
        Some(directory) => path == directory || path.starts_with(pattern),
        None => path == pattern,
    }
}

/// A rule by itself: what others ask for must not hide what it forgot to.
fn compiled(condition: &str) -> Result<Engine, TestCaseError> {
    let text =
        format!("- {{rule: R, desc: d, output: o, priority: INFO, condition: '{condition}'}}\n");
    let rules = RuleSet::load(&[SourceFile { name: "random.yaml", text: &text }]);
    let rules = rules.map_err(|error| TestCaseError::fail(format!("{text}\n{error}")))?;
    Ok(Engine::compile(rules))
}

fn matches(engine: &Engine, file: &FileEvent) -> bool {
    let process = Process { name: "sh".to_owned(), ..Process::default() };
    let event = Event {
        time: Timestamp(0),
        process: process.reference,
        container: None,
        kind: EventKind::File(Box::new(file.clone())),
    };
    let host = Host::default();
    let act = Act {
        event: &event,
        process: &process,
        ancestors: &[],
        container: None,
        host: &host,
        remote_name: None,
        is_on_sensor: false,
        environment: None,
        login_name: None,
        group_name: None,
    };
    engine.evaluate(&act).next().is_some()
}

/// A rule whose condition is that of an act before: its own no act has.
fn compiled_as_a_step(condition: &str) -> Result<Engine, TestCaseError> {
    let text = format!(
        "- {{rule: R, desc: d, output: o, priority: INFO, condition: evt.type = execve and proc.name = none, \
         defender: {{after: [{{condition: '{condition}'}}], within: 1m, by: [proc.name]}}}}\n"
    );
    let rules = RuleSet::load(&[SourceFile { name: "random.yaml", text: &text }]);
    let rules = rules.map_err(|error| TestCaseError::fail(format!("{text}\n{error}")))?;
    Ok(Engine::compile(rules))
}

#[test]
fn no_act_that_is_a_step_of_a_sequence_is_kept_in_the_kernel() {
    let matched = Cell::new(0_u64);
    let config = Config { cases: CASES / 10, failure_persistence: None, ..Config::default() };
    let strategy = (
        prop::collection::vec(typed_condition(), RULES),
        prop::collection::vec(act_on_a_file(), ACTS),
    );
    let outcome = TestRunner::new(config).run(&strategy, |(conditions, acts)| {
        for condition in &conditions {
            // What the step matches is what the same condition matches as a rule's own.
            let (alone, engine) = (compiled(condition)?, compiled_as_a_step(condition)?);
            let wanted = engine.wanted_paths();
            for file in acts.iter().filter(|file| matches(&alone, file)) {
                matched.set(matched.get() + 1);
                let event_type = EventType::from(file.act);
                let bounded = wanted.unbounded.is_empty();
                let told = engine.wants(event_type)
                    && engine.looks_at(event_type)
                    && (!bounded || is_told(wanted, file));
                prop_assert!(told, "{condition}\nasks for {wanted:?}\nand matches {file:#?}");
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(matched.get() > 1_000, "{} acts matched", matched.get());
}

#[test]
fn no_act_that_a_rule_matches_is_kept_in_the_kernel() {
    let (pairs, matched) = (Cell::new(0_u64), Cell::new(0_u64));
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let strategy = (
        prop::collection::vec(typed_condition(), RULES),
        prop::collection::vec(act_on_a_file(), ACTS),
    );
    let outcome = TestRunner::new(config).run(&strategy, |(conditions, acts)| {
        for condition in &conditions {
            let engine = compiled(condition)?;
            let wanted = engine.wanted_paths();
            for file in &acts {
                pairs.set(pairs.get() + 1);
                if !matches(&engine, file) {
                    continue;
                }
                matched.set(matched.get() + 1);
                let bounded = wanted.unbounded.is_empty();
                let told =
                    engine.wants(EventType::from(file.act)) && (!bounded || is_told(wanted, file));
                prop_assert!(told, "{condition}\nasks for {wanted:?}\nand matches {file:#?}");
            }
        }
        Ok(())
    });
    println!(
        "shown: {} pairs of a rule and an act, {} matched, none kept in the kernel",
        pairs.get(),
        matched.get()
    );
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
