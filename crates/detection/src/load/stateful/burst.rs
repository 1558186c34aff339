//! Several acts within a time.

use super::{by, duration};
use crate::diagnostic::Report;
use crate::event_source::EventSource;
use crate::load::entries::Entries;
use crate::lower::Problem;
use crate::memory::Burst;
use crate::source::{Place, Text};
use std::time::Duration;

/// As many acts of one key are kept in mind.
const MOST: u32 = 256;

/// Longer windows need a store.
pub(super) const LONGEST: Duration = Duration::from_hours(1);

/// How many acts make an alert, as a rule writes it.
#[derive(Clone, Debug)]
pub(crate) struct BurstItem {
    at_least: u32,
    within: Duration,
    by: Vec<Text>,
    distinct: Option<Text>,
}

pub(super) fn read(
    parts: &Entries<'_>,
    place: Place,
    report: &mut Report<'_>,
) -> Option<BurstItem> {
    let known = ["at_least", "within", "by", "distinct"];
    parts.refuse_unknown_keys(&[&known[..], &["after", "first_seen"]].concat(), report);
    for key in ["at_least", "within", "by"].into_iter().filter(|key| !parts.has(key)) {
        let message = format!("`defender` needs the key `{key}`");
        let help = "for example `defender: {at_least: 5, within: 60s, by: [container.id]}`";
        report.error(place, message).help(help);
    }
    let at_least = at_least(parts, report);
    let within = within(parts, report);
    let by = by::read(parts, "by", report);
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

pub(super) fn within(parts: &Entries<'_>, report: &mut Report<'_>) -> Option<Duration> {
    let bounds = Duration::from_secs(1)..=LONGEST;
    duration::read(parts, "within", bounds, "30s, 5m or 1h, up to an hour", report)
}

/// None where a field is none: a problem was added.
pub(super) fn lower(
    item: &BurstItem,
    source: EventSource,
    report: &Report<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Burst> {
    let by = by::lower(&item.by, source, report, problems);
    let distinct = match &item.distinct {
        Some(text) => Some(by::field(text, source, report, problems)?),
        None => None,
    };
    Some(Burst { at_least: item.at_least, within: item.within, by: by?, distinct })
}
