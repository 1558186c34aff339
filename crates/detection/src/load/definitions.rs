//! Lists, macros and rules after all overrides.

use super::exception::Exception;
use super::item::{Item, Mode, RuleItem, RuleParts};
use super::stateful::StatefulItem;
use crate::diagnostic::Report;
use crate::source::{LocatedText, Text};
use event_model::Priority;
use std::collections::HashMap;

/// Named things in the order in which their names first occurred.
#[derive(Debug)]
pub(crate) struct Definitions<T> {
    entries: Vec<Definition<T>>,
    by_name: HashMap<String, usize>,
}

/// One named thing.
#[derive(Debug)]
pub(crate) struct Definition<T> {
    pub name: Text,
    /// When the name first occurred, counted over all items of all files.
    pub position: usize,
    /// When it was last defined or added to: it sees what has a lower position.
    pub visibility: usize,
    pub value: T,
}

impl<T> Default for Definitions<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), by_name: HashMap::new() }
    }
}

impl<T> Definitions<T> {
    pub fn iter(&self) -> impl Iterator<Item = &Definition<T>> {
        self.entries.iter()
    }

    pub fn get(&self, name: &str) -> Option<&Definition<T>> {
        self.by_name.get(name).map(|index| &self.entries[*index])
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.value.as_str())
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Defines anew. A name that occurred before keeps its position.
    fn define(&mut self, name: Text, value: T, now: usize) {
        if let Some(index) = self.by_name.get(&name.value) {
            let entry = &mut self.entries[*index];
            *entry = Definition { name, position: entry.position, visibility: now, value };
            return;
        }
        self.by_name.insert(name.value.clone(), self.entries.len());
        self.entries.push(Definition { name, position: now, visibility: now, value });
    }

    /// The value of a name that occurred before, to be changed.
    fn change(&mut self, name: &str, now: usize) -> Option<&mut T> {
        let entry = &mut self.entries[*self.by_name.get(name)?];
        entry.visibility = now;
        Some(&mut entry.value)
    }
}

/// A rule as all items together define it.
#[derive(Debug)]
pub(crate) struct RuleDefinition {
    pub condition: LocatedText,
    pub output: LocatedText,
    pub description: String,
    pub priority: Priority,
    pub tags: Vec<String>,
    pub enabled: bool,
    pub source: Option<Text>,
    pub(super) exceptions: Vec<Exception>,
    pub skip_if_unknown_filter: bool,
    pub(super) stateful: Option<StatefulItem>,
}

/// All definitions of all files.
#[derive(Debug, Default)]
pub(crate) struct Collection {
    pub lists: Definitions<Vec<Text>>,
    pub macros: Definitions<LocatedText>,
    pub rules: Definitions<RuleDefinition>,
    items: usize,
}

impl Collection {
    /// Applies the next item.
    pub fn add(&mut self, item: Item, report: &mut Report<'_>) {
        let now = self.items;
        self.items += 1;
        match item {
            Item::List { name, items, append: false } => self.lists.define(name, items, now),
            Item::List { name, items, append: true } => match self.lists.change(&name.value, now) {
                Some(earlier) => earlier.extend(items),
                None => missing(&name, self.lists.names(), report),
            },
            Item::Macro { name, condition, append: false } => {
                self.macros.define(name, condition, now);
            }
            Item::Macro { name, condition, append: true } => {
                match self.macros.change(&name.value, now) {
                    Some(earlier) => earlier.append(&condition),
                    None => missing(&name, self.macros.names(), report),
                }
            }
            Item::Rule(rule) => self.add_rule(*rule, now, report),
        }
    }

    fn add_rule(&mut self, item: RuleItem, now: usize, report: &mut Report<'_>) {
        self.refuse_other_source(&item, report);
        let RuleItem { name, parts, mode } = item;
        if mode == Mode::Define {
            if let Some(rule) = defined(parts) {
                self.rules.define(name, rule, now);
            }
            return;
        }
        match self.rules.change(&name.value, now) {
            None => missing(&name, self.rules.names(), report),
            Some(rule) => match mode {
                Mode::Override { append, replace } => {
                    rule.replace(parts, &append, &replace, report);
                }
                Mode::Toggle | Mode::Define => rule.enabled = parts.enabled.unwrap_or(rule.enabled),
            },
        }
    }

