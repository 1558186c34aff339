//! Lists with the lists that they name written out.

use crate::addition::Additions;
use crate::condition::{Literal, parse_items};
use crate::diagnostic::Report;
use crate::load::Definitions;
use crate::source::{LocatedText, Place, Text};
use std::collections::HashMap;
use std::rc::Rc;

/// Most values that all lists may have together once the lists in them are written out.
const LARGEST: usize = 2_000_000;
/// Most lists that name one another in a chain.
const LONGEST_CHAIN: usize = 64;

/// All lists, by name.
pub(super) struct Lists<'d> {
    values: HashMap<&'d str, Rc<[String]>>,
    total: usize,
}

impl<'d> Lists<'d> {
    pub fn expand(
        definitions: &'d Definitions<Vec<Text>>,
        additions: &Additions<'_>,
        report: &mut Report<'_>,
    ) -> Self {
        let mut lists = Self { values: HashMap::new(), total: 0 };
        for definition in definitions.iter() {
            report.subject = Some(format!("list `{}`", definition.name.value));
            lists.expand_one(
                definitions,
                additions,
                &definition.name.value,
                &mut Vec::new(),
                report,
            );
        }
        report.subject = None;
        lists
    }

    /// The values of one list. An item that is the name of a list that stands before it is written out.
    fn expand_one(
        &mut self,
        definitions: &'d Definitions<Vec<Text>>,
        additions: &Additions<'_>,
        name: &'d str,
        chain: &mut Vec<&'d str>,
        report: &mut Report<'_>,
    ) -> Rc<[String]> {
        if let Some(values) = self.values.get(name) {
            return Rc::clone(values);
        }
        chain.push(name);
        let mut values = Vec::new();
        let definition = definitions.get(name);
        for item in definition.iter().flat_map(|definition| &definition.value) {
            let named = definitions.get(&item.value).filter(|other| {
                definition.is_some_and(|definition| {
                    other.position < definition.visibility && other.name.value != name
                })
            });
            match named {
                None => values.extend(item_values(&item.value)),
                Some(other)
                    if chain.contains(&other.name.value.as_str())
                        || chain.len() == LONGEST_CHAIN =>
                {
                    report.error(
                        item.place,
                        format!(
                            "the list refers to itself, or to too many others, through `{}`",
                            item.value
                        ),
                    );
                }
                Some(other) => {
                    let inner =
                        self.expand_one(definitions, additions, &other.name.value, chain, report);
                    values.extend(inner.iter().cloned());
                }
            }
            if self.is_too_much(&mut values, item.place, report) {
                break;
            }
        }
        values.extend(additions.of(name).iter().map(|value| (*value).to_owned()));
        let place = definition.map(|definition| definition.name.place).unwrap_or_default();
        self.is_too_much(&mut values, place, report);
        self.total += values.len();
        chain.pop();
        let values: Rc<[String]> = values.into();
        self.values.insert(name, Rc::clone(&values));
        values
    }

    /// Whether there is no room for these values any more: then there are none, and the report says so.
    fn is_too_much(&self, values: &mut Vec<String>, place: Place, report: &mut Report<'_>) -> bool {
        let is_too_much = self.total + values.len() > LARGEST;
        if is_too_much {
            let message = format!("all lists together have more than {LARGEST} values");
            report.error(place, message);
            values.clear();
        }
        is_too_much
    }

    /// The values that a written value stands for: those of a list, if it is the bare name of one.
    pub fn values_of(&self, literal: &Literal) -> Option<&Rc<[String]>> {
        if literal.quoted { None } else { self.values.get(literal.text.as_str()) }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().copied()
    }
}

/// The values of an item: several between commas, quoted or bare; what does not read so is one value as it is.
fn item_values(item: &str) -> Vec<String> {
    // The usual case, without a parser.
    if !item.contains(['"', '\'', ',', '=', '(', ')', ' ']) {
        return vec![item.to_owned()];
    }
    match parse_items(&LocatedText::detached(item)) {
        Ok(values) => values.into_iter().map(|value| value.text).collect(),
        Err(_) => vec![item.to_owned()],
    }
}
