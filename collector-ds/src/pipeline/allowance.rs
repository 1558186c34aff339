//! How many acts leave as telemetry. Rules see all of them; what a flood has too many of is counted, and told as lost.

use ebpf_probes::RecordKind;
use event_model::{Lane, Loss, LossReason, Timestamp};
use metrics::counter;
use std::collections::BTreeMap;
use std::time::Instant;

/// Acts of one kind a second. All kinds together, with what the queue holds, are what a publisher takes.
const A_SECOND: u32 = 20_000;
/// Acts of one kind at once.
const AT_ONCE: u32 = 40_000;

/// A bucket of tokens for each kind.
#[derive(Debug, Default)]
pub struct Allowance {
    buckets: BTreeMap<RecordKind, Bucket>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    filled_at: Instant,
    refused: u64,
    since: Timestamp,
}

impl Allowance {
    /// Whether an act of that kind may leave.
    pub fn take(&mut self, kind: RecordKind, at: Timestamp, now: Instant) -> bool {
        let bucket = self.buckets.entry(kind).or_insert_with(|| Bucket {
            left: AT_ONCE.into(),
            filled_at: now,
            refused: 0,
            since: at,
        });
        let passed = now.saturating_duration_since(bucket.filled_at).as_secs_f64();
        bucket.left = (bucket.left + passed * f64::from(A_SECOND)).min(AT_ONCE.into());
        bucket.filled_at = now;
        if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            return true;
        }
        if bucket.refused == 0 {
            bucket.since = at;
        }
        bucket.refused += 1;
        false
    }

    /// What did not leave since the last call.
    pub fn refused(&mut self, until: Timestamp) -> Vec<Loss> {
        let mut losses = vec![];
        for (kind, bucket) in &mut self.buckets {
            let count = std::mem::take(&mut bucket.refused);
            if count == 0 {
                continue;
            }
            let reason = LossReason::RateLimited;
            counter!("defender_events_lost_total", "kind" => kind.name(), "reason" => reason.name())
                .increment(count);
            let (kind, since) = (kind.name().to_owned(), bucket.since);
            losses.push(Loss { lane: Lane::Telemetry, kind, reason, count, since, until });
        }
        losses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::FileAct;
    use std::time::Duration;

    const OPEN: RecordKind = RecordKind::File(FileAct::Open);

    #[test]
    fn what_a_flood_has_too_many_of_is_counted_by_kind() {
        let (mut allowance, now) = (Allowance::default(), Instant::now());
        let passed = (0..AT_ONCE + 7).filter(|_| allowance.take(OPEN, Timestamp(1), now)).count();
        assert_eq!(passed, 20_000);
        assert!(allowance.take(RecordKind::Dns, Timestamp(2), now), "each kind has its own");
        let losses = allowance.refused(Timestamp(3));
        let told: Vec<_> = losses.iter().map(|loss| (loss.kind.as_str(), loss.count)).collect();
        assert_eq!(told, [("open", 7)]);
        assert_eq!(losses[0].reason, LossReason::RateLimited);
        assert_eq!(allowance.refused(Timestamp(4)), []);
        let later = now + Duration::from_millis(1);
        let passed = (0..100).filter(|_| allowance.take(OPEN, Timestamp(5), later)).count();
        assert_eq!(passed, 10);
    }
}
