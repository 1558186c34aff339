//! The engine against an evaluator that is written as plainly as the language's description.

use super::Engine;
use crate::condition::{
    Check, Comparison, Expression, ListOperator, Literal, Operator, Quantifier, Subject,
    Transformer,
};
use crate::source::Place;
use crate::{Act, EventType, RuleSet, SourceFile};
use event_model::{
    Container, ContainerId, Credentials, Event, EventKind, Executable, ExitStatus, FileAct, Host,
    Process, ProcessKey, ProcessRef, Timestamp,
};
use proptest::prelude::*;
use std::fmt::Write as _;

/// Everything an act refers to, owned.
#[derive(Clone, Debug)]
struct Scene {
    event: Event,
    process: Process,
    ancestors: Vec<Process>,
    container: Option<Container>,
    host: Host,
}

impl Scene {
    fn matches(&self, engine: &Engine) -> Vec<String> {
        let ancestors: Vec<&Process> = self.ancestors.iter().collect();
        let act = self.act(&ancestors);
        engine.evaluate(&act).map(|matched| matched.rule().name().to_owned()).collect()
    }

    fn act<'a>(&'a self, ancestors: &'a [&'a Process]) -> Act<'a> {
        Act {
            event: &self.event,
            process: &self.process,
            ancestors,
            container: self.container.as_ref(),
            host: &self.host,
            remote_name: None,
            is_on_sensor: false,
            environment: None,
            login_name: None,
            group_name: None,
        }
    }
}

/// A field's values as text; none where it is missing.
fn values(scene: &Scene, subject: &Subject) -> Vec<String> {
    let one = |value: &str| vec![value.to_owned()];
    let name_of =
        |generation: usize| scene.ancestors.get(generation - 1).map(|process| process.name.clone());
    let process = &scene.process;
    let plain = match (subject.field.as_str(), subject.argument.as_deref()) {
        ("proc.name", _) => one(&process.name),
        ("proc.args", _) => one(&process.arguments[1..].join(" ")),
        ("proc.exepath", _) => one(&process.executable.path),
        ("proc.pid", _) => one(&process.reference.key.pid.to_string()),
        ("user.uid", _) => one(&process.credentials.uid.to_string()),
        ("proc.is_exe_upper_layer", _) => {
            one(if process.executable.upper_layer { "true" } else { "false" })
        }
        ("proc.pname", _) => name_of(1).into_iter().collect(),
        ("proc.aname", Some(generation)) => {
            name_of(generation.parse().unwrap()).into_iter().collect()
        }
        ("proc.aname", None) => {
            scene.ancestors.iter().map(|process| process.name.clone()).collect()
        }
        ("container.id", _) => match &scene.process.container {
            Some(id) => one(&id.0[..12]),
            None => one("host"),
        },
        ("container.image", _) => {
            scene.container.iter().filter_map(|container| container.image.clone()).collect()
        }
        other => panic!("no plain value for {other:?}"),
    };
    plain.into_iter().map(|value| transform(value, &subject.transformers)).collect()
}

fn transform(value: String, transformers: &[Transformer]) -> String {
    transformers.iter().rev().fold(value, |value, transformer| match transformer {
        Transformer::Lower => value.to_ascii_lowercase(),
        Transformer::Upper => value.to_ascii_uppercase(),
        Transformer::Basename => value.split('/').next_back().unwrap().to_owned(),
        Transformer::Length => value.len().to_string(),
        Transformer::Base64 => panic!("not asked"),
    })
}

fn holds(scene: &Scene, expression: &Expression) -> bool {
    match expression {
        Expression::And(parts) => parts.iter().all(|part| holds(scene, part)),
        Expression::Or(parts) => parts.iter().any(|part| holds(scene, part)),
        Expression::Not(part) => !holds(scene, part),
        Expression::Macro(name) => panic!("no macro {}", name.text),
        Expression::Check(check) if check.subject.field == "evt.type" => {
            is_of_type(type_names(&scene.event.kind), &check.comparison)
        }
        Expression::Check(check) => {
            values(scene, &check.subject).iter().any(|value| compares(value, &check.comparison))
        }
    }
}

