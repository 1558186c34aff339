//! The key `defender` of a rule: what no other engine of the language knows.

use super::entries::Entries;
use crate::burst::Burst;
use crate::diagnostic::Report;
use crate::field::FieldUse;
use crate::lower::{Problem, field_use};
use crate::source::Text;
use std::time::Duration;

/// As many acts of one key are kept in mind.
const MOST: u32 = 256;

/// Longer windows need a store.
const LONGEST: Duration = Duration::from_hours(1);

/// Fields that tell one count from another.
const MOST_FIELDS: usize = 4;

/// How many acts make an alert, as a rule writes it.
#[derive(Clone, Debug)]
pub(crate) struct BurstItem {
    pub at_least: u32,
    pub within: Duration,
    pub by: Vec<Text>,
    pub distinct: Option<Text>,
}

/// None where the key is missing, or wrong, which was reported.
pub(super) fn read(entries: &Entries<'_>, report: &mut Report<'_>) -> Option<BurstItem> {
    let node = entries.node("defender")?;
    let parts = Entries::of(node, "`defender`", report)?;
    parts.refuse_unknown_keys(&["at_least", "within", "by", "distinct"], report);
    for key in ["at_least", "within", "by"].into_iter().filter(|key| !parts.has(key)) {
        let message = format!("`defender` needs the key `{key}`");
        let help = "for example `defender: {at_least: 5, within: 60s, by: [container.id]}`";
        report.error(entries.key_place("defender"), message).help(help);
    }
    let at_least = at_least(&parts, report);
    let within = within(&parts, report);
    let by = by(&parts, report);
    let distinct = parts.text("distinct", report);
    Some(BurstItem { at_least: at_least?, within: within?, by: by?, distinct })
}

fn at_least(parts: &Entries<'_>, report: &mut Report<'_>) -> Option<u32> {
    let text = parts.text("at_least", report)?;
    let number = text.value.parse().ok().filter(|number| (2..=MOST).contains(number));
    if number.is_none() {
        let message = format!("`at_least` is a number from 2 to {MOST}, not `{}`", text.value);
        report.error(text.place, message);
    }
    number
}

fn within(parts: &Entries<'_>, report: &mut Report<'_>) -> Option<Duration> {
    let text = parts.text("within", report)?;
    let window =
        duration(&text.value).filter(|window| (1..=LONGEST.as_secs()).contains(&window.as_secs()));
    if window.is_none() {
        let message = format!(
            "`within` is a time such as 30s, 5m or 1h, up to an hour, not `{}`",
            text.value
        );
        report.error(text.place, message);
    }
    window
}

fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

fn by(parts: &Entries<'_>, report: &mut Report<'_>) -> Option<Vec<Text>> {
    let fields = parts.texts("by", report)?;
    if fields.is_empty() || fields.len() > MOST_FIELDS {
        let message = format!("`by` names 1 to {MOST_FIELDS} fields");
        report.error(parts.key_place("by"), message);
        return None;
    }
    Some(fields)
}

/// None where a field is none: a problem was added.
pub(super) fn lower(
    item: &BurstItem,
    report: &Report<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Burst> {
    let by: Option<_> = item.by.iter().map(|text| field(text, report, problems)).collect();
    let distinct = match &item.distinct {
        Some(text) => Some(field(text, report, problems)?),
        None => None,
    };
    Some(Burst { at_least: item.at_least, within: item.within, by: by?, distinct })
}

fn field(text: &Text, report: &Report<'_>, problems: &mut Vec<Problem>) -> Option<FieldUse> {
    let bracketed = text.value.strip_suffix(']').and_then(|text| text.split_once('['));
    let (name, argument) = match bracketed {
        Some((name, argument)) => (name, Some(argument)),
        None => (text.value.as_str(), None),
    };
    let used = field_use(name, argument, text.place, report);
    used.map_err(|problem| problems.push(problem)).ok()
}
