use super::refusal::Refusal;
use event_model::LossReason;
use metrics::{counter, describe_counter, describe_gauge, gauge};

/// Tells Prometheus what the receiver's metrics mean.
pub(super) fn describe() {
    alerting::describe_metrics();
    describe_counter!("defender_audit_events_total", "Audit events taken.");
    describe_counter!(
        "defender_audit_events_repeated_total",
        "Audit events that an API server sent again and that were taken before."
    );
    describe_counter!(
        "defender_audit_events_lost_total",
        "Audit events, or whole bodies of them, that could not be read."
    );
    describe_counter!(
        "defender_audit_requests_total",
        "Requests to the audit receiver, by their outcome."
    );
    describe_counter!(
        "defender_audit_connections_refused_total",
        "Connections to the audit receiver that ended before their first request, by the reason."
    );
    describe_gauge!("defender_audit_connections", "Connections to the audit receiver.");
}

pub(super) fn request(refusal: Option<&Refusal>) {
    let outcome = refusal.map_or("taken", Refusal::name);
    counter!("defender_audit_requests_total", "outcome" => outcome).increment(1);
}

pub(super) fn event() {
    counter!("defender_audit_events_total").increment(1);
}

pub(super) fn repeated() {
    counter!("defender_audit_events_repeated_total").increment(1);
}

pub(super) fn lost(reason: LossReason) {
    counter!("defender_audit_events_lost_total", "reason" => reason.name()).increment(1);
}

pub(super) fn connection_refused(reason: &'static str) {
    counter!("defender_audit_connections_refused_total", "reason" => reason).increment(1);
}

/// Counts a connection for as long as it lives.
pub(super) struct Connected(());

impl Connected {
    pub(super) fn new() -> Self {
        gauge!("defender_audit_connections").increment(1.0);
        Self(())
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        gauge!("defender_audit_connections").decrement(1.0);
    }
}
