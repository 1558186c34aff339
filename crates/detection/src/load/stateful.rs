//! The key `defender` of a rule: what no other engine of the language knows.

mod baseline;
mod burst;
mod by;
mod duration;
mod sequence;

use super::entries::Entries;
use crate::diagnostic::Report;
use crate::event_source::EventSource;
use crate::lower::{Lowering, Problem};
use crate::memory::Stateful;

/// What a rule asks for beyond one act, as written.
#[derive(Clone, Debug)]
pub(crate) enum StatefulItem {
    Burst(burst::BurstItem),
    Sequence(sequence::SequenceItem),
    FirstSeen(baseline::FirstSeenItem),
}

/// None where the key is missing, or wrong, which was reported.
pub(super) fn read(entries: &Entries<'_>, report: &mut Report<'_>) -> Option<StatefulItem> {
    let node = entries.node("defender")?;
    let place = entries.key_place("defender");
    let parts = Entries::of(node, "`defender`", report)?;
    if parts.has("after") {
        sequence::read(&parts, place, report).map(StatefulItem::Sequence)
    } else if parts.has("first_seen") {
        baseline::read(&parts, place, report).map(StatefulItem::FirstSeen)
    } else {
        burst::read(&parts, place, report).map(StatefulItem::Burst)
    }
}

/// None where something is wrong with it: it was reported, or a problem was added.
pub(super) fn lower(
    item: &StatefulItem,
    source: EventSource,
    lowering: &mut Lowering<'_>,
    report: &mut Report<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Stateful> {
    match item {
        StatefulItem::Burst(item) => {
            burst::lower(item, source, report, problems).map(Stateful::Burst)
        }
        StatefulItem::Sequence(item) => {
            sequence::lower(item, source, lowering, report, problems).map(Stateful::Sequence)
        }
        StatefulItem::FirstSeen(item) => {
            baseline::lower(item, source, report, problems).map(Stateful::FirstSeen)
        }
    }
}
