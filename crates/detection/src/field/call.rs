//! Values that are put together of others: `concat`, `join`, `getopt`, how many values a list has, and what `val` compares.

use super::access::{Access, Value};
use super::facts::Facts;
use super::{Field, Kind, Provider, fields};
use crate::EventType;
use crate::condition::{Operator, Transformer};
use crate::transform::transformed;
use std::sync::LazyLock;

/// A function of fields and texts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    pub function: Function,
    pub parts: Box<[Part]>,
    /// As rules write it.
    pub written: Box<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Function {
    /// One behind the other.
    Concat,
    /// With a text between them; of a list each value.
    Join(Box<str>),
    /// The options of a command line.
    Options { letters: Box<str>, chosen: Option<char> },
    /// How many values a list has.
    Count,
    /// Whether the first part compares so with the second.
    Compare(Operator),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Text(Box<str>),
    Field { name: &'static str, access: Access, transformers: Box<[Transformer]> },
}

/// What stands for a function where a field is asked for.
pub(crate) fn stand_in(function: &Function) -> &'static Field {
    static STAND_INS: LazyLock<[Field; 5]> = LazyLock::new(|| {
        let of = |name, kind| {
            let access = Access::Event(super::EventField::Time);
            Field::new(name, kind, Provider::Event, access, "A function of fields.")
        };
        [
            of("concat", Kind::Text),
            of("join", Kind::Text),
            of("getopt", Kind::Text),
            of("len", Kind::Number),
            of("val", Kind::Boolean),
        ]
    });
    let place = match function {
        Function::Concat => 0,
        Function::Join(_) => 1,
        Function::Options { .. } => 2,
        Function::Count => 3,
        Function::Compare(_) => 4,
    };
    &STAND_INS[place]
}

impl Call {
    /// The fields that it is made of.
    pub fn fields(&self) -> Vec<&'static Field> {
        let mut found = vec![];
        for part in &self.parts {
            match part {
                Part::Text(_) => {}
                Part::Field { access: Access::Call(call), .. } => found.extend(call.fields()),
                Part::Field { name, .. } => {
                    found.extend(fields().iter().find(|field| field.name == *name));
                }
            }
        }
        found
    }

    /// Whether events of that type can have a value of each of its fields.
    pub fn is_told_of(&self, event_type: EventType) -> bool {
        self.parts.iter().all(|part| match part {
            Part::Text(_) => true,
            Part::Field { access, .. } => access.is_told_of(event_type),
        })
    }

    pub const fn is_list(&self) -> bool {
        matches!(self.function, Function::Options { chosen: None, .. })
    }

    /// Missing where one of its fields is. Of options the first.
    pub fn value<'f>(&self, facts: &'f Facts<'_>) -> Option<Value<'f>> {
        Some(match &self.function {
            Function::Concat => Value::owned(self.joined(facts, "")?),
            Function::Join(between) => Value::owned(self.joined(facts, between)?),
            Function::Options { letters, chosen: Some(chosen) } => {
                let found = options(&self.arguments(facts)?, letters);
                let (_, value) = found.into_iter().find(|(letter, _)| letter == chosen)?;
                Value::owned(value)
            }
            Function::Options { .. } => return self.values(facts).into_iter().next(),
            Function::Count => {
                let count = self.parts.first()?.values(facts).len();
                Value::Number(i64::try_from(count).unwrap_or(i64::MAX))
            }
            Function::Compare(operator) => {
                let [left, right] = &*self.parts else { return None };
                let (left, right) = (left.values(facts), right.values(facts));
                let right = right.first().filter(|_| !left.is_empty())?;
                let holds = |left: &Value<'_>| compares(*operator, left, right);
                Value::Boolean(match operator {
                    Operator::NotEqual => left.iter().all(holds),
                    _ => left.iter().any(holds),
                })
            }
        })
    }

    /// The letters of the options that are there, each once.
    pub fn values<'f>(&self, facts: &'f Facts<'_>) -> Vec<Value<'f>> {
        let Function::Options { letters, chosen: None } = &self.function else {
            return self.value(facts).into_iter().collect();
        };
        let arguments = self.arguments(facts).unwrap_or_default();
        let mut found: Vec<char> = vec![];
        for (letter, _) in options(&arguments, letters) {
            if !found.contains(&letter) {
                found.push(letter);
            }
        }
        found.into_iter().map(|letter| Value::owned(letter.to_string())).collect()
    }

    fn joined(&self, facts: &Facts<'_>, between: &str) -> Option<String> {
        let mut texts = vec![];
        for part in &self.parts {
            match part {
                Part::Text(text) => texts.push(text.to_string()),
                Part::Field { .. } => {
                    let values = part.values(facts);
                    let before = texts.len();
                    texts.extend(values.iter().map(ToString::to_string));
                    if texts.len() == before {
                        return None;
                    }
                }
            }
        }
        Some(texts.join(between))
    }

    /// The words of a command line, its first left out; of other fields, what stands between blanks.
    fn arguments(&self, facts: &Facts<'_>) -> Option<Vec<String>> {
        let part = self.parts.first()?;
        if let (Part::Field { access, .. }, Facts::Act(act)) = (part, facts)
            && let Some(arguments) = act.arguments_of(access)
        {
            return Some(arguments.to_vec());
        }
        let values = part.values(facts);
        let text = values.first()?.to_string();
        Some(text.split_whitespace().map(str::to_owned).collect())
    }
}

