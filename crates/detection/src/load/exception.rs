//! Exceptions: value tuples for which a rule does not hold.

use super::entries::Entries;
use super::yaml::{Node, Value};
use crate::condition::{
    Check, Comparison, Expression, ListOperator, Literal, Operator, Quantifier, Subject,
    parse_items, parse_list, parse_subject,
};
use crate::diagnostic::Report;
use crate::lower::{Problem, used};
use crate::source::{LocatedText, Text};

/// An exception as written.
#[derive(Clone, Debug)]
pub(super) struct Exception {
    pub name: Text,
    pub fields: Option<OneOrMany>,
    pub comparisons: Option<OneOrMany>,
    pub values: Vec<Node>,
}

#[derive(Clone, Debug)]
pub(super) enum OneOrMany {
    One(Text),
    Many(Vec<Text>),
}

/// Reads an exception. One that adds values to an earlier one needs no fields.
pub(super) fn read(node: &Node, overriding: bool, report: &mut Report<'_>) -> Option<Exception> {
    let entries = Entries::of(node, "an exception", report)?;
    entries.refuse_unknown_keys(&["name", "fields", "comps", "values"], report);
    let Some(name) = entries.text("name", report) else {
        if !entries.has("name") {
            report.error(entries.place, "an exception needs a `name`");
        }
        return None;
    };
    let fields = one_or_many(&entries, "fields", report);
    if fields.is_none() && !overriding {
        report.error(name.place, format!("the exception `{}` needs `fields`", name.value));
        return None;
    }
    let comparisons = one_or_many(&entries, "comps", report);
    let values = entries.sequence("values", report).unwrap_or_default().to_vec();
    Some(Exception { name, fields, comparisons, values })
}

fn one_or_many(entries: &Entries<'_>, key: &str, report: &mut Report<'_>) -> Option<OneOrMany> {
    match &entries.node(key)?.value {
        Value::Sequence(_) => entries.texts(key, report).map(OneOrMany::Many),
        _ => entries.text(key, report).map(OneOrMany::One),
    }
}

/// Looks its fields up, also where it has no values yet.
pub(super) fn check_fields(
    exception: &Exception,
    report: &mut Report<'_>,
    problems: &mut Vec<Problem>,
) {
    let fields = match &exception.fields {
        None => &[],
        Some(OneOrMany::One(field)) => std::slice::from_ref(field),
        Some(OneOrMany::Many(fields)) => fields.as_slice(),
    };
    for field in fields {
        if let Some(subject) = subject(field, report) {
            problems.extend(used(&subject, report).err());
        }
    }
}

/// How an exception compares a field.
#[derive(Clone, Copy)]
enum Comparator {
    Value(Operator),
    Quantified(Operator, Quantifier),
    List(ListOperator),
}

impl Comparator {
    fn named(text: &str) -> Option<Self> {
        let list = ListOperator::ALL.into_iter().find(|operator| operator.spelling() == text);
        if let Some(operator) = list {
            return Some(Self::List(operator));
        }
        let mut words = text.split_whitespace();
        let word = words.next()?;
        let spelled = |operator: &Operator| {
            operator.spelling() == word || word == "==" && *operator == Operator::Equal
        };
        let operator = Operator::ALL.into_iter().find(spelled)?;
        let Some(word) = words.next() else {
            return Some(Self::Value(operator));
        };
        let quantifier = Quantifier::ALL.into_iter().find(|known| known.spelling() == word)?;
        words.next().is_none().then_some(Self::Quantified(operator, quantifier))
    }
}

/// The condition under which the exception applies. None where it has no values.
pub(super) fn condition(exception: &Exception, report: &mut Report<'_>) -> Option<Expression> {
    match exception.fields.as_ref()? {
        OneOrMany::One(field) => of_one_field(exception, field, report),
        OneOrMany::Many(fields) => of_many_fields(exception, fields, report),
    }
}

/// `field in (value, …)`.
fn of_one_field(
    exception: &Exception,
    field: &Text,
    report: &mut Report<'_>,
) -> Option<Expression> {
    let comparator = match &exception.comparisons {
        None => Comparator::List(ListOperator::In),
        Some(OneOrMany::One(text)) => comparator(text, report)?,
        Some(OneOrMany::Many(_)) => {
            report.error(
                exception.name.place,
                "`fields` and `comps` must both be single or both be lists",
            );
            return None;
        }
    };
    let subject = subject(field, report)?;
    let mut values = Vec::new();
    for node in &exception.values {
        match node.scalar() {
            Some(text) => values.extend(literals(&text, report)),
            None => {
                report.error(
                    node.place,
                    format!(
                        "the exception has one field, so a value is single, not {}",
                        node.kind()
                    ),
                );
            }
        }
    }
    if values.is_empty() {
        return None;
    }
    match comparator {
        Comparator::Value(operator) => {
            let message = format!(
                "an exception of one field compares with a list, `{}` does not",
                operator.spelling()
            );
            report.error(exception.name.place, message).help("use in, intersects or pmatch");
            None
        }
        _ => Some(check(subject, comparator, values)),
    }
}