/// The names of an event's type; calls that do the same are one.
fn type_names(kind: &EventKind) -> &'static [&'static str] {
    match kind {
        EventKind::Exec => &["execve", "execveat"],
        EventKind::Fork { .. } => &["clone", "clone3", "fork", "vfork"],
        EventKind::Exit(_) => &["procexit", "exit", "exit_group"],
        EventKind::File(event) if event.act == FileAct::Open => {
            &["open", "openat", "openat2", "creat", "open_by_handle_at"]
        }
        other => panic!("not asked: {other:?}"),
    }
}

fn is_of_type(names: &[&str], comparison: &Comparison) -> bool {
    match comparison {
        Comparison::Value(Operator::NotEqual, literal) => !names.contains(&literal.text.as_str()),
        comparison => names.iter().any(|name| compares(name, comparison)),
    }
}

fn compares(value: &str, comparison: &Comparison) -> bool {
    match comparison {
        Comparison::Exists => true,
        Comparison::Field(..) => panic!("not asked"),
        Comparison::Value(operator, literal) => operates(value, *operator, &literal.text),
        Comparison::Quantified(operator, quantifier, literals) => {
            let count =
                literals.iter().filter(|literal| operates(value, *operator, &literal.text)).count();
            match quantifier {
                Quantifier::ExactlyOne => count == 1,
                Quantifier::Any => count > 0,
                Quantifier::All => count == literals.len() && count > 0,
            }
        }
        Comparison::List(ListOperator::PathMatch, literals) => literals.iter().any(|literal| {
            value == literal.text || value.starts_with(&format!("{}/", literal.text))
        }),
        Comparison::List(_, literals) => literals.iter().any(|literal| value == literal.text),
    }
}

fn operates(value: &str, operator: Operator, wanted: &str) -> bool {
    let numbers = || (value.parse::<i64>().unwrap(), wanted.parse::<i64>().unwrap());
    match operator {
        Operator::Equal => value == wanted,
        Operator::NotEqual => value != wanted,
        Operator::Less => numbers().0 < numbers().1,
        Operator::LessOrEqual => numbers().0 <= numbers().1,
        Operator::Greater => numbers().0 > numbers().1,
        Operator::GreaterOrEqual => numbers().0 >= numbers().1,
        Operator::Contains => value.contains(wanted),
        Operator::IContains => value.to_ascii_lowercase().contains(&wanted.to_ascii_lowercase()),
        Operator::StartsWith => value.starts_with(wanted),
        Operator::EndsWith => value.ends_with(wanted),
        other => panic!("not asked: {other:?}"),
    }
}

// Few words, so that fields and values often agree.
const WORDS: [&str; 7] = ["sh", "bash", "nc", "runc", "SH", "", "/bin/sh"];
const EVENT_TYPES: [&str; 5] = ["execve", "clone", "procexit", "openat", "read"];
const IDS: [&str; 2] = ["0123456789ab", "host"];

fn literal(words: &'static [&'static str]) -> impl Strategy<Value = Literal> {
    prop::sample::select(words).prop_map(|word| Literal {
        text: word.to_owned(),
        quoted: true,
        place: Place::default(),
    })
}

fn number() -> impl Strategy<Value = Literal> {
    (0..4_u8).prop_map(|number| Literal {
        text: number.to_string(),
        quoted: false,
        place: Place::default(),
    })
}

fn field(name: &'static str) -> Subject {
    Subject {
        transformers: Vec::new(),
        field: name.to_owned(),
        argument: None,
        call: None,
        place: Place::default(),
    }
}

