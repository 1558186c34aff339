use metrics::{counter, describe_counter, describe_gauge, gauge};

const LEADER: &str = "defender_leader";
const TRANSITIONS: &str = "defender_leader_transitions_total";
const ERRORS: &str = "defender_lease_errors_total";
const KEPT: &str = "defender_standby_kept_bytes";

/// Tells Prometheus what the metrics of the election mean.
pub(crate) fn describe() {
    describe_gauge!(
        LEADER,
        "1 while this replica leads, and sends what it sees; 0 while it stands by."
    );
    describe_counter!(
        TRANSITIONS,
        "How often this replica began or ceased to lead, by what it became."
    );
    describe_counter!(ERRORS, "Requests for the Lease that failed, by reason.");
    describe_gauge!(KEPT, "What a standby keeps, since the leader has not told it delivered.");
}

pub(super) fn leads(leads: bool) {
    gauge!(LEADER).set(if leads { 1.0 } else { 0.0 });
}

pub(super) fn transition(to: &'static str) {
    counter!(TRANSITIONS, "to" => to).increment(1);
}

pub(super) fn error(reason: &'static str) {
    counter!(ERRORS, "reason" => reason).increment(1);
}

#[allow(clippy::cast_precision_loss)] // A gauge.
pub(super) fn kept(bytes: u64) {
    gauge!(KEPT).set(bytes as f64);
}