/// `(field = value and …) or …`, a conjunction for each tuple of values.
fn of_many_fields(
    exception: &Exception,
    fields: &[Text],
    report: &mut Report<'_>,
) -> Option<Expression> {
    let comparators = comparators(exception, fields, report)?;
    let mut tuples = Vec::new();
    for node in &exception.values {
        let values = match &node.value {
            Value::Sequence(values) if values.len() == fields.len() => values,
            Value::Sequence(values) => {
                let message = format!(
                    "{} fields need {} values, here are {}",
                    fields.len(),
                    fields.len(),
                    values.len()
                );
                report.error(node.place, message);
                continue;
            }
            _ => {
                report.error(
                    node.place,
                    format!("the exception has {} fields, so a value is a list", fields.len()),
                );
                continue;
            }
        };
        let mut checks = Vec::new();
        for ((field, comparator), value) in fields.iter().zip(&comparators).zip(values) {
            let values = tuple_values(*comparator, value, report);
            checks.push(check(subject(field, report)?, *comparator, values));
        }
        tuples.push(Expression::And(checks));
    }
    (!tuples.is_empty()).then_some(Expression::Or(tuples))
}

fn comparators(
    exception: &Exception,
    fields: &[Text],
    report: &mut Report<'_>,
) -> Option<Vec<Comparator>> {
    match &exception.comparisons {
        None => Some(vec![Comparator::Value(Operator::Equal); fields.len()]),
        Some(OneOrMany::Many(texts)) if texts.len() == fields.len() => {
            texts.iter().map(|text| comparator(text, report)).collect()
        }
        Some(_) => {
            report.error(exception.name.place, "`comps` needs as many entries as `fields`");
            None
        }
    }
}

fn comparator(text: &Text, report: &mut Report<'_>) -> Option<Comparator> {
    let comparator = Comparator::named(&text.value);
    if comparator.is_none() {
        let names = crate::condition::operator_spellings();
        report
            .error(text.place, format!("there is no operator `{}`", text.value))
            .suggest(&text.value, names);
    }
    comparator
}

/// The values that one field of a tuple is compared with.
fn tuple_values(comparator: Comparator, node: &Node, report: &mut Report<'_>) -> Vec<Literal> {
    match (&node.value, comparator) {
        (Value::Sequence(items), _) => {
            items.iter().filter_map(Node::scalar).flat_map(|text| literals(&text, report)).collect()
        }
        (_, Comparator::Value(_)) => node.scalar().map(single).into_iter().collect(),
        _ => node.scalar().map(|text| literals(&text, report)).unwrap_or_default(),
    }
}

/// A value of the language, quoted or bare; whatever does not read as one is taken as it is.
fn single(text: Text) -> Literal {
    let mut values = parse_items(&LocatedText::detached(&text.value)).unwrap_or_default();
    match values.pop() {
        Some(value) if values.is_empty() => Literal { place: text.place, ..value },
        _ => Literal { text: text.value, quoted: true, place: text.place },
    }
}

/// A value, several values between commas, or a list in parentheses.
fn literals(text: &Text, report: &Report<'_>) -> Vec<Literal> {
    let located = LocatedText::of_scalar(&text.value, text.place, report.file_text(text.place));
    let parse = if text.value.starts_with('(') { parse_list } else { parse_items };
    parse(&located).unwrap_or_else(|_| vec![single(text.clone())])
}

fn subject(field: &Text, report: &mut Report<'_>) -> Option<Subject> {
    let located = LocatedText::of_scalar(&field.value, field.place, report.file_text(field.place));
    match parse_subject(&located) {
        Ok(subject) => Some(subject),
        Err(error) => {
            report.error(error.place, error.message);
            None
        }
    }
}

fn check(subject: Subject, comparator: Comparator, mut values: Vec<Literal>) -> Expression {
    let place = subject.place;
    let comparison = match comparator {
        Comparator::List(operator) => Comparison::List(operator, values),
        Comparator::Quantified(operator, quantifier) => {
            Comparison::Quantified(operator, quantifier, values)
        }
        Comparator::Value(operator) if values.len() == 1 => {
            Comparison::Value(operator, values.remove(0))
        }
        Comparator::Value(operator) => Comparison::Quantified(operator, Quantifier::Any, values),
    };
    Expression::Check(Check { subject, comparison, place })
}
