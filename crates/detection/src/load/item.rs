//! The items of a rule file.

use super::entries::Entries;
use super::exception::{self, Exception};
use super::stateful::{self, StatefulItem};
use super::version;
use super::yaml::{Node, Value};
use crate::diagnostic::{Report, nearest};
use crate::source::{LocatedText, Text};
use event_model::Priority;

const RULE_KEYS: [&str; 16] = [
    "rule",
    "desc",
    "condition",
    "output",
    "priority",
    "tags",
    "enabled",
    "source",
    "exceptions",
    "append",
    "override",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "capture",
    "capture_duration",
    "defender",
];
const RULE_APPENDABLE: [&str; 5] = ["condition", "output", "desc", "tags", "exceptions"];
const RULE_REPLACEABLE: [&str; 12] = [
    "condition",
    "output",
    "desc",
    "tags",
    "exceptions",
    "priority",
    "enabled",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "capture",
    "capture_duration",
    "defender",
];

/// An item that defines something.
#[derive(Debug)]
pub(super) enum Item {
    List { name: Text, items: Vec<Text>, append: bool },
    Macro { name: Text, condition: LocatedText, append: bool },
    Rule(Box<RuleItem>),
}

#[derive(Debug)]
pub(super) struct RuleItem {
    pub name: Text,
    pub parts: RuleParts,
    pub mode: Mode,
}

/// What an item says of a rule. None where it is silent.
#[derive(Debug, Default)]
pub(super) struct RuleParts {
    pub condition: Option<LocatedText>,
    pub output: Option<LocatedText>,
    pub description: Option<Text>,
    pub priority: Option<Priority>,
    pub tags: Option<Vec<Text>>,
    pub enabled: Option<bool>,
    pub source: Option<Text>,
    pub exceptions: Option<Vec<Exception>>,
    pub skip_if_unknown_filter: Option<bool>,
    pub stateful: Option<StatefulItem>,
}

/// What an item does to an earlier one of its name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Takes its place.
    Define,
    /// Only switches it on or off.
    Toggle,
    /// Adds to these parts and replaces those.
    Override { append: Vec<&'static str>, replace: Vec<&'static str> },
}

/// Reads one item. None where it defines nothing, or is wrong: the report says so then.
pub(super) fn read(node: &Node, report: &mut Report<'_>) -> Option<Item> {
    report.subject = None;
    let entries = Entries::of(node, "an item of a rule file", report)?;
    if entries.has("required_engine_version") {
        version::check_engine(&entries, report);
        None
    } else if entries.has("required_plugin_versions") {
        version::check_plugins(&entries, report);
        None
    } else if entries.has("list") {
        list(&entries, report)
    } else if entries.has("macro") {
        macro_item(&entries, report)
    } else if entries.has("rule") {
        rule(&entries, report)
    } else {
        refuse(&entries, report);
        None
    }
}

/// A misspelt rule would be missed: an error. Other engines pass over what else they do not know.
fn refuse(entries: &Entries<'_>, report: &mut Report<'_>) {
    let kinds = ["rule", "macro", "list", "required_engine_version", "required_plugin_versions"];
    let near = entries.keys().find_map(|key| Some((key, nearest(&key.value, kinds)?)));
    if let Some((key, kind)) = near {
        let help = format!("did you mean `{kind}`?");
        report.error(key.place, format!("unknown kind of item `{}`", key.value)).help(help);
    } else {
        let help = format!("an item has one of the keys {}", kinds.join(", "));
        let message = "this item is neither a rule nor a macro nor a list: it has no effect";
        report.warning(entries.place, message).help(help);
    }
}

fn list(entries: &Entries<'_>, report: &mut Report<'_>) -> Option<Item> {
    let name = entries.text("list", report)?;
    report.subject = Some(format!("list `{}`", name.value));
    entries.warn_of_unknown_keys(&["list", "items", "append", "override"], report);
    let append = appends(entries, "items", report);
    require(entries, &["items"], report);
    let items = entries.texts("items", report)?;
    Some(Item::List { name, items, append })
}

fn macro_item(entries: &Entries<'_>, report: &mut Report<'_>) -> Option<Item> {
    let name = entries.text("macro", report)?;
    report.subject = Some(format!("macro `{}`", name.value));
    entries.warn_of_unknown_keys(&["macro", "condition", "append", "override"], report);
    let append = appends(entries, "condition", report);
    require(entries, &["condition"], report);
    let condition = entries.located_text("condition", report)?;
    Some(Item::Macro { name, condition, append })
}

/// Whether an item of a single part adds to the earlier one.
fn appends(entries: &Entries<'_>, part: &'static str, report: &mut Report<'_>) -> bool {
    let (append, replace) = overrides(entries, &[part], &[part], report);
    let old = old_append(entries, report);
    refuse_both(old, !(append.is_empty() && replace.is_empty()), entries, report);
    old || !append.is_empty()
}

/// `append: true`, the older way to write an override.
fn old_append(entries: &Entries<'_>, report: &mut Report<'_>) -> bool {
    let append = entries.truth("append", report).unwrap_or(false);
    if append {
        let place = entries.key_place("append");
        report
            .warning(place, "`append` is deprecated")
            .help("write `override` with `append` for each part");
    }
    append
}

fn refuse_both(old: bool, overrides: bool, entries: &Entries<'_>, report: &mut Report<'_>) {
    if old && overrides {
        report.error(entries.key_place("append"), "`append` and `override` exclude each other");
    }
}

