use metrics::{Unit, describe_counter, describe_gauge};

/// Tells Prometheus what the sensor's metrics mean.
pub(super) fn describe() {
    describe_counter!("defender_events_captured_total", "Records taken from the kernel.");
    describe_counter!("defender_events_lost_total", "Records of the kernel's that were lost.");
    describe_counter!(
        "defender_events_of_unknown_processes_total",
        "Acts of processes that were not known: no rule looked at them."
    );
    describe_counter!(
        "defender_container_metadata_requests_total",
        "Questions about containers to their runtimes."
    );
    describe_counter!(
        "defender_cache_refusals_total",
        "Processes and cgroups that were not remembered, for want of room."
    );
    describe_counter!(
        "defender_rule_counts_forgotten_total",
        "What rules remembered of earlier acts, given up for want of room."
    );
    alerting::describe_metrics();
    describe_gauge!("defender_probe_state", "1 for the state that a probe is in.");
    describe_gauge!("defender_processes_cached", "Processes that are remembered.");
    describe_gauge!(
        "defender_process_cache_bytes",
        Unit::Bytes,
        "Memory of the processes that are remembered."
    );
    describe_gauge!(
        "defender_inventory_items",
        "Packages, images, ports and users that were told."
    );
    describe_counter!("defender_inventory_skipped_total", "Files that the inventory passed over.");
    describe_counter!("defender_audit_events_total", "Events taken from the audit file.");
    describe_counter!("defender_audit_lines_lost_total", "Lines of the audit file not taken.");
    describe_gauge!("defender_recording", "1 while what rules are asked is recorded.");
    describe_counter!(
        "defender_recorded_bytes_total",
        Unit::Bytes,
        "What was written of a recording."
    );
    describe_gauge!("defender_containers_known", "Containers that are remembered.");
}
