//! The left side of a comparison, or what an output prints: a field, or a function of several, with its transformers.

use super::Problem;
use super::comparison::{field_use, kind_after};
use crate::condition::{self, CallPart, Subject, Transformer};
use crate::diagnostic::{Report, Severity};
use crate::field::{Call, FieldUse, Function, Kind, Part};
use crate::source::Place;

/// A subject, looked up.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    pub field: FieldUse,
    /// The outermost first, as written.
    pub transformers: Vec<Transformer>,
    /// Of the values after the transformers.
    pub kind: Kind,
}

/// Looks a subject up.
pub(crate) fn used(subject: &Subject, report: &Report<'_>) -> Result<Used, Problem> {
    let mut field = match &subject.call {
        None => field_use(&subject.field, subject.argument.as_deref(), subject.place, report)?,
        Some(call) => of_call(subject, call, report)?,
    };
    let mut transformers = subject.transformers.clone();
    // The length of a list is how many values it has.
    if transformers.last() == Some(&Transformer::Length) && field.access.is_list() {
        transformers.pop();
        let written = format!("len({field})").into();
        let parts = [part(field, vec![])].into();
        field = FieldUse::of_call(Call { function: Function::Count, parts, written });
    }
    let kind = kind_after(&transformers, subject.place, field.kind(), report)?;
    Ok(Used { field, transformers, kind })
}

fn of_call(
    subject: &Subject,
    call: &condition::Call,
    report: &Report<'_>,
) -> Result<FieldUse, Problem> {
    let mut parts = vec![];
    for given in &call.parts {
        parts.push(match given {
            CallPart::Text(text) => Part::Text(text.as_str().into()),
            CallPart::Subject(subject) => {
                let Used { field, transformers, .. } = used(subject, report)?;
                part(field, transformers)
            }
        });
    }
    let wrong = |message: &str| problem(report, subject.place, message.to_owned());
    let function = match call.function {
        condition::Function::Concat => Function::Concat,
        condition::Function::Join => Function::Join(only_text(&mut parts).ok_or_else(|| {
            wrong(
                "`join` takes one text to put between, and fields: `join(\", \", ka.user.groups)`",
            )
        })?),
        condition::Function::Getopt => {
            let letters = only_text(&mut parts).filter(|_| parts.len() == 1).ok_or_else(|| {
                wrong("`getopt` takes a field and the letters of its options: `getopt(proc.args, \"le:\")`")
            })?;
            Function::Options { letters, chosen: chosen(subject, report)? }
        }
    };
    if subject.argument.is_some() && !matches!(function, Function::Options { .. }) {
        return Err(wrong("nothing in brackets can follow this function"));
    }
    if !parts.iter().any(|part| matches!(part, Part::Field { .. })) {
        return Err(wrong("the function is given no field"));
    }
    let written = Subject { transformers: vec![], ..subject.clone() }.to_string().into();
    Ok(FieldUse::of_call(Call { function, parts: parts.into(), written }))
}

fn part(field: FieldUse, transformers: Vec<Transformer>) -> Part {
    Part::Field { name: field.field.name, access: field.access, transformers: transformers.into() }
}

/// Takes the text out of the parts; none where there is not one.
fn only_text(parts: &mut Vec<Part>) -> Option<Box<str>> {
    let is_text = |part: &Part| matches!(part, Part::Text(_));
    let place = parts.iter().position(is_text)?;
    if parts.iter().filter(|part| is_text(part)).count() > 1 {
        return None;
    }
    match parts.remove(place) {
        Part::Text(text) => Some(text),
        Part::Field { .. } => None,
    }
}

/// The option in brackets.
fn chosen(subject: &Subject, report: &Report<'_>) -> Result<Option<char>, Problem> {
    let Some(written) = &subject.argument else { return Ok(None) };
    let mut letters = written.chars();
    if let (Some(letter), None) = (letters.next(), letters.next()) {
        return Ok(Some(letter));
    }
    let message = format!("`{written}` is no letter of an option");
    Err(problem(report, subject.place, message))
}

/// A comparison of two fields, as a field that is true where it holds.
pub(super) fn compared(
    left: Used,
    operator: condition::Operator,
    right: Used,
    written: String,
    place: Place,
    report: &Report<'_>,
) -> Result<FieldUse, Problem> {
    if !fits(left.kind, right.kind, operator) {
        let message = format!(
            "`{}` can't compare a {} with a {}",
            operator.spelling(),
            left.kind.name(),
            right.kind.name()
        );
        return Err(problem(report, place, message));
    }
    let parts = [part(left.field, left.transformers), part(right.field, right.transformers)].into();
    let function = Function::Compare(operator);
    Ok(FieldUse::of_call(Call { function, parts, written: written.into() }))
}

fn fits(left: Kind, right: Kind, operator: condition::Operator) -> bool {
    use condition::Operator as O;
    let is_text = |kind| matches!(kind, Kind::Text | Kind::EventType);
    let is_number = |kind| matches!(kind, Kind::Number | Kind::Time | Kind::Duration);
    let for_all = matches!(operator, O::Equal | O::NotEqual);
    if is_text(left) && is_text(right) {
        for_all || matches!(operator, O::Contains | O::IContains | O::StartsWith | O::EndsWith)
    } else if is_number(left) && is_number(right) {
        for_all || matches!(operator, O::Less | O::LessOrEqual | O::Greater | O::GreaterOrEqual)
    } else {
        for_all && left == right && left != Kind::Bytes
    }
}

fn problem(report: &Report<'_>, place: Place, message: String) -> Problem {
    Problem::new(report.diagnostic(Severity::Error, place, message))
}
