use event_model::{Lane, Loss, LossReason, Timestamp};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Distinct (lane, kind, reason) that are kept apart; beyond it the kind becomes `any`.
const MAXIMUM_ENTRIES: usize = 256;

const ANY_KIND: &str = "any";

/// A longer name of a kind, which no sender of ours uses, becomes `any` too.
const LONGEST_KIND: usize = 64;

type Key = (Lane, Cow<'static, str>, LossReason);

struct Tally {
    count: u64,
    since: Timestamp,
    until: Timestamp,
}

/// What was lost and is not yet reported: exact counts by lane, kind and reason.
///
/// It takes bounded memory however much is lost, so a report of loss need never be dropped itself.
#[derive(Default)]
pub struct LossLedger {
    entries: BTreeMap<Key, Tally>,
}

impl LossLedger {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing waits to be reported.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Counts `count` records of one kind as lost now.
    pub fn add(&mut self, lane: Lane, kind: &'static str, reason: LossReason, count: u64) {
        let now = Timestamp::now();
        self.tally((lane, Cow::Borrowed(kind), reason), Tally { count, since: now, until: now });
    }

    /// Takes over a loss that someone else counted.
    pub fn merge(&mut self, loss: Loss) {
        let tally = Tally { count: loss.count, since: loss.since, until: loss.until };
        let is_short = loss.kind.len() <= LONGEST_KIND;
        let kind = if is_short { Cow::Owned(loss.kind) } else { Cow::Borrowed(ANY_KIND) };
        self.tally((loss.lane, kind, loss.reason), tally);
    }

    /// All that was counted; the ledger is empty then.
    pub fn take(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.entries).into_iter().map(into_loss).collect()
    }

    fn tally(&mut self, key: Key, more: Tally) {
        if more.count == 0 {
            return;
        }
        let key = self.bounded(key);
        self.entries
            .entry(key)
            .and_modify(|tally| {
                tally.count = tally.count.saturating_add(more.count);
                tally.since = tally.since.min(more.since);
                tally.until = tally.until.max(more.until);
            })
            .or_insert(more);
    }

    fn bounded(&self, key: Key) -> Key {
        if self.entries.len() < MAXIMUM_ENTRIES || self.entries.contains_key(&key) {
            return key;
        }
        (key.0, Cow::Borrowed(ANY_KIND), key.2)
    }
}

fn into_loss(((lane, kind, reason), tally): (Key, Tally)) -> Loss {
    Loss {
        lane,
        kind: kind.into_owned(),
        reason,
        count: tally.count,
        since: tally.since,
        until: tally.until,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_of_one_kind_and_reason_add_up() {
        let mut ledger = LossLedger::new();
        ledger.add(Lane::Telemetry, "exec", LossReason::QueueFull, 2);
        ledger.add(Lane::Telemetry, "exec", LossReason::QueueFull, 3);
        ledger.add(Lane::Telemetry, "exit", LossReason::QueueFull, 1);
        let losses = ledger.take();
        let counts: Vec<_> = losses.iter().map(|loss| (loss.kind.as_str(), loss.count)).collect();
        assert_eq!(counts, [("exec", 5), ("exit", 1)]);
        assert!(ledger.is_empty());
    }

    #[test]
    fn a_merged_loss_keeps_its_own_times() {
        let mut ledger = LossLedger::new();
        let early = Loss {
            lane: Lane::Telemetry,
            kind: "exec".into(),
            reason: LossReason::RingFull,
            count: 7,
            since: Timestamp(10),
            until: Timestamp(20),
        };
        ledger.merge(early.clone());
        ledger.merge(Loss { since: Timestamp(5), until: Timestamp(6), ..early });
        let losses = ledger.take();
        assert_eq!(losses.len(), 1, "{losses:?}");
        assert_eq!((losses[0].count, losses[0].since.0, losses[0].until.0), (14, 5, 20));
    }

    #[test]
    fn what_a_stranger_counts_neither_overflows_nor_fills_the_memory() {
        let mut ledger = LossLedger::new();
        for _ in 0..2 {
            ledger.merge(Loss {
                lane: Lane::Alert,
                kind: "k".repeat(1 << 20),
                reason: LossReason::RingFull,
                count: u64::MAX,
                since: Timestamp(1),
                until: Timestamp(1),
            });
        }
        let losses = ledger.take();
        let counts: Vec<_> = losses.iter().map(|loss| (loss.kind.as_str(), loss.count)).collect();
        assert_eq!(counts, [("any", u64::MAX)]);
    }

    #[test]
    fn however_many_kinds_there_are_memory_is_bounded_and_the_count_exact() {
        let mut ledger = LossLedger::new();
        for number in 0..10_000 {
            ledger.merge(Loss {
                lane: Lane::Telemetry,
                kind: format!("kind-{number}"),
                reason: LossReason::RingFull,
                count: 1,
                since: Timestamp(1),
                until: Timestamp(1),
            });
        }
        let losses = ledger.take();
        assert_eq!(losses.len(), MAXIMUM_ENTRIES + 1);
        assert_eq!(losses.iter().map(|loss| loss.count).sum::<u64>(), 10_000);
    }
}
