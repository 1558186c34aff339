use super::token::is_reserved;
use super::{DEEPEST, parse};
use crate::condition::{
    Call, CallPart, Check, Comparison, Expression, Function, ListOperator, Literal, Name, Operator,
    Quantifier, Subject, Transformer,
};
use crate::source::{LocatedText, Place};
use proptest::prelude::*;

fn parsed(text: &str) -> Expression {
    let located = LocatedText::detached(text);
    parse(&located).unwrap_or_else(|error| panic!("{text}: {}", error.message))
}

/// The same expression, standing nowhere.
fn without_places(expression: Expression) -> Expression {
    let parts = |parts: Vec<Expression>| parts.into_iter().map(without_places).collect();
    match expression {
        Expression::And(inner) => Expression::And(parts(inner)),
        Expression::Or(inner) => Expression::Or(parts(inner)),
        Expression::Not(inner) => Expression::Not(Box::new(without_places(*inner))),
        Expression::Macro(name) => Expression::Macro(Name { place: Place::default(), ..name }),
        Expression::Check(check) => Expression::Check(Check {
            subject: subject_without_places(check.subject),
            comparison: comparison_without_places(check.comparison),
            place: Place::default(),
        }),
    }
}

fn subject_without_places(mut subject: Subject) -> Subject {
    subject.place = Place::default();
    for part in subject.call.iter_mut().flat_map(|call| &mut call.parts) {
        if let CallPart::Subject(inner) = part {
            *inner = subject_without_places(inner.clone());
        }
    }
    subject
}

fn comparison_without_places(comparison: Comparison) -> Comparison {
    let nowhere = |literal: Literal| Literal { place: Place::default(), ..literal };
    let all = |literals: Vec<Literal>| literals.into_iter().map(nowhere).collect();
    match comparison {
        Comparison::Exists => Comparison::Exists,
        Comparison::Value(operator, literal) => Comparison::Value(operator, nowhere(literal)),
        Comparison::Quantified(operator, quantifier, literals) => {
            Comparison::Quantified(operator, quantifier, all(literals))
        }
        Comparison::List(operator, literals) => Comparison::List(operator, all(literals)),
        Comparison::Field(operator, other) => {
            Comparison::Field(operator, subject_without_places(other))
        }
    }
}

#[test]
fn and_binds_closer_than_or_and_not_closest() {
    let printed = parsed("a or not b and c or d").to_string();
    assert_eq!(printed, "a or ((not b) and c) or d");
}

#[test]
fn blanks_are_needed_only_where_words_would_run_together() {
    let spread = parsed("( proc.name = nc  and\n\tnot ( evt.dir = < ) )");
    let tight = parsed("(proc.name=nc and not(evt.dir=<))");
    assert_eq!(spread.to_string(), tight.to_string());
    assert_eq!(parsed("a and(b)or(c)").to_string(), "(a and b) or c");
    assert_eq!(parsed("proc.name in(a,b)").to_string(), "proc.name in (a, b)");
}

#[test]
fn values_are_quoted_or_bare() {
    let printed = |text: &str| parsed(text).to_string();
    assert_eq!(
        printed("proc.cmdline contains \"a \\\"b\\\" \\\\\""),
        "proc.cmdline contains \"a \\\"b\\\" \\\\\""
    );
    assert_eq!(printed("proc.cmdline = 'sh -c'"), "proc.cmdline = \"sh -c\"");
    assert_eq!(printed("proc.exepath = /bin/a-b.c:[x]"), "proc.exepath = /bin/a-b.c:[x]");
    assert_eq!(printed("proc.name = \"\\x41\""), "proc.name = \"A\"");
    assert_eq!(printed("proc.name == nc"), "proc.name = nc");
}

#[test]
fn words_that_mean_something_elsewhere_can_be_values() {
    assert_eq!(
        parsed("proc.name = in and proc.name = exists").to_string(),
        "proc.name = in and proc.name = exists"
    );
    assert_eq!(parsed("proc.name = anyof and a").to_string(), "proc.name = anyof and a");
    assert_eq!(parsed("proc.name = anyof (a, b)").to_string(), "proc.name = anyof (a, b)");
    assert_eq!(parsed("android or order or nothing").to_string(), "android or order or nothing");
}

#[test]
fn fields_have_arguments_and_transformers() {
    assert_eq!(parsed("proc.aname[2] = sshd").to_string(), "proc.aname[2] = sshd");
    assert_eq!(
        parsed("k8s.pod.label[\"a b\"] exists").to_string(),
        "k8s.pod.label[\"a b\"] exists"
    );
    let nested = parsed("tolower( basename(proc.exepath) ) = nc");
    assert_eq!(nested.to_string(), "tolower(basename(proc.exepath)) = nc");
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}proc.name = a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&LocatedText::detached(&nested(DEEPEST))).is_ok());
    let error = parse(&LocatedText::detached(&nested(100_000))).unwrap_err();
    assert!(error.message.contains("levels deep"), "{error:?}");
    let negated = "not ".repeat(100_000) + "proc.name = a";
    assert!(parse(&LocatedText::detached(&negated)).is_ok());
}