    fn refuse_other_source(&self, item: &RuleItem, report: &mut Report<'_>) {
        let earlier = self.rules.get(&item.name.value).and_then(|rule| rule.value.source.as_ref());
        if let (Some(earlier), Some(source)) = (earlier, &item.parts.source)
            && earlier.value != source.value
        {
            let message =
                format!("the rule was defined before, for the source `{}`", earlier.value);
            report.error(source.place, message);
        }
    }
}

fn missing<'n>(name: &Text, known: impl Iterator<Item = &'n str>, report: &mut Report<'_>) {
    let message = format!("there is no earlier `{}` to override", name.value);
    report.error(name.place, message).suggest(&name.value, known);
}

/// A rule from the parts of a defining item. None where a part was wrong, which was reported.
fn defined(parts: RuleParts) -> Option<RuleDefinition> {
    Some(RuleDefinition {
        condition: parts.condition?,
        output: parts.output?,
        description: parts.description?.value,
        priority: parts.priority?,
        tags: distinct(parts.tags.unwrap_or_default()),
        enabled: parts.enabled.unwrap_or(true),
        source: parts.source,
        exceptions: parts.exceptions.unwrap_or_default(),
        skip_if_unknown_filter: parts.skip_if_unknown_filter.unwrap_or(false),
        stateful: parts.stateful,
    })
}

fn distinct(tags: Vec<Text>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::with_capacity(tags.len());
    for tag in tags {
        if !distinct.contains(&tag.value) {
            distinct.push(tag.value);
        }
    }
    distinct
}

fn add_or_replace(text: &mut LocatedText, by: LocatedText, append: bool) {
    if append {
        text.append(&by);
    } else {
        *text = by;
    }
}

impl RuleDefinition {
    fn replace(
        &mut self,
        parts: RuleParts,
        append: &[&str],
        replace: &[&str],
        report: &mut Report<'_>,
    ) {
        let appends = |part| append.contains(&part);
        let chosen = |part| appends(part) || replace.contains(&part);
        if let Some(condition) = parts.condition.filter(|_| chosen("condition")) {
            add_or_replace(&mut self.condition, condition, appends("condition"));
        }
        if let Some(output) = parts.output.filter(|_| chosen("output")) {
            add_or_replace(&mut self.output, output, appends("output"));
        }
        if let Some(text) = parts.description.filter(|_| chosen("desc")) {
            let before =
                if appends("desc") { format!("{} ", self.description) } else { String::new() };
            self.description = before + &text.value;
        }
        if let Some(tags) = parts.tags.filter(|_| chosen("tags")) {
            self.set_tags(distinct(tags), appends("tags"));
        }
        if let Some(exceptions) = parts.exceptions.filter(|_| chosen("exceptions")) {
            if !appends("exceptions") {
                self.exceptions.clear();
            }
            for exception in exceptions {
                self.add_exception(exception, report);
            }
        }
        self.priority = parts.priority.filter(|_| chosen("priority")).unwrap_or(self.priority);
        self.enabled = parts.enabled.filter(|_| chosen("enabled")).unwrap_or(self.enabled);
        let skip = parts.skip_if_unknown_filter.filter(|_| chosen("skip-if-unknown-filter"));
        self.skip_if_unknown_filter = skip.unwrap_or(self.skip_if_unknown_filter);
        if chosen("defender") {
            self.stateful = parts.stateful;
        }
    }

    fn set_tags(&mut self, tags: Vec<String>, append: bool) {
        if !append {
            self.tags.clear();
        }
        for tag in tags {
            if !self.tags.contains(&tag) {
                self.tags.push(tag);
            }
        }
    }

    /// Adds an exception, or values to an earlier one of its name.
    fn add_exception(&mut self, exception: Exception, report: &mut Report<'_>) {
        let earlier =
            self.exceptions.iter_mut().find(|earlier| earlier.name.value == exception.name.value);
        match earlier {
            Some(_) if exception.fields.is_some() || exception.comparisons.is_some() => {
                let message = format!(
                    "the exception `{}` exists: only values can be added",
                    exception.name.value
                );
                report.error(exception.name.place, message).help("leave out `fields` and `comps`");
            }
            Some(earlier) => earlier.values.extend(exception.values),
            None if exception.fields.is_none() => {
                let known = self.exceptions.iter().map(|earlier| earlier.name.value.as_str());
                let message = format!("the exception `{}` needs `fields`", exception.name.value);
                report.error(exception.name.place, message).suggest(&exception.name.value, known);
            }
            None => self.exceptions.push(exception),
        }
    }
}
