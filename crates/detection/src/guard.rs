//! What an act must show for a condition to hold: found once, when rules are compiled, so that most acts are told from
//! most rules without asking any of them.

use crate::condition::Transformer;
use crate::field::{Access, FieldUse};
use crate::graph::{Check, Graph, Node, NodeId};
use crate::test::{Test, TextTest};
use regex_syntax::hir::literal::{Extractor, Literal};
use std::collections::{BTreeSet, HashMap};

/// More texts than this tell little apart for what they cost.
const MOST_TEXTS: usize = 4096;

/// Shorter parts stand in nearly every text.
const SHORTEST_PART: usize = 3;

/// The field, as it is compared, whose texts tell.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub field: FieldUse,
    pub transformers: Box<[Transformer]>,
}

/// By whatever name the field is asked for.
impl PartialEq for Subject {
    fn eq(&self, other: &Self) -> bool {
        self.field.access == other.field.access && self.transformers == other.transformers
    }
}

impl Eq for Subject {}

impl Subject {
    /// As rules write it.
    pub fn written(&self) -> String {
        let inner = self.field.to_string();
        let names = self.transformers.iter().rev().map(|transformer| transformer.name());
        names.fold(inner, |inner, name| format!("{name}({inner})"))
    }
}

/// A condition that has this guard holds for no act that shows none of what is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Guard {
    /// One of them must be shown.
    pub any: Vec<Ask>,
}

/// One of the subject's values is, or contains, one of the texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub subject: Subject,
    pub whole: bool,
    /// Parts count whatever the case of their ASCII letters, and are of small ones here.
    pub texts: BTreeSet<Box<str>>,
}

/// In how many conditions the parts of texts stand that conditions ask for.
#[derive(Debug, Default)]
pub(crate) struct Popularity(HashMap<Box<str>, usize>);

impl Popularity {
    pub fn of(graph: &Graph, conditions: impl Iterator<Item = NodeId>) -> Self {
        let mut all = Self::default();
        for condition in conditions {
            let mut parts = BTreeSet::new();
            graph.visit_checks(condition, &mut |check| {
                let asks = Guard::of_check(check).unwrap_or_default().any.into_iter();
                parts.extend(asks.filter(|ask| !ask.whole).flat_map(|ask| ask.texts));
            });
            for part in parts {
                *all.0.entry(part).or_default() += 1;
            }
        }
        all
    }

    /// Of the most popular part.
    fn most(&self, guard: &Guard) -> usize {
        let counts = guard.parts().filter_map(|part| self.0.get(part));
        counts.copied().max().unwrap_or(0)
    }
}

impl Guard {
    /// The best guard of a condition; None where there is none.
    pub fn of(graph: &Graph, condition: NodeId, popularity: &Popularity) -> Option<Self> {
        let guard = match graph.node(condition) {
            Node::Constant(false) => Some(Self::default()),
            Node::Constant(true) | Node::Not(_) => None,
            Node::Check(check) => Self::of_check(graph.check(*check)),
            Node::And(parts) => {
                let guards = parts.iter().filter_map(|part| Self::of(graph, *part, popularity));
                guards.min_by_key(|guard| guard.cost(popularity))
            }
            Node::Or(parts) => parts.iter().try_fold(Self::default(), |all, part| {
                Some(all.or(Self::of(graph, *part, popularity)?))
            }),
        };
        guard.filter(|guard| guard.size() <= MOST_TEXTS)
    }

    fn of_check(check: &Check) -> Option<Self> {
        // To search all of an environment for what many conditions ask for costs more than what else they ask.
        if matches!(check.field.access, Access::Environment(_)) {
            return None;
        }
        let subject =
            Subject { field: check.field.clone(), transformers: check.transformers.clone() };
        Self::of_test(&check.test, &subject)
    }

    fn of_test(test: &Test, subject: &Subject) -> Option<Self> {
        match test {
            Test::Never => Some(Self::default()),
            Test::Any(tests) | Test::ExactlyOne(tests) => tests
                .iter()
                .try_fold(Self::default(), |all, test| Some(all.or(Self::of_test(test, subject)?))),
            Test::All(tests) => tests.iter().find_map(|test| Self::of_test(test, subject)),
            Test::Text(test) => {
                let (whole, texts) = of_text(test)?;
                Some(Self { any: vec![Ask { subject: subject.clone(), whole, texts }] })
            }
            _ => None,
        }
    }

    /// What holds where either holds.
    fn or(mut self, other: Self) -> Self {
        for ask in other.any {
            let alike = |known: &&mut Ask| known.subject == ask.subject && known.whole == ask.whole;
            match self.any.iter_mut().find(alike) {
                Some(known) => known.texts.extend(ask.texts),
                None => self.any.push(ask),
            }
        }
        self
    }

    fn size(&self) -> usize {
        self.any.iter().map(|ask| ask.texts.len()).sum()
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        self.any.iter().filter(|ask| !ask.whole).flat_map(|ask| &ask.texts).map(|text| &**text)
    }

    /// Looking whole values up costs least and tells most; then what asks for parts that stand in few other conditions (an
    /// act that shows what many ask for would be told from none of them), for few and for long ones.
    fn cost(&self, popularity: &Popularity) -> (usize, usize, usize, usize) {
        let shortest = self.parts().map(str::len).min().unwrap_or(0);
        (popularity.most(self), self.parts().count(), self.size(), usize::MAX - shortest)
    }
}

/// The texts that a text must be, or contain, to pass a test; whether it must be one whole.
fn of_text(test: &TextTest) -> Option<(bool, BTreeSet<Box<str>>)> {
    match test {
        TextTest::Equal(wanted) => Some((true, [wanted.clone()].into())),
        TextTest::OneOf(set) => Some((true, set.iter().map(Into::into).collect())),
        TextTest::StartsWith(part)
        | TextTest::EndsWith(part)
        | TextTest::Contains(part)
        | TextTest::ContainsIgnoringCase(part) => of_parts(std::slice::from_ref(part)),
        TextTest::ContainsOneOf(parts) => of_parts(parts.texts()),
        TextTest::Below(paths) => of_parts(paths),
        TextTest::Matches(expression) => of_parts(&beginnings(expression.as_str())?),
        TextTest::InDomain(domains) if domains.len() <= MOST_TEXTS => {
            let names: Vec<Box<str>> = domains.iter().map(Into::into).collect();
            of_parts(&names)
        }
        TextTest::Mentions(mention) if !mention.written().is_empty() => of_parts(mention.written()),
        TextTest::NotEqual(_) | TextTest::InDomain(_) | TextTest::Mentions(_) => None,
    }
}

/// What texts begin with that an expression matches; None where they may begin in too many ways.
fn beginnings(expression: &str) -> Option<Vec<Box<str>>> {
    let hir = regex_syntax::parse(expression).ok()?;
    let found = Extractor::new().extract(&hir);
    let text = |literal: &Literal| std::str::from_utf8(literal.as_bytes()).ok().map(Into::into);
    found.literals()?.iter().map(text).collect()
}

fn of_parts(parts: &[Box<str>]) -> Option<(bool, BTreeSet<Box<str>>)> {
    let all_tell = parts.iter().all(|part| part.len() >= SHORTEST_PART);
    let small = parts.iter().map(|part| part.to_ascii_lowercase().into());
    all_tell.then(|| (false, small.collect()))
}
