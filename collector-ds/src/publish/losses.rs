use ebpf_probes::RecordKind;
use event_model::{Lane, Loss, LossReason, Timestamp};
use metrics::counter;

/// The kind of a record that could not be read.
const ANY: &str = "any";

/// Turns running totals of lost kernel records into loss records.
#[derive(Debug)]
pub struct KernelLosses {
    dropped: [u64; RecordKind::ALL.len()],
    folded: [u64; RecordKind::ALL.len()],
    undecodable: u64,
    since: Timestamp,
}

impl KernelLosses {
    /// Counts from 0; the first loss happened at or after `since`.
    pub fn new(since: Timestamp) -> Self {
        for kind in RecordKind::ALL {
            lost(kind.name(), LossReason::RingFull, 0);
        }
        lost(ANY, LossReason::Undecodable, 0);
        let none = [0; RecordKind::ALL.len()];
        Self { dropped: none, folded: none, undecodable: 0, since }
    }

    /// What was lost since the last call, given the totals since the start.
    pub fn account(
        &mut self,
        dropped: impl Fn(RecordKind) -> u64,
        folded: impl Fn(RecordKind) -> u64,
        undecodable: u64,
        until: Timestamp,
    ) -> Vec<Loss> {
        let mut losses = vec![];
        let since = std::mem::replace(&mut self.since, until);
        for (place, kind) in RecordKind::ALL.into_iter().enumerate() {
            let dropped = newly(&mut self.dropped[place], dropped(kind));
            let folded = newly(&mut self.folded[place], folded(kind));
            for (reason, count) in
                [(LossReason::RingFull, dropped), (LossReason::RateLimited, folded)]
            {
                losses.push(loss(lane_of(kind), kind.name(), reason, count, since, until));
            }
        }
        let count = undecodable.saturating_sub(self.undecodable);
        self.undecodable = undecodable.max(self.undecodable);
        losses.push(loss(Lane::Telemetry, ANY, LossReason::Undecodable, count, since, until));
        losses.retain(|loss| loss.count > 0);
        for loss in &losses {
            lost(&loss.kind, loss.reason, loss.count);
        }
        losses
    }

    /// How many records the kernel could not hand over, and how many of those could not be read. Acts beyond a limit
    /// are left out on purpose.
    pub fn total(&self) -> u64 {
        self.dropped.iter().sum::<u64>() + self.undecodable
    }
}

/// What a total has grown by.
fn newly(told: &mut u64, total: u64) -> u64 {
    let count = total.saturating_sub(*told);
    *told = total.max(*told);
    count
}

fn lost(kind: &str, reason: LossReason, count: u64) {
    let kind = kind.to_owned();
    counter!("defender_events_lost_total", "kind" => kind, "reason" => reason.name())
        .increment(count);
}

/// The lane that a kernel record would have gone to.
const fn lane_of(kind: RecordKind) -> Lane {
    match kind {
        RecordKind::CgroupMade | RecordKind::CgroupRemoved => Lane::Entity,
        _ => Lane::Telemetry,
    }
}

fn loss(
    lane: Lane,
    kind: &str,
    reason: LossReason,
    count: u64,
    since: Timestamp,
    until: Timestamp,
) -> Loss {
    Loss { lane, kind: kind.to_owned(), reason, count, since, until }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lost_record_is_reported_once_and_by_kind() {
        let mut losses = KernelLosses::new(Timestamp(10));
        assert_eq!(losses.account(|_| 0, |_| 0, 0, Timestamp(20)), []);
        let dropped = |kind| match kind {
            RecordKind::Exec => 3,
            RecordKind::CgroupMade => 1,
            _ => 0,
        };
        let folded = |kind| if kind == RecordKind::Exit { 5 } else { 0 };
        let told = losses.account(dropped, folded, 2, Timestamp(30));
        let counts: Vec<_> =
            told.iter().map(|loss| (loss.kind.as_str(), loss.reason.name(), loss.count)).collect();
        assert_eq!(
            counts,
            [
                ("exec", "ring_full", 3),
                ("exit", "rate_limited", 5),
                ("cgroup_made", "ring_full", 1),
                ("any", "undecodable", 2),
            ]
        );
        assert!(told.iter().all(|loss| (loss.since, loss.until) == (Timestamp(20), Timestamp(30))));
        assert_eq!(losses.account(dropped, folded, 2, Timestamp(40)), []);
        assert_eq!(losses.total(), 6);
    }
}