/// The parts that `override` adds to, and those that it replaces.
fn overrides(
    entries: &Entries<'_>,
    appendable: &[&'static str],
    replaceable: &[&'static str],
    report: &mut Report<'_>,
) -> (Vec<&'static str>, Vec<&'static str>) {
    let (mut append, mut replace) = (Vec::new(), Vec::new());
    let Some(node) = entries.node("override") else {
        return (append, replace);
    };
    let Some(parts) = Entries::of(node, "`override`", report) else {
        return (append, replace);
    };
    for key in parts.keys() {
        let Some(action) = parts.text(&key.value, report) else { continue };
        let (allowed, chosen) = match action.value.as_str() {
            "append" => (appendable, &mut append),
            "replace" => (replaceable, &mut replace),
            other => {
                report.error(action.place, format!("`{other}` is neither append nor replace"));
                continue;
            }
        };
        let Some(part) = allowed.iter().find(|part| **part == key.value) else {
            let message = format!("`{}` can't be overridden by {}", key.value, action.value);
            report.error(key.place, message).help(format!("possible are {}", allowed.join(", ")));
            continue;
        };
        if !entries.has(part) {
            report.error(key.place, format!("`{part}` is to be overridden but is not given"));
        }
        chosen.push(*part);
    }
    (append, replace)
}

fn require(entries: &Entries<'_>, keys: &[&str], report: &mut Report<'_>) -> bool {
    let missing: Vec<&str> = keys.iter().copied().filter(|key| !entries.has(key)).collect();
    if let [first, ..] = missing[..] {
        let message = match missing.len() {
            1 => format!("the key `{first}` is missing"),
            _ => format!("the keys {} are missing", missing.join(", ")),
        };
        let place = entries.keys().next().map_or(entries.place, |key| key.place);
        report.error(place, message);
    }
    missing.is_empty()
}

fn rule(entries: &Entries<'_>, report: &mut Report<'_>) -> Option<Item> {
    let name = entries.text("rule", report)?;
    report.subject = Some(format!("rule `{}`", name.value));
    entries.warn_of_unknown_keys(&RULE_KEYS, report);
    let mode = rule_mode(entries, report)?;
    let parts = rule_parts(entries, mode != Mode::Define, report);
    Some(Item::Rule(Box::new(RuleItem { name, parts, mode })))
}

fn rule_mode(entries: &Entries<'_>, report: &mut Report<'_>) -> Option<Mode> {
    let (append, replace) = overrides(entries, &RULE_APPENDABLE, &RULE_REPLACEABLE, report);
    let overriding = entries.has("override");
    let old = old_append(entries, report);
    refuse_both(old, overriding, entries, report);
    if overriding {
        refuse_unnamed_parts(entries, &append, &replace, report);
        return Some(Mode::Override { append, replace });
    }
    if old {
        let append =
            ["condition", "exceptions"].into_iter().filter(|part| entries.has(part)).collect();
        return Some(Mode::Override { append, replace: Vec::new() });
    }
    let needed = ["condition", "output", "desc", "priority"];
    if entries.has("enabled") && !needed.iter().any(|part| entries.has(part)) {
        return Some(Mode::Toggle);
    }
    require(entries, &needed, report).then_some(Mode::Define)
}

/// Beside `override`, each part that is given must be named by it.
fn refuse_unnamed_parts(
    entries: &Entries<'_>,
    append: &[&'static str],
    replace: &[&'static str],
    report: &mut Report<'_>,
) {
    for part in RULE_REPLACEABLE {
        if entries.has(part) && !append.contains(&part) && !replace.contains(&part) {
            let message = format!("`{part}` is given but `override` does not name it");
            report.error(entries.key_place(part), message);
        }
    }
}

fn rule_parts(entries: &Entries<'_>, overriding: bool, report: &mut Report<'_>) -> RuleParts {
    // Read to refuse what is no truth value; it tells other engines whether to warn of slow rules.
    let _ = entries.truth("warn_evttypes", report);
    RuleParts {
        condition: entries.located_text("condition", report),
        output: entries.located_text("output", report),
        description: entries.text("desc", report),
        priority: priority(entries, report),
        tags: entries.texts("tags", report),
        enabled: entries.truth("enabled", report),
        source: source(entries, report),
        exceptions: exceptions(entries, overriding, report),
        skip_if_unknown_filter: entries.truth("skip-if-unknown-filter", report),
        stateful: stateful::read(entries, report),
    }
}

fn priority(entries: &Entries<'_>, report: &mut Report<'_>) -> Option<Priority> {
    let text = entries.text("priority", report)?;
    let priority = text.value.parse().ok();
    if priority.is_none() {
        let names = Priority::ALL.map(Priority::name);
        let help = format!("the priorities are {}", names.join(", "));
        report.error(text.place, format!("`{}` is no priority", text.value)).help(help);
    }
    priority
}

/// An empty source is none.
fn source(entries: &Entries<'_>, report: &mut Report<'_>) -> Option<Text> {
    match &entries.node("source")?.value {
        Value::Null => None,
        Value::Scalar(text) if text.is_empty() => None,
        _ => entries.text("source", report),
    }
}

fn exceptions(
    entries: &Entries<'_>,
    overriding: bool,
    report: &mut Report<'_>,
) -> Option<Vec<Exception>> {
    let nodes = entries.sequence("exceptions", report)?;
    Some(nodes.iter().filter_map(|node| exception::read(node, overriding, report)).collect())
}
