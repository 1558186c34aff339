//! What each of the backend's metrics counts, as `/metrics` explains it.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Registers the explanations.
pub(crate) fn describe() {
    describe_counter!("defender_ingest_records_total", "Records that were stored, by lane.");
    describe_counter!(
        "defender_ingest_batches_total",
        "Batches by lane and outcome: stored, repeated (all of it was held), failed."
    );
    describe_counter!(
        "defender_ingest_rejected_total",
        "What was turned away, by reason. Connections: too_many_connections, too_many_handshakes, handshake, handshake_timeout, no_stream \
         (none was opened, or none is left). Streams: identity, denied, too_many_streams. Envelopes: too_large, \
         too_many_records, damaged, malformed, undecodable, unstorable. Records that are held already: repeated_alert, \
         repeated_request."
    );
    describe_gauge!("defender_ingest_connections", "Publishers' connections that are open.");
    describe_counter!(
        "defender_ingest_sequence_gaps_total",
        "Times that sequences of a stream were missing, by lane."
    );
    describe_histogram!(
        "defender_ingest_delay_seconds",
        Unit::Seconds,
        "Time from an act on a node to its being stored, by lane: of each batch the first act's, by the node's clock."
    );
    describe_counter!(
        "defender_enrolments_total",
        "Certificates that were issued, by kind: token, replacement (by a token, while the node had another), renewal."
    );
    describe_counter!(
        "defender_enrolment_refused_total",
        "Certificates that were asked for and refused, by reason: token, token_expired, token_revoked, token_used_up, \
         other_cluster, node, request, replayed, barred, existing_node, too_many, no_certificate, \
         foreign_certificate, other_node, denied, unknown_certificate, store, authority."
    );
    describe_counter!("defender_alerts_total", "Alerts that were stored, by priority.");
    describe_gauge!("defender_store_bytes", Unit::Bytes, "Size of the store, by kind.");
    describe_histogram!(
        "defender_store_commit_seconds",
        Unit::Seconds,
        "Time that a group of batches took to become durable."
    );
    describe_counter!(
        "defender_store_removed_total",
        "What was removed to stay within store.maximum_bytes, by kind: event, process, container, kubernetes_object, \
         alert, source (a run of a sensor; also where its node has too many), former_source (the last that was known \
         of one)."
    );
    describe_counter!(
        "defender_kubernetes_objects_found_gone_total",
        "Objects of Kubernetes of which no deletion had arrived, and a census told that they are gone."
    );
    describe_counter!(
        "defender_store_damaged_files_total",
        "Day files that were damaged and set aside."
    );
}
