//! Files of suppressions: which alerts of which rules are expected, why, who says so, and until when.

use super::definitions::Collection;
use super::entries::Entries;
use super::parsed;
use super::yaml::{Node, Value};
use crate::diagnostic::Report;
use crate::event_source::EventSource;
use crate::graph::NodeId;
use crate::lower::Lowering;
use crate::rule::Rule;
use crate::source::{LocatedText, Text};
use crate::suppression::{LoadedSuppression, Suppression};
use event_model::Timestamp;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::BTreeSet;

/// Each may become a label of a metric.
const MOST: usize = 256;
/// Names stand in metrics and in records.
const LONGEST_NAME: usize = 100;
/// Reasons and owners are told to whoever asks why no alert came.
const LONGEST_WORDS: usize = 500;
/// Nobody remembers for longer why an alert was expected.
const LONGEST_YEARS: i16 = 1;

const KEYS: [&str; 7] = ["suppression", "rule", "tag", "when", "reason", "owner", "expires"];
const EXAMPLE: &str = "for example `- {suppression: Nightly backup, rule: Sensitive file read, when: proc.name = restic, \
     reason: It reads every file, owner: platform team, expires: 2027-03-31}`";

/// A suppression as it is written. What is missing or wrong was reported.
#[derive(Debug)]
pub(super) struct SuppressionItem {
    name: Option<Text>,
    rules: Vec<Text>,
    tags: Vec<Text>,
    when: Option<LocatedText>,
    reason: Option<Text>,
    owner: Option<Text>,
    expires: Option<Date>,
}

impl SuppressionItem {
    fn is_about(&self, rule: &str, tags: &[String]) -> bool {
        let named = self.rules.iter().any(|name| name.value == rule);
        named || self.tags.iter().any(|tag| tags.contains(&tag.value))
    }

    /// As messages name it.
    fn subject(&self) -> Option<String> {
        self.name.as_ref().map(|name| format!("suppression `{}`", name.value))
    }
}

/// Reads the suppressions of one file.
pub(super) fn read_file(
    root: &Node,
    now: Timestamp,
    items: &mut Vec<SuppressionItem>,
    report: &mut Report<'_>,
) {
    let nodes = match &root.value {
        Value::Sequence(nodes) => nodes.as_slice(),
        Value::Null => &[],
        _ => {
            let message = format!("a file of suppressions is a list, this is {}", root.kind());
            report.error(root.place, message).help(EXAMPLE);
            &[]
        }
    };
    for node in nodes {
        let Some(item) = read(node, now, report) else { continue };
        if items.len() == MOST {
            let message = format!("there are more than {MOST} suppressions");
            let help = "what a rule never ought to tell belongs into its `exceptions`";
            report.error(node.place, message).help(help);
            return;
        }
        refuse_known_name(&item, items, report);
        items.push(item);
    }
}

fn refuse_known_name(item: &SuppressionItem, items: &[SuppressionItem], report: &mut Report<'_>) {
    let value = |item: &SuppressionItem| item.name.as_ref().map(|name| name.value.clone());
    let Some(name) = &item.name else { return };
    if items.iter().any(|known| value(known).as_ref() == Some(&name.value)) {
        let message = format!("there is another suppression `{}`", name.value);
        report.error(name.place, message).help("each needs a name of its own");
    }
}

fn read(node: &Node, now: Timestamp, report: &mut Report<'_>) -> Option<SuppressionItem> {
    report.subject = None;
    let entries = Entries::of(node, "a suppression", report)?;
    let name = bounded(&entries, "suppression", LONGEST_NAME, report);
    let mut item = SuppressionItem {
        name,
        rules: vec![],
        tags: vec![],
        when: None,
        reason: None,
        owner: None,
        expires: None,
    };
    report.subject = item.subject();
    entries.refuse_unknown_keys(&KEYS, report);
    require(&entries, report);
    item.rules = one_or_more(&entries, "rule", report);
    item.tags = one_or_more(&entries, "tag", report);
    item.when = entries.located_text("when", report);
    item.reason = bounded(&entries, "reason", LONGEST_WORDS, report);
    item.owner = bounded(&entries, "owner", LONGEST_WORDS, report);
    item.expires = expires(&entries, now, report);
    Some(item)
}

fn require(entries: &Entries<'_>, report: &mut Report<'_>) {
    let needed = ["suppression", "when", "reason", "owner", "expires"];
    let missing: Vec<_> = needed.into_iter().filter(|key| !entries.has(key)).collect();
    let names_rules = entries.has("rule") || entries.has("tag");
    let missing: Vec<String> = missing
        .into_iter()
        .map(|key| format!("`{key}`"))
        .chain((!names_rules).then(|| "`rule` or `tag`".to_owned()))
        .collect();
    if missing.is_empty() {
        return;
    }
    let message = format!("a suppression needs {}", missing.join(", "));
    let diagnostic = report.error(entries.place, message);
    if entries.has("when") {
        diagnostic.help(EXAMPLE);
    } else {
        diagnostic.help(
            "`when` is a condition that only the expected alerts meet; to switch a rule off, write `enabled: false` to it \
             in a rule file",
        );
    }
}

/// A text that is not longer than what is shown of it.
fn bounded(
    entries: &Entries<'_>,
    key: &str,
    longest: usize,
    report: &mut Report<'_>,
) -> Option<Text> {
    let text = entries.text(key, report)?;
    let length = text.value.chars().count();
    if length > longest {
        let message = format!("`{key}` has {length} characters, at most {longest} are taken");
        report.error(text.place, message);
        return None;
    }
    Some(Text { value: text.value.trim().to_owned(), place: text.place })
}