fn literal_strategy() -> impl Strategy<Value = Literal> {
    let bare = "[a-zA-Z0-9_/.*:<>!-]{1,8}".prop_filter("a quantifier", |text| {
        Quantifier::ALL.iter().all(|known| known.spelling() != text)
    });
    let quoted = any::<String>();
    prop_oneof![
        bare.prop_map(|text| Literal { text, quoted: false, place: Place::default() }),
        quoted.prop_map(|text| Literal { text, quoted: true, place: Place::default() }),
    ]
}

fn subject_strategy() -> impl Strategy<Value = Subject> {
    let transformers = prop::collection::vec(prop::sample::select(&Transformer::ALL[..]), 0..3);
    let argument = prop::option::of("[a-z0-9./]{1,5}|[a-z \\\\\"]{0,4}");
    (transformers, "[a-z][a-z0-9_]{0,4}(\\.[a-z][a-z0-9_]{0,4}){1,3}", argument).prop_map(
        |(transformers, field, argument)| Subject {
            transformers,
            field,
            argument,
            call: None,
            place: Place::default(),
        },
    )
}

fn call_strategy() -> impl Strategy<Value = Subject> {
    let part = prop_oneof![
        any::<String>().prop_map(CallPart::Text),
        subject_strategy().prop_map(CallPart::Subject),
    ];
    let parts = prop::collection::vec(part, 1..4);
    let function = prop::sample::select(&Function::ALL[..]);
    (function, parts, subject_strategy()).prop_map(|(function, parts, like)| Subject {
        field: String::new(),
        call: Some(Box::new(Call { function, parts })),
        ..like
    })
}

fn comparison_strategy() -> impl Strategy<Value = Comparison> {
    let operator = || prop::sample::select(&Operator::ALL[..]);
    let quantifier = prop::sample::select(&Quantifier::ALL[..]);
    let list_operator = prop::sample::select(&ListOperator::ALL[..]);
    let literals = || prop::collection::vec(literal_strategy(), 0..4);
    prop_oneof![
        Just(Comparison::Exists),
        (operator(), literal_strategy())
            .prop_map(|(operator, literal)| Comparison::Value(operator, literal)),
        (operator(), quantifier, literals()).prop_map(|(operator, quantifier, literals)| {
            Comparison::Quantified(operator, quantifier, literals)
        }),
        (list_operator, literals())
            .prop_map(|(operator, literals)| Comparison::List(operator, literals)),
        (operator(), subject_strategy())
            .prop_map(|(operator, other)| Comparison::Field(operator, other)),
    ]
}

fn expression_strategy() -> impl Strategy<Value = Expression> {
    let subject = prop_oneof![4 => subject_strategy(), 1 => call_strategy()];
    let check = (subject, comparison_strategy()).prop_map(|(subject, comparison)| {
        Expression::Check(Check { subject, comparison, place: Place::default() })
    });
    let name = "[a-z][a-z0-9_]{0,6}"
        .prop_filter("a reserved word", |name| !is_reserved(name))
        .prop_map(|text| Expression::Macro(Name { text, place: Place::default() }));
    prop_oneof![3 => check, 1 => name].prop_recursive(5, 48, 4, |inner| {
        let parts = || prop::collection::vec(inner.clone(), 2..5);
        prop_oneof![
            parts().prop_map(Expression::And),
            parts().prop_map(Expression::Or),
            inner.prop_map(|part| Expression::Not(Box::new(part))),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = parse(&LocatedText::detached(&text));
    }

    #[test]
    fn any_text_of_the_language_s_words_is_read_or_refused(
        words in prop::collection::vec(prop::sample::select(vec![
            "proc.name", "evt.type", "and", "or", "not", "(", ")", "=", "!=", "in", "exists", "anyof", "\"a b\"", "'",
            "[", "]", "1", ",", "tolower(", "concat(", "join(", "getopt(", "val(", "startswith", "é", "\\", "\n", " ", "<", "x",
        ]), 0..24)
    ) {
        let _ = parse(&LocatedText::detached(&words.concat()));
        let _ = parse(&LocatedText::detached(&words.join(" ")));
    }

    #[test]
    fn what_is_printed_reads_as_the_same_condition(expression in expression_strategy()) {
        let printed = expression.to_string();
        let read = parse(&LocatedText::detached(&printed));
        prop_assert_eq!(read.map(without_places), Ok(expression), "{}", printed);
    }
}
