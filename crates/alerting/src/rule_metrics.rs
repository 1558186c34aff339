use metrics::{Unit, describe_counter, describe_gauge};

/// Tells Prometheus what the metrics of rules and alerts mean.
pub fn describe() {
    describe_counter!("defender_alerts_total", "Alerts sent.");
    describe_counter!(
        "defender_alerts_held_total",
        "Alerts that were counted instead of sent, by the reason."
    );
    describe_counter!(
        "defender_alerts_suppressed_total",
        "Alerts that a suppression took, by rule and suppression."
    );
    describe_counter!("defender_rules_reloads_total", "Times that rules were read anew.");
    describe_gauge!("defender_rules_generation", "Which set of rules is in force: the first is 1.");
    describe_gauge!(
        "defender_rules_reload_last_success_timestamp_seconds",
        Unit::Seconds,
        "When the rules in force were loaded."
    );
    describe_gauge!(
        "defender_rules_reload_last_failure_timestamp_seconds",
        Unit::Seconds,
        "When changed rules could not be used last; 0: never."
    );
}
