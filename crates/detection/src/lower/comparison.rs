//! One comparison: its field is looked up, its values are read by the field's type.

use super::Problem;
use super::lists::Lists;
use super::used::{Used, compared, used};
use crate::condition::{
    Check, Comparison, ListOperator, Literal, Operator, Quantifier, Transformer,
};
use crate::diagnostic::{Report, Severity};
use crate::domain_set::{self, DomainSet};
use crate::event_type::EventType;
use crate::field::{FieldProblem, FieldUse, Kind, fields};
use crate::graph;
use crate::mention::Mention;
use crate::network::Network;
use crate::network_set::NetworkSet;
use crate::source::Place;
use crate::test::{NumberTest, Parts, Test, TextSet, TextTest, glob_expression};
use regex::{Regex, RegexBuilder};

/// Most memory that a compiled expression may take, in bytes.
const LARGEST_EXPRESSION: usize = 1 << 20;

/// Most memory that an expression's states may take while it is used, in bytes: they are found anew where that is full.
const LARGEST_AUTOMATON: usize = 128 << 10;

/// Longer lists are told apart by their names.
const MOST_WRITTEN_OUT: usize = 256;

/// A value as it is compared, and where it was written.
struct Wanted {
    text: String,
    place: Place,
}

/// Lowers a check, with the text that tells it from others.
pub(super) fn lower(
    check: &Check,
    lists: &Lists<'_>,
    report: &Report<'_>,
) -> Result<(String, graph::Check), Problem> {
    let context = Context { lists, report, check };
    let left = used(&check.subject, report)?;
    if let Comparison::Field(operator, other) = &check.comparison {
        let right = used(other, report)?;
        let written = format!("{} {} val({other})", check.subject, operator.spelling());
        let field = compared(left, *operator, right, written.clone(), check.place, report)?;
        let (transformers, test) = ([].into(), Test::Boolean(true));
        return Ok((written, graph::Check { field, transformers, test, each: false }));
    }
    let Used { field, transformers, kind } = left;
    let test = context.test(kind)?;
    let identity = context.identity();
    let each = asks_each(&check.comparison, &field);
    Ok((identity, graph::Check { field, transformers: transformers.into(), test, each }))
}

/// Whether each of a field's values must pass. `!=` denies them all, and `in` wants a list's values to be members.
fn asks_each(comparison: &Comparison, field: &FieldUse) -> bool {
    match comparison {
        Comparison::Value(operator, _) | Comparison::Quantified(operator, ..) => {
            *operator == Operator::NotEqual && field.access.has_many()
        }
        Comparison::List(ListOperator::In, _) => field.access.is_list(),
        Comparison::List(..) | Comparison::Exists | Comparison::Field(..) => false,
    }
}

/// A field as an output names it.
pub(crate) fn field_use(
    name: &str,
    argument: Option<&str>,
    place: Place,
    report: &Report<'_>,
) -> Result<FieldUse, Problem> {
    FieldUse::named(name, argument).map_err(|problem| {
        let message = match problem {
            FieldProblem::Unknown => format!("there is no field `{name}`"),
            FieldProblem::NoArgumentTaken => format!("`{name}` takes nothing in brackets"),
            FieldProblem::KeyMissing => {
                format!("`{name}` needs a key in brackets, such as `{name}[app]`")
            }
            FieldProblem::NotAGeneration => {
                format!("`{name}` takes a number of generations in brackets")
            }
            FieldProblem::NotAPlace => {
                format!("`{name}` takes a place in its list in brackets, such as `{name}[0]`")
            }
            FieldProblem::NotAPointer => {
                format!("`{name}` needs a JSON pointer in brackets, such as `{name}[/stage]`")
            }
        };
        let unknown_name = problem == FieldProblem::Unknown;
        let mut diagnostic = report.diagnostic(Severity::Error, place, message);
        if unknown_name {
            diagnostic.suggest(name, fields().iter().map(|field| field.name));
        }
        Problem { unknown_name, ..Problem::new(diagnostic) }
    })
}

