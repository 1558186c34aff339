use crate::class::{Activity, DETECTION_FINDING};
use crate::object::{Object, milliseconds};
use crate::observable::observables;
use crate::severity::severity;
use crate::{VERSION, attack, device, evidence, process, resource};
use event_model::{Alert, Process, Timestamp};
use serde_json::{Value, json};

/// A finding that is told for the first time.
const CREATE: Activity<'static> = (1, "Create");

/// What is known beside the alert itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Source<'a> {
    /// The version of the program that tells the finding.
    pub version: &'a str,
    /// The cluster.
    pub cluster: Option<&'a str>,
    /// The node; None: as the alert's host says.
    pub node: Option<&'a str>,
    /// When the alert was stored.
    pub received_at: Option<Timestamp>,
    /// Alerts that it stands for beside its own.
    pub repeats: Repeats,
}

/// Alerts that were counted instead of sent, and stand behind one that was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeats {
    /// That tell the same.
    pub repeated: u64,
    /// That tell other acts, and passed the limit of their rule in this place.
    pub rate_limited: u64,
    /// When the last of them happened.
    pub until: Option<Timestamp>,
}

/// The alert as a detection finding.
pub fn detection_finding(alert: &Alert, source: &Source<'_>) -> Value {
    let evidences = evidence::evidences(alert);
    let finding = DETECTION_FINDING
        .event(CREATE, alert.time, severity(alert.priority))
        .with_choice("status", (1, "New"))
        .with("is_alert", true)
        .with_choice("action", (3, "Observed"))
        .with_choice("disposition", (15, "Detected"))
        .with("message", alert.message.as_str())
        .with("metadata", metadata(alert, source))
        .with("finding_info", finding_info(alert, source))
        .with("evidences", evidences)
        .with_some("actor", evidence::actor(alert))
        .with("device", device::device(&alert.host))
        .with("resources", resource::resources(alert, source))
        .with("unmapped", unmapped(alert, source));
    let finding = with_repeats(finding, alert, source.repeats);
    let observables = observables(&finding);
    finding.with("observables", observables).into()
}

fn metadata(alert: &Alert, source: &Source<'_>) -> Object {
    let mut profiles = vec!["host", "security_control"];
    if process::is_in_container(alert) {
        profiles.push("container");
    }
    let labels: Vec<&str> = alert
        .tags
        .iter()
        .map(String::as_str)
        .filter(|tag| !attack::is_attack(tag) && !tag.is_empty())
        .collect();
    Object::new()
        .with("version", VERSION)
        .with("uid", alert.id.to_string())
        .with("product", product(source.version))
        .with("profiles", profiles)
        .with("labels", labels)
        .with("event_code", alert.rule.as_str())
        .with("log_name", if alert.audit().is_some() { "kubernetes_audit" } else { "linux_kernel" })
        .with("original_time", alert.time.to_string())
        .with_time("processed_time", alert.detected_at)
        .with_some("logged_time", source.received_at.map(milliseconds))
}

/// Who tells it.
pub fn product(version: &str) -> Object {
    Object::new()
        .with("name", "Defender")
        .with("uid", "defender")
        .with("vendor_name", "Defender")
        .with("version", version)
}

fn finding_info(alert: &Alert, source: &Source<'_>) -> Object {
    let rule = if alert.rule.is_empty() { "unknown" } else { alert.rule.as_str() };
    let analytic = Object::new()
        .with("name", rule)
        .with("uid", rule)
        .with_choice("type", (1, "Rule"))
        .with_choice("state", (1, "Active"));
    let last = source.repeats.until.unwrap_or(alert.time).max(alert.time);
    Object::new()
        .with("uid", alert.id.to_string())
        .with("title", rule)
        .with("desc", alert.message.as_str())
        .with("analytic", analytic)
        .with("attacks", attack::attacks(&alert.tags))
        .with_time("created_time", alert.detected_at)
        .with_time("first_seen_time", alert.time)
        .with_time("last_seen_time", last)
}

/// How many acts it stands for, where there were more than its own.
fn with_repeats(finding: Object, alert: &Alert, repeats: Repeats) -> Object {
    if repeats.repeated == 0 {
        return finding;
    }
    let last = repeats.until.unwrap_or(alert.time).max(alert.time);
    // The schema's integers are of 32 bits with some readers.
    let count = repeats.repeated.saturating_add(1).min(i32::MAX.unsigned_abs().into());
    finding
        .with("count", count)
        .with("start_time", milliseconds(alert.time))
        .with("end_time", milliseconds(last))
}

/// What the schema has no place for.
fn unmapped(alert: &Alert, source: &Source<'_>) -> Object {
    let process = alert.process_chain().first().map(credentials);
    let limited = source.repeats.rate_limited;
    Object::new()
        .with("priority", alert.priority.name())
        .with_some("cluster", source.cluster)
        .with_some("process", process)
        .with_some("rate_limited", (limited > 0).then_some(limited))
        .with_some(
            "impersonated_user",
            alert
                .audit()
                .and_then(|event| event.impersonated_user.as_ref().map(|user| user.name.clone())),
        )
}

fn credentials(process: &Process) -> Value {
    let (credentials, executable) = (&process.credentials, &process.executable);
    json!({
        "effective_uid": credentials.euid,
        "effective_gid": credentials.egid,
        "login_uid": credentials.login_uid,
        "capabilities_effective": credentials.capabilities_effective,
        "program_written_since_start": executable.upper_layer,
        "program_in_memory": executable.memfd,
    })
}