impl Part {
    /// All values of a list, else the one that there is.
    fn values<'f>(&self, facts: &'f Facts<'_>) -> Vec<Value<'f>> {
        let mut values = vec![];
        match self {
            Self::Text(text) => values.push(Value::owned(text.to_string())),
            Self::Field { access, transformers, .. } => access.for_each(facts, |value| {
                let value = transformed(transformers, value).into_owned();
                values.extend((value != Value::Missing).then_some(value));
            }),
        }
        values
    }
}

fn compares(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => match operator {
            Operator::Equal => left == right,
            Operator::NotEqual => left != right,
            Operator::Contains => left.contains(&**right),
            Operator::IContains => left.to_ascii_lowercase().contains(&right.to_ascii_lowercase()),
            Operator::StartsWith => left.starts_with(&**right),
            Operator::EndsWith => left.ends_with(&**right),
            _ => false,
        },
        (Value::Number(left), Value::Number(right)) => match operator {
            Operator::Equal => left == right,
            Operator::NotEqual => left != right,
            Operator::Less => left < right,
            Operator::LessOrEqual => left <= right,
            Operator::Greater => left > right,
            Operator::GreaterOrEqual => left >= right,
            _ => false,
        },
        (Value::Boolean(_), Value::Boolean(_)) | (Value::Address(_), Value::Address(_)) => {
            match operator {
                Operator::Equal => left == right,
                Operator::NotEqual => left != right,
                _ => false,
            }
        }
        _ => false,
    }
}

/// The options among arguments, as getopt(3) finds them: a letter that a colon follows in `letters` takes a value. Letters that are not among them, long
/// options and operands are passed over; `--` ends them.
fn options(arguments: &[String], letters: &str) -> Vec<(char, String)> {
    let takes_value = |letter: char| {
        let rest = letters.split_once(letter).filter(|_| letter != ':');
        rest.map(|(_, behind)| behind.starts_with(':'))
    };
    let mut found = vec![];
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            break;
        }
        let Some(group) = argument.strip_prefix('-').filter(|group| !group.starts_with('-')) else {
            continue;
        };
        let mut rest = group.chars();
        while let Some(letter) = rest.next() {
            match takes_value(letter) {
                None => {}
                Some(false) => found.push((letter, String::new())),
                Some(true) => {
                    let within = rest.as_str();
                    let value = if within.is_empty() {
                        arguments.next().cloned().unwrap_or_default()
                    } else {
                        within.to_owned()
                    };
                    found.push((letter, value));
                    break;
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str, letters: &str) -> String {
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let shown = |(letter, value): (char, String)| format!("{letter}={value}");
        options(&arguments, letters).into_iter().map(shown).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn options_are_found_as_getopt_finds_them() {
        assert_eq!(found("-e /bin/sh 192.0.2.1 80", "e:l"), "e=/bin/sh");
        assert_eq!(found("-le/bin/sh -x -v", "le:v"), "l= e=/bin/sh v=");
        assert_eq!(found("host -l -- -e x", "le:"), "l=");
        assert_eq!(found("--long -p", "lp:"), "p=");
        assert_eq!(found("-: -é", "a:"), "");
    }
}
