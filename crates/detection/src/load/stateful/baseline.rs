//! What was never seen before of a workload.

use super::{by, duration};
use crate::diagnostic::Report;
use crate::event_source::EventSource;
use crate::load::entries::Entries;
use crate::lower::Problem;
use crate::memory::FirstSeen;
use crate::source::{Place, Text};
use std::time::Duration;

/// Less is no time to learn, more is no time to wait for.
const SHORTEST: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(30 * 24);

/// What is to be learnt, as a rule writes it.
#[derive(Clone, Debug)]
pub(crate) struct FirstSeenItem {
    values: Vec<Text>,
    by: Vec<Text>,
    learn_for: Duration,
}

pub(super) fn read(
    parts: &Entries<'_>,
    place: Place,
    report: &mut Report<'_>,
) -> Option<FirstSeenItem> {
    parts.refuse_unknown_keys(&["first_seen", "by", "learn_for"], report);
    for key in ["by", "learn_for"].into_iter().filter(|key| !parts.has(key)) {
        let message = format!("`defender` with `first_seen` needs the key `{key}`");
        let help = "for example `defender: {first_seen: proc.name, by: container.image.repository, learn_for: 24h}`";
        report.error(place, message).help(help);
    }
    let values = by::read(parts, "first_seen", report);
    let by = by::read(parts, "by", report);
    let bounds = SHORTEST..=LONGEST;
    let words = "30m, 24h or 7d, from a minute to 30 days";
    let learn_for = duration::read(parts, "learn_for", bounds, words, report);
    Some(FirstSeenItem { values: values?, by: by?, learn_for: learn_for? })
}

/// None where a field is none: a problem was added.
pub(super) fn lower(
    item: &FirstSeenItem,
    source: EventSource,
    report: &Report<'_>,
    problems: &mut Vec<Problem>,
) -> Option<FirstSeen> {
    let values = by::lower(&item.values, source, report, problems);
    let by = by::lower(&item.by, source, report, problems);
    Some(FirstSeen { values: values?, by: by?, learn_for: item.learn_for })
}