fn text_subject() -> impl Strategy<Value = Subject> {
    let names =
        ["proc.name", "proc.args", "proc.exepath", "proc.pname", "proc.aname", "container.image"];
    let texts = [Transformer::Lower, Transformer::Upper, Transformer::Basename];
    let transformers = prop::collection::vec(prop::sample::select(texts.to_vec()), 0..2);
    let generation = prop::option::of(1..4_u8);
    (prop::sample::select(names.to_vec()), transformers, generation).prop_map(
        |(name, transformers, generation)| {
            let argument =
                generation.filter(|_| name == "proc.aname").map(|number| number.to_string());
            Subject { transformers, argument, ..field(name) }
        },
    )
}

fn text_comparison(words: &'static [&'static str]) -> impl Strategy<Value = Comparison> {
    let operators = [
        Operator::Equal,
        Operator::NotEqual,
        Operator::Contains,
        Operator::IContains,
        Operator::StartsWith,
        Operator::EndsWith,
    ];
    let operator = move || prop::sample::select(operators.to_vec());
    let literals = || prop::collection::vec(literal(words), 0..4);
    let list_operator = prop::sample::select(vec![ListOperator::In, ListOperator::Intersects]);
    prop_oneof![
        Just(Comparison::Exists),
        (operator(), literal(words))
            .prop_map(|(operator, literal)| Comparison::Value(operator, literal)),
        (list_operator, literals())
            .prop_map(|(operator, literals)| Comparison::List(operator, literals)),
        (operator(), prop::sample::select(&Quantifier::ALL[..]), literals()).prop_map(
            |(operator, quantifier, literals)| Comparison::Quantified(
                operator, quantifier, literals
            )
        ),
    ]
}

fn path_comparison() -> impl Strategy<Value = Comparison> {
    prop::collection::vec(literal(&["/bin", "/tmp", "sh"]), 1..3)
        .prop_map(|literals| Comparison::List(ListOperator::PathMatch, literals))
}

fn event_type_comparison() -> impl Strategy<Value = Comparison> {
    let operators =
        prop::sample::select(vec![Operator::Equal, Operator::NotEqual, Operator::StartsWith]);
    let literals = prop::collection::vec(literal(&EVENT_TYPES), 0..3);
    prop_oneof![
        (operators, literal(&EVENT_TYPES))
            .prop_map(|(operator, literal)| Comparison::Value(operator, literal)),
        literals.prop_map(|literals| Comparison::List(ListOperator::In, literals)),
    ]
}

fn number_comparison() -> impl Strategy<Value = Comparison> {
    let operators = [
        Operator::Equal,
        Operator::NotEqual,
        Operator::Less,
        Operator::LessOrEqual,
        Operator::Greater,
        Operator::GreaterOrEqual,
    ];
    let literals = prop::collection::vec(number(), 0..3);
    prop_oneof![
        (prop::sample::select(operators.to_vec()), number())
            .prop_map(|(operator, literal)| Comparison::Value(operator, literal)),
        literals.prop_map(|literals| Comparison::List(ListOperator::In, literals)),
    ]
}

fn number_subject() -> impl Strategy<Value = Subject> {
    let length = Subject { transformers: vec![Transformer::Length], ..field("proc.name") };
    prop::sample::select(vec![field("proc.pid"), field("user.uid"), length])
}

fn check() -> impl Strategy<Value = Expression> {
    let truth = prop::sample::select(vec!["true", "false"]).prop_map(|text| {
        let literal = Literal { text: text.to_owned(), quoted: false, place: Place::default() };
        Comparison::Value(Operator::Equal, literal)
    });
    let pair = prop_oneof![
        4 => (text_subject(), text_comparison(&WORDS)),
        1 => (text_subject(), path_comparison()),
        2 => (Just(field("evt.type")), event_type_comparison()),
        2 => (number_subject(), number_comparison()),
        1 => (Just(field("container.id")), text_comparison(&IDS)),
        1 => (Just(field("proc.is_exe_upper_layer")), truth),
    ];
    pair.prop_map(|(subject, comparison)| {
        Expression::Check(Check { subject, comparison, place: Place::default() })
    })
}

