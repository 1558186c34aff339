use super::now;
use event_model::{Lane, Loss, LossReason, Timestamp};
use metrics::counter;
use std::collections::BTreeMap;

/// Counts lines that were seen and not kept, until they are told.
#[derive(Debug, Default)]
pub struct Losses(BTreeMap<LossReason, (u64, Timestamp, Timestamp)>);

impl Losses {
    /// Counts a line.
    pub fn add(&mut self, reason: LossReason) {
        counter!("defender_audit_lines_lost_total", "reason" => reason.name()).increment(1);
        let now = now();
        let (count, _, until) = self.0.entry(reason).or_insert((0, now, now));
        *count += 1;
        *until = now;
    }

    /// What was counted since the last time.
    pub fn take(&mut self) -> impl Iterator<Item = Loss> {
        std::mem::take(&mut self.0).into_iter().map(|(reason, (count, since, until))| Loss {
            lane: Lane::Telemetry,
            kind: "audit".to_owned(),
            reason,
            count,
            since,
            until,
        })
    }
}
