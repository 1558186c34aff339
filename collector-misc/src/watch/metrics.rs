use super::reason::Reason;
use crate::index::Change;
use metrics::{SharedString, counter, describe_counter, describe_gauge, gauge};

const OBJECTS: &str = "defender_kubernetes_objects";
const CHANGES: &str = "defender_kubernetes_changes_total";
const ERRORS: &str = "defender_kubernetes_watch_errors_total";

/// Tells Prometheus what the metrics of the watches mean.
pub(crate) fn describe() {
    describe_gauge!(OBJECTS, "Objects known, by kind.");
    describe_counter!(CHANGES, "Objects that were added, modified or deleted, by kind.");
    describe_counter!(ERRORS, "Lists and watches that failed, by kind and reason.");
}

#[allow(clippy::cast_precision_loss)] // Objects are fewer than 2^53.
pub(super) fn objects(kind: impl Into<SharedString>, objects: usize) {
    gauge!(OBJECTS, "kind" => kind.into()).set(objects as f64);
}

pub(super) fn change(kind: impl Into<SharedString>, change: Change) {
    counter!(CHANGES, "kind" => kind.into(), "change" => change.name()).increment(1);
}

pub(super) fn error(kind: impl Into<SharedString>, reason: Reason) {
    counter!(ERRORS, "kind" => kind.into(), "reason" => reason.name()).increment(1);
}
