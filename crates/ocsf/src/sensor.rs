//! What sensors say of themselves: losses, their state, and alerts that they counted instead of sending.

use crate::class::{
    APPLICATION_ERROR, APPLICATION_LIFECYCLE, Activity, DETECTION_FINDING, OTHER, metadata,
};
use crate::entities::Entities;
use crate::finding::{Source, product};
use crate::object::{Choice, Object, milliseconds};
use crate::scene::node;
use event_model::{HeldAlerts, HeldReason, Loss, SensorStatus, SourceId};
use serde_json::{Value, json};

/// Where it comes from, for `metadata.log_name`.
const LOG: &str = "sensor";

const GENERAL_ERROR: Activity<'static> = (1, "General Error");
const UPDATE: Activity<'static> = (2, "Update");
const INFORMATIONAL: Choice = (1, "Informational");
const MEDIUM: Choice = (3, "Medium");

/// Records that were seen and could not be kept: an error of the application, with how many.
pub fn of_loss(loss: &Loss, id: SourceId, entities: &mut Entities, source: &Source<'_>) -> Value {
    let (lane, reason) = (loss.lane.name(), loss.reason.name());
    let message = format!("{} records of the {lane} lane were lost: {reason}", loss.count);
    let unmapped = Object::new()
        .with("lane", lane)
        .with("kind", loss.kind.as_str())
        .with("reason", reason)
        .with("lost", loss.count);
    APPLICATION_ERROR
        .event(GENERAL_ERROR, loss.until, MEDIUM)
        .with("metadata", metadata(source.version, "loss", LOG, loss.until, false))
        .with("device", node(entities.host(id).as_deref(), source))
        .with("message", message)
        .with("count", count(loss.count))
        .with("start_time", milliseconds(loss.since))
        .with("end_time", milliseconds(loss.until))
        .with("status_detail", reason)
        .with("unmapped", unmapped)
        .into()
}

/// How a sensor is: the life of an application, with what it sees and what not.
pub fn of_status(
    status: &SensorStatus,
    id: SourceId,
    entities: &mut Entities,
    source: &Source<'_>,
) -> Value {
    let (severity, outcome) = if status.problems.is_empty() {
        (INFORMATIONAL, (1, "Success"))
    } else {
        (MEDIUM, (2, "Failure"))
    };
    let description = &status.description;
    let app = product(&description.version).with("name", description.component.name());
    let at = status.observed_at;
    APPLICATION_LIFECYCLE
        .event((OTHER, "Status"), at, severity)
        .with("metadata", metadata(source.version, "sensor_status", LOG, at, false))
        .with("device", node(entities.host(id).as_deref(), source))
        .with("app", app)
        .with_choice("status", outcome)
        .with("message", status.problems.join("; "))
        .with_time("start_time", status.started_at)
        .with("unmapped", state(status))
        .into()
}

fn state(status: &SensorStatus) -> Object {
    let probe = |it: &event_model::ProbeCoverage| json!({"probe": it.probe, "hook": it.hook, "state": it.state.name(), "reason": it.reason});
    let blind = |it: &event_model::BlindRule| json!({"rule": it.rule, "reason": it.reason});
    let probes: Vec<Value> = status.probes.iter().map(probe).collect();
    let blind: Vec<Value> = status.blind_rules.iter().map(blind).collect();
    let counters = status.counters.iter().map(|(name, value)| (name.clone(), (*value).into()));
    Object::new()
        .with("source_id", status.description.id.to_string())
        .with("rules_loaded", status.rules_loaded)
        .with("probes", probes)
        .with("blind_rules", blind)
        .with("counters", Value::Object(counters.collect()))
}

/// Alerts that were counted: an update of the finding that stands for them, or one that is suppressed.
pub fn of_held(
    held: &HeldAlerts,
    id: SourceId,
    entities: &mut Entities,
    source: &Source<'_>,
) -> Value {
    let rule = if held.rule.is_empty() { "unknown" } else { &held.rule };
    let (uid, status, suppression) = match &held.reason {
        HeldReason::Repeated { alert } | HeldReason::RateLimited { alert } => {
            (alert.to_string(), (1, "New"), None)
        }
        HeldReason::Suppressed { suppression } => {
            (format!("{rule}/{suppression}"), (3, "Suppressed"), Some(suppression.as_str()))
        }
    };
    let analytic =
        Object::new().with("name", rule).with("uid", rule).with_choice("type", (1, "Rule"));
    let finding = Object::new()
        .with("uid", uid)
        .with("title", rule)
        .with("analytic", analytic)
        .with_time("first_seen_time", held.since)
        .with_time("last_seen_time", held.until);
    let unmapped = Object::new()
        .with("reason", held.reason.name())
        .with("held", held.count)
        .with_some("suppression", suppression);
    DETECTION_FINDING
        .event(UPDATE, held.until, INFORMATIONAL)
        .with("metadata", metadata(source.version, "held_alerts", LOG, held.until, false))
        .with("device", node(entities.host(id).as_deref(), source))
        .with_choice("status", status)
        .with("finding_info", finding)
        .with("count", count(held.count))
        .with("start_time", milliseconds(held.since))
        .with("end_time", milliseconds(held.until))
        .with("unmapped", unmapped)
        .into()
}

/// The schema's integers are of 32 bits with some readers; the true number is in `unmapped`.
fn count(count: u64) -> u64 {
    count.min(i32::MAX.unsigned_abs().into())
}
