//! What each of the way out's metrics tells, as `/metrics` explains it.

use metrics::{Unit, describe_counter, describe_gauge};

/// Registers the explanations.
pub(super) fn describe() {
    describe_gauge!("defender_egress_connected", "1 while the backend is connected.");
    describe_counter!(
        "defender_egress_reconnects_total",
        "Connections that ended or did not come about, by reason."
    );
    describe_counter!(
        "defender_egress_renewals_total",
        "Working connections that were to be replaced by another, by reason (files: certificate, key, token or \
         authorities changed; name: the address left the backend's name; preferred: a preferred address answers \
         again) and outcome. Where it failed, the old one stayed."
    );
    describe_gauge!(
        "defender_egress_circuit_state",
        "1 for the state of each of the backend's addresses: closed (it works, or was not tried), open (it rests \
         after a failure), half_open (it is tried again)."
    );
    describe_gauge!(
        "defender_egress_next_attempt_timestamp_seconds",
        Unit::Seconds,
        "When an address that rests is tried again, in seconds since 1970; 0 for others."
    );
    describe_gauge!(
        "defender_egress_certificate_expiry_timestamp_seconds",
        Unit::Seconds,
        "When the certificate that was shown last expires, in seconds since 1970."
    );
}