/// One text or a list of them; none where the key is missing.
fn one_or_more(entries: &Entries<'_>, key: &str, report: &mut Report<'_>) -> Vec<Text> {
    match entries.node(key).map(|node| &node.value) {
        None => vec![],
        Some(Value::Sequence(_)) => {
            let texts = entries.texts(key, report).unwrap_or_default();
            if texts.is_empty() {
                report.error(entries.key_place(key), format!("`{key}` names nothing"));
            }
            texts
        }
        Some(_) => entries.text(key, report).into_iter().collect(),
    }
}

fn expires(entries: &Entries<'_>, now: Timestamp, report: &mut Report<'_>) -> Option<Date> {
    let text = entries.text("expires", report)?;
    let Ok(date) = text.value.parse::<Date>() else {
        let message = format!("`expires` is a day such as 2027-03-31, not `{}`", text.value);
        report.error(text.place, message);
        return None;
    };
    let last = day_of(now).saturating_add(LONGEST_YEARS.year());
    if date > last {
        let message = format!("a suppression lasts a year at most, and `expires` is {date}");
        let help = format!("write {last} or a day before it, and look at it again then");
        report.error(text.place, message).help(help);
        return None;
    }
    if ends(date) <= now {
        let name = entries.node("suppression").and_then(Node::scalar).unwrap_or_default().value;
        let message = format!("the suppression `{name}` expired on {date}: it has no effect");
        report.warning(text.place, message).help("take it away, or ask its owner for a new day");
    }
    Some(date)
}

/// The day of a moment in UTC.
fn day_of(now: Timestamp) -> Date {
    let now = jiff::Timestamp::from_nanosecond(i128::from(now.0)).unwrap_or_default();
    now.to_zoned(TimeZone::UTC).date()
}

/// The first moment at which a suppression of that last day has no effect.
fn ends(last: Date) -> Timestamp {
    let midnight = last.saturating_add(1.day()).to_zoned(TimeZone::UTC);
    let nanoseconds = midnight.map_or(i128::MAX, |moment| moment.timestamp().as_nanosecond());
    Timestamp(u64::try_from(nanoseconds.max(0)).unwrap_or(u64::MAX))
}

/// Looks up the rules and conditions of suppressions. What is wrong is reported.
pub(super) fn lower(
    items: Vec<SuppressionItem>,
    collection: &Collection,
    rules: &[Rule],
    lowering: &mut Lowering<'_>,
    report: &mut Report<'_>,
) -> Vec<LoadedSuppression> {
    let mut lowered = Vec::with_capacity(items.len());
    for item in items {
        report.subject = item.subject();
        lowered.extend(lower_one(item, collection, rules, lowering, report));
    }
    report.subject = None;
    lowered
}

fn lower_one(
    item: SuppressionItem,
    collection: &Collection,
    rules: &[Rule],
    lowering: &mut Lowering<'_>,
    report: &mut Report<'_>,
) -> Option<LoadedSuppression> {
    refuse_unknown_rules(&item, collection, report);
    let expression = item.when.as_ref().and_then(|when| parsed(when, report));
    let places = (0..).zip(rules).filter(|(_, rule)| item.is_about(&rule.name, &rule.tags));
    let places = places.map(|(place, _)| place).collect();
    let sources = sources(&item, collection);
    let mut condition = |source: EventSource| -> Option<NodeId> {
        let expression = expression.as_ref().filter(|_| sources.contains(&source))?;
        let mut problems = Vec::new();
        let lowered = lowering.rule(expression, source, report, &mut problems);
        report.diagnostics.extend(problems.into_iter().map(|problem| *problem.diagnostic));
        lowered.map(|lowered| lowered.condition)
    };
    let of_acts = condition(EventSource::Syscall);
    let of_requests = condition(EventSource::KubernetesAudit);
    let expires = item.expires?;
    let suppression = Suppression {
        name: item.name?.value,
        reason: item.reason?.value,
        owner: item.owner?.value,
        expires: expires.to_string(),
        ends: ends(expires),
    };
    Some(LoadedSuppression { suppression, of_acts, of_requests, rules: places })
}

/// What its rules are about, also those that are switched off: the condition is to fit them too.
fn sources(item: &SuppressionItem, collection: &Collection) -> BTreeSet<EventSource> {
    let rules = collection.rules.iter();
    let own = rules.filter(|rule| item.is_about(&rule.name.value, &rule.value.tags));
    own.filter_map(|rule| match &rule.value.source {
        None => Some(EventSource::default()),
        Some(written) => EventSource::named(&written.value),
    })
    .collect()
}

/// Rules that are switched off are known too: to switch one on again must not break anything.
fn refuse_unknown_rules(item: &SuppressionItem, collection: &Collection, report: &mut Report<'_>) {
    for name in item.rules.iter().filter(|name| collection.rules.get(&name.value).is_none()) {
        let message = format!("there is no rule `{}`", name.value);
        report.error(name.place, message).suggest(&name.value, collection.rules.names());
    }
    let tags: BTreeSet<&str> = collection
        .rules
        .iter()
        .flat_map(|rule| rule.value.tags.iter().map(String::as_str))
        .collect();
    for tag in item.tags.iter().filter(|tag| !tags.contains(tag.value.as_str())) {
        let message = format!("no rule has the tag `{}`", tag.value);
        report.error(tag.place, message).suggest(&tag.value, tags.iter().copied());
    }
}