fn condition() -> impl Strategy<Value = Expression> {
    check().prop_recursive(5, 40, 4, |inner| {
        let parts = || prop::collection::vec(inner.clone(), 2..5);
        prop_oneof![
            parts().prop_map(Expression::And),
            parts().prop_map(Expression::Or),
            inner.prop_map(|part| Expression::Not(Box::new(part))),
        ]
    })
}

fn process() -> impl Strategy<Value = Process> {
    let word = || prop::sample::select(&WORDS[..]).prop_map(str::to_owned);
    let name = word().prop_filter("a process has a name", |name| !name.is_empty());
    let path = word().prop_filter("a program has a path", |path| !path.is_empty());
    (name, path, prop::collection::vec(word(), 1..4), 0..4_u32, 0..4_u32, any::<bool>()).prop_map(
        |(name, path, arguments, pid, uid, upper_layer)| Process {
            reference: ProcessRef { key: ProcessKey { pid, start_time: 1 }, generation: 0 },
            name,
            executable: Executable { path, upper_layer, ..Executable::default() },
            arguments,
            credentials: Credentials { uid, ..Credentials::default() },
            ..Process::default()
        },
    )
}

fn scene() -> impl Strategy<Value = Scene> {
    let kinds = vec![
        EventKind::Exec,
        EventKind::Fork { child: ProcessKey::default() },
        EventKind::Exit(ExitStatus::default()),
        EventKind::File(Box::default()),
    ];
    let container = prop::option::of(prop::option::of(prop::sample::select(&WORDS[1..3])));
    let ancestors = prop::collection::vec(process(), 0..4);
    (prop::sample::select(kinds), process(), ancestors, container, any::<bool>()).prop_map(
        |(kind, mut process, ancestors, container, known)| {
            let id = container.map(|_| ContainerId::from("0123456789abcdef"));
            process.container.clone_from(&id);
            let event = Event {
                time: Timestamp(0),
                process: process.reference,
                container: id.clone(),
                kind,
            };
            let container = container.filter(|_| known).map(|image| Container {
                id: id.unwrap_or_default(),
                image: image.map(str::to_owned),
                ..Container::default()
            });
            Scene { event, process, ancestors, container, host: Host::default() }
        },
    )
}

/// A rule file of one rule for each condition, the rule's name being the condition's place.
fn rule_file(conditions: &[Expression]) -> String {
    let mut text = String::new();
    for (index, condition) in conditions.iter().enumerate() {
        let condition = condition.to_string().replace('\'', "''");
        let keys = format!("rule: r{index}, desc: d, output: o, priority: INFO");
        let _ = writeln!(text, "- {{{keys}, condition: '{condition}'}}");
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_engine_agrees_with_the_plain_evaluator(
        conditions in prop::collection::vec(condition(), 1..12),
        scenes in prop::collection::vec(scene(), 1..12),
    ) {
        let text = rule_file(&conditions);
        let rules = RuleSet::load(&[SourceFile { name: "random.yaml", text: &text }]);
        let rules = rules.map_err(|error| TestCaseError::fail(format!("{text}\n{error}")))?;
        let engine = Engine::compile(rules);
        for scene in &scenes {
            let expected: Vec<String> = conditions
                .iter()
                .enumerate()
                .filter(|(_, condition)| holds(scene, condition))
                .map(|(index, _)| format!("r{index}"))
                .collect();
            prop_assert_eq!(scene.matches(&engine), expected, "{}\n{:#?}", text, scene);
        }
    }

    #[test]
    fn a_rule_s_event_types_hold_all_it_can_match(condition in condition(), scene in scene()) {
        let text = rule_file(&[condition]);
        let rules = RuleSet::load(&[SourceFile { name: "random.yaml", text: &text }]);
        let engine = Engine::compile(rules.map_err(|error| TestCaseError::fail(error.to_string()))?);
        if !scene.matches(&engine).is_empty() {
            prop_assert!(engine.event_types().contains(EventType::from(&scene.event.kind)));
        }
    }
}