/// The type of a field's values after the transformers around it.
pub(super) fn kind_after(
    transformers: &[Transformer],
    place: Place,
    kind: Kind,
    report: &Report<'_>,
) -> Result<Kind, Problem> {
    let mut kind = kind;
    for transformer in transformers.iter().rev() {
        if !matches!(kind, Kind::Text | Kind::EventType) {
            let message = format!("`{}` takes a text, not a {}", transformer.name(), kind.name());
            let diagnostic = report.diagnostic(Severity::Error, place, message);
            return Err(Problem::new(diagnostic));
        }
        kind = if *transformer == Transformer::Length { Kind::Number } else { Kind::Text };
    }
    Ok(kind)
}

struct Context<'c> {
    lists: &'c Lists<'c>,
    report: &'c Report<'c>,
    check: &'c Check,
}

impl Context<'_> {
    fn problem(&self, place: Place, message: String, help: Option<String>) -> Problem {
        let mut diagnostic = self.report.diagnostic(Severity::Error, place, message);
        diagnostic.help = help;
        Problem::new(diagnostic)
    }

    /// Equal for equal questions, however they were written.
    fn identity(&self) -> String {
        use std::fmt::Write as _;
        let mut text = self.check.subject.to_string();
        let (operator, literals) = match &self.check.comparison {
            Comparison::Exists | Comparison::Field(..) => ("exists".to_owned(), [].as_slice()),
            Comparison::Value(operator, literal) => {
                (operator.spelling().to_owned(), std::slice::from_ref(literal))
            }
            Comparison::List(operator, literals) => {
                (operator.spelling().to_owned(), literals.as_slice())
            }
            Comparison::Quantified(operator, quantifier, literals) => {
                (format!("{} {}", operator.spelling(), quantifier.spelling()), literals.as_slice())
            }
        };
        // Writing to a String can't fail.
        let _ = write!(text, " {operator}");
        for literal in literals {
            match self.lists.values_of(literal) {
                // There is one list of that name: it need not be written out to be told from others.
                Some(values) if values.len() > MOST_WRITTEN_OUT => {
                    let _ = write!(text, " ({})", literal.text);
                }
                Some(values) => values.iter().for_each(|value| {
                    let _ = write!(text, " {value:?}");
                }),
                None => {
                    let _ = write!(text, " {:?}", literal.text);
                }
            }
        }
        text
    }

    /// The values, with lists written out.
    fn wanted(&self, literals: &[Literal]) -> Vec<Wanted> {
        let mut wanted = Vec::with_capacity(literals.len());
        for literal in literals {
            let place = literal.place;
            match self.lists.values_of(literal) {
                Some(values) => {
                    wanted.extend(values.iter().map(|text| Wanted { text: text.clone(), place }));
                }
                None => wanted.push(Wanted { text: literal.text.clone(), place }),
            }
        }
        wanted
    }

    /// The only value; a list may stand for it if it has one value.
    fn single(&self, literal: &Literal) -> Result<Wanted, Problem> {
        let mut wanted = self.wanted(std::slice::from_ref(literal));
        match wanted.pop() {
            Some(only) if wanted.is_empty() => Ok(only),
            other => {
                let count = wanted.len() + usize::from(other.is_some());
                let message =
                    format!("`{}` is a list of {count} values, here one is needed", literal.text);
                let help = format!("write `in ({})`", literal.text);
                Err(self.problem(literal.place, message, Some(help)))
            }
        }
    }

    fn test(&self, kind: Kind) -> Result<Test, Problem> {
        match &self.check.comparison {
            Comparison::Exists | Comparison::Field(..) => Ok(Test::Exists),
            Comparison::Value(operator, literal) => {
                self.value_test(kind, *operator, &self.single(literal)?)
            }
            Comparison::Quantified(operator, quantifier, literals) => {
                let wanted = self.wanted(literals);
                if let Some(test) = any_part(kind, *operator, *quantifier, &wanted) {
                    return Ok(test);
                }
                let tests: Result<Vec<Test>, Problem> =
                    wanted.iter().map(|wanted| self.value_test(kind, *operator, wanted)).collect();
                Ok(match quantifier {
                    Quantifier::Any => Test::Any(tests?.into()),
                    Quantifier::All => Test::All(tests?.into()),
                    Quantifier::ExactlyOne => Test::ExactlyOne(tests?.into()),
                })
            }
            Comparison::List(operator, literals) => self.list_test(kind, *operator, literals),
        }
    }

    fn value_test(&self, kind: Kind, operator: Operator, wanted: &Wanted) -> Result<Test, Problem> {
        match kind {
            Kind::Text => self.text_test(operator, wanted).map(Test::Text),
            Kind::EventType => match operator {
                Operator::Equal | Operator::NotEqual => {
                    self.text_test(operator, &self.known_event_type(wanted)?).map(Test::Text)
                }
                _ => self.text_test(operator, wanted).map(Test::Text),
            },
            Kind::Number | Kind::Time | Kind::Duration => {
                self.number_test(kind, operator, wanted).map(Test::Number)
            }
            Kind::Boolean => self.boolean_test(operator, wanted),
            Kind::Address => {
                let network = NetworkSet::new([self.network(wanted)?]);
                match operator {
                    Operator::Equal => Ok(Test::AddressIn(network)),
                    Operator::NotEqual => Ok(Test::AddressOutside(network)),
                    _ => Err(self.not_for(operator, kind)),
                }
            }
            Kind::Bytes => self.bytes_test(operator, wanted),
        }
    }

    fn network(&self, wanted: &Wanted) -> Result<Network, Problem> {
        Network::parse(&wanted.text).ok_or_else(|| {
            let message = format!(
                "`{}` is an IP address, `{}` is neither an address nor a network such as 10.0.0.0/8",
                self.check.subject.field, wanted.text
            );
            self.problem(wanted.place, message, None)
        })
    }

    /// No field has bytes that are told: only the form is looked at.
    fn bytes_test(&self, operator: Operator, wanted: &Wanted) -> Result<Test, Problem> {
        let takes_digits = matches!(operator, Operator::BContains | Operator::BStartsWith);
        let digits = |text: &str| {
            text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        if takes_digits && !digits(&wanted.text) {
            let message = format!("`{}` is not bytes in hexadecimal digits", wanted.text);
            return Err(self.problem(wanted.place, message, None));
        }
        Ok(Test::Never)
    }

    fn text_test(&self, operator: Operator, wanted: &Wanted) -> Result<TextTest, Problem> {
        let text: Box<str> = wanted.text.as_str().into();
        Ok(match operator {
            Operator::Equal => TextTest::Equal(text),
            Operator::NotEqual => TextTest::NotEqual(text),
            Operator::Contains => TextTest::Contains(text),
            Operator::IContains => TextTest::ContainsIgnoringCase(text),
            Operator::StartsWith => TextTest::StartsWith(text),
            Operator::EndsWith => TextTest::EndsWith(text),
            Operator::Glob => self.whole(&glob_expression(&text), "(?s)", wanted)?,
            Operator::IGlob => self.whole(&glob_expression(&text), "(?si)", wanted)?,
            Operator::Regex => self.whole(&text, "", wanted)?,
            _ => return Err(self.not_for(operator, Kind::Text)),
        })
    }

    /// An expression that must match from the first character to the last.
    fn whole(&self, expression: &str, flags: &str, wanted: &Wanted) -> Result<TextTest, Problem> {
        // Read by itself first: its parentheses must not close those that are put around it.
        self.expression(expression, wanted)?;
        let whole = format!("{flags}^(?:{expression})$");
        self.expression(&whole, wanted).map(TextTest::Matches)
    }

    fn expression(&self, expression: &str, wanted: &Wanted) -> Result<Regex, Problem> {
        let mut builder = RegexBuilder::new(expression);
        builder.size_limit(LARGEST_EXPRESSION).dfa_size_limit(LARGEST_AUTOMATON);
        builder.build().map_err(|error| {
            let reason = match error {
                regex::Error::Syntax(text) => {
                    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
                }
                regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
                other => other.to_string(),
            };
            self.problem(wanted.place, format!("this expression can't be used: {reason}"), None)
        })
    }

    fn number_test(
        &self,
        kind: Kind,
        operator: Operator,
        wanted: &Wanted,
    ) -> Result<NumberTest, Problem> {
        let number = self.number(kind, wanted)?;
        Ok(match operator {
            Operator::Equal => NumberTest::Equal(number),
            Operator::NotEqual => NumberTest::NotEqual(number),
            Operator::Less => NumberTest::Less(number),
            Operator::LessOrEqual => NumberTest::LessOrEqual(number),
            Operator::Greater => NumberTest::Greater(number),
            Operator::GreaterOrEqual => NumberTest::GreaterOrEqual(number),
            _ => return Err(self.not_for(operator, kind)),
        })
    }

    fn number(&self, kind: Kind, wanted: &Wanted) -> Result<i64, Problem> {
        let text = &wanted.text;
        let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let number = match hexadecimal {
            Some(digits) => i64::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        };
        number.ok_or_else(|| {
            let message =
                format!("`{}` is a {}, `{text}` is not", self.check.subject.field, kind.name());
            self.problem(wanted.place, message, None)
        })
    }

    fn boolean_test(&self, operator: Operator, wanted: &Wanted) -> Result<Test, Problem> {
        let truth = self.truth(wanted)?;
        match operator {
            Operator::Equal => Ok(Test::Boolean(truth)),
            Operator::NotEqual => Ok(Test::Boolean(!truth)),
            _ => Err(self.not_for(operator, Kind::Boolean)),
        }
    }

    fn truth(&self, wanted: &Wanted) -> Result<bool, Problem> {
        wanted.text.parse().map_err(|_| {
            let message =
                format!("`{}` is true or false, not `{}`", self.check.subject.field, wanted.text);
            self.problem(wanted.place, message, None)
        })
    }

    /// The type by the name that stands for all of its names.
    fn known_event_type(&self, wanted: &Wanted) -> Result<Wanted, Problem> {
        if let Some(known) = EventType::named(&wanted.text) {
            return Ok(Wanted { text: known.name().to_owned(), place: wanted.place });
        }
        let mut unknown =
            self.problem(wanted.place, format!("there is no event type `{}`", wanted.text), None);
        unknown.diagnostic.suggest(&wanted.text, EventType::names());
        Err(Problem { unknown_name: true, ..unknown })
    }

    fn not_for(&self, operator: Operator, kind: Kind) -> Problem {
        let field = &self.check.subject.field;
        let message = match operator {
            Operator::BContains | Operator::BStartsWith => {
                format!("`{}` compares bytes, `{field}` has none", operator.spelling())
            }
            _ if kind == Kind::Text => {
                format!("`{}` compares numbers, `{field}` is a text", operator.spelling())
            }
            _ => {
                format!("`{}` compares texts, `{field}` is a {}", operator.spelling(), kind.name())
            }
        };
        self.problem(self.check.place, message, None)
    }

    fn list_test(
        &self,
        kind: Kind,
        operator: ListOperator,
        literals: &[Literal],
    ) -> Result<Test, Problem> {
        self.bare_list_name(literals)?;
        let wanted = self.wanted(literals);
        if wanted.is_empty() {
            return Ok(Test::Never);
        }
        match operator {
            ListOperator::PathMatch => return self.path_test(kind, wanted),
            ListOperator::InDomain => return self.domain_test(kind, &wanted),
            ListOperator::Mentions => return self.mention_test(kind, &wanted),
            ListOperator::In | ListOperator::Intersects => {}
        }
        match kind {
            Kind::Text => Ok(one_of(wanted)),
            Kind::EventType => {
                let known: Result<Vec<Wanted>, Problem> =
                    wanted.iter().map(|wanted| self.known_event_type(wanted)).collect();
                Ok(one_of(known?))
            }
            Kind::Address => {
                let networks: Result<Vec<Network>, Problem> =
                    wanted.iter().map(|wanted| self.network(wanted)).collect();
                Ok(Test::AddressIn(NetworkSet::new(networks?)))
            }
            Kind::Bytes => Ok(Test::Never),
            Kind::Number | Kind::Time | Kind::Duration => {
                let numbers: Result<Vec<i64>, Problem> =
                    wanted.iter().map(|wanted| self.number(kind, wanted)).collect();
                let mut numbers = numbers?;
                numbers.sort_unstable();
                Ok(Test::Number(NumberTest::OneOf(numbers.into())))
            }
            Kind::Boolean => {
                let tests: Result<Vec<Test>, Problem> =
                    wanted.iter().map(|wanted| self.truth(wanted).map(Test::Boolean)).collect();
                Ok(Test::Any(tests?.into()))
            }
        }
    }

    /// Without parentheses, the name must be that of a list.
    fn bare_list_name(&self, literals: &[Literal]) -> Result<(), Problem> {
        let [only] = literals else { return Ok(()) };
        let ends_the_check =
            only.place.file == self.check.place.file && only.place.end == self.check.place.end;
        if only.quoted || !ends_the_check || self.lists.values_of(only).is_some() {
            return Ok(());
        }
        let mut unknown =
            self.problem(only.place, format!("there is no list `{}`", only.text), None);
        unknown.diagnostic.suggest(&only.text, self.lists.names());
        if unknown.diagnostic.help.is_none() {
            unknown
                .diagnostic
                .help(format!("a single value stands in parentheses: `({})`", only.text));
        }
        Err(unknown)
    }

    fn path_test(&self, kind: Kind, wanted: Vec<Wanted>) -> Result<Test, Problem> {
        self.only_of_texts(kind, "`pmatch` compares paths")?;
        let paths =
            wanted.into_iter().map(|wanted| wanted.text.trim_end_matches('/').into()).collect();
        Ok(Test::Text(TextTest::Below(paths)))
    }

    fn domain_test(&self, kind: Kind, wanted: &[Wanted]) -> Result<Test, Problem> {
        self.only_of_texts(kind, "`in_domain` compares names of domains")?;
        if let Some(wrong) = wanted.iter().find(|it| domain_set::normal(&it.text).is_none()) {
            let message = format!("`{}` is no domain such as example.org", wrong.text);
            return Err(self.problem(wrong.place, message, None));
        }
        let names = wanted.iter().map(|wanted| wanted.text.as_str());
        Ok(Test::Text(TextTest::InDomain(DomainSet::new(names))))
    }

    fn mention_test(&self, kind: Kind, wanted: &[Wanted]) -> Result<Test, Problem> {
        self.only_of_texts(kind, "`mentions` searches texts")?;
        let values: Vec<&str> = wanted.iter().map(|wanted| wanted.text.as_str()).collect();
        let mention = Mention::new(&values).map_err(|wrong| {
            let place = wanted.iter().find(|it| it.text == wrong).map(|it| it.place);
            let message = format!("`{wrong}` is neither an address nor a network nor a domain");
            self.problem(place.unwrap_or(self.check.place), message, None)
        })?;
        Ok(Test::Text(TextTest::Mentions(mention)))
    }

    fn only_of_texts(&self, kind: Kind, what: &str) -> Result<(), Problem> {
        if kind == Kind::Text {
            return Ok(());
        }
        let message = format!("{what}, `{}` is a {}", self.check.subject.field, kind.name());
        Err(self.problem(self.check.place, message, None))
    }
}

/// `contains anyof`: one search for all the parts instead of one for each.
fn any_part(
    kind: Kind,
    operator: Operator,
    quantifier: Quantifier,
    wanted: &[Wanted],
) -> Option<Test> {
    let ignoring_case = match operator {
        Operator::Contains => false,
        Operator::IContains => true,
        _ => return None,
    };
    if quantifier != Quantifier::Any || kind != Kind::Text || wanted.len() < 2 {
        return None;
    }
    let texts = wanted.iter().map(|wanted| wanted.text.as_str().into()).collect();
    Parts::new(texts, ignoring_case).map(|parts| Test::Text(TextTest::ContainsOneOf(parts)))
}

fn one_of(wanted: Vec<Wanted>) -> Test {
    let texts = wanted.into_iter().map(|wanted| wanted.text.into()).collect();
    Test::Text(TextTest::OneOf(TextSet::new(texts)))
}
