//! Parts of the assessment that are made anew from all of their objects when one of them changes.

use crate::ledger::Ledger;
use std::time::{Duration, Instant};

/// Least time between two rounds.
const BETWEEN: Duration = Duration::from_secs(1);
/// The time to wait for each object that a round looks at: some hundred times as long as the look takes.
const FOR_EACH_OBJECT: Duration = Duration::from_micros(300);

/// The parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Named as their modules.
pub(crate) enum Area {
    PodSecurity,
    Rights,
    Exposure,
    Reports,
}

impl Area {
    pub(crate) const ALL: [Self; 4] =
        [Self::PodSecurity, Self::Rights, Self::Exposure, Self::Reports];
}

/// When a part is due, and what was told of it.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) ledger: Ledger,
    /// Something that it reads is other than at the last round.
    is_stale: bool,
    /// Not before, lest a cluster that changes all the time keeps us busy.
    next: Option<Instant>,
}

impl Part {
    pub(crate) fn touch(&mut self, is_other: bool) {
        self.is_stale |= is_other;
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.is_stale && self.next.is_none_or(|next| next <= now)
    }

    /// A round is over that looked at so many objects. If it could not tell all there is another at once.
    pub(crate) fn ran(&mut self, now: Instant, objects: usize, told_all: bool) {
        self.is_stale = !told_all;
        let objects = u32::try_from(objects).unwrap_or(u32::MAX);
        self.next = told_all.then(|| now + BETWEEN + FOR_EACH_OBJECT.saturating_mul(objects));
    }
}
