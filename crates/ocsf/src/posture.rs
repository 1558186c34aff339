//! What should not be so in a cluster, as the schema's compliance findings.
//!
//! All sources' findings are of the one class. Its Vulnerability Finding asks for a CVE, a CWE or an advisory, and its IAM
//! Analysis Finding for the privileges that were analysed: neither is what a check of a configuration, of roles or of
//! what can be reached tells. And of a finding that is resolved nothing but its id is told: it must be closed in the class
//! that it was created in.

use crate::attack;
use crate::class::{Activity, COMPLIANCE_FINDING, OTHER, metadata};
use crate::finding::Source;
use crate::object::{Choice, Object};
use crate::resource::{AFFECTED, RELATED, resource};
use crate::scene::INFORMATIONAL;
use crate::severity;
use event_model::{Finding, FindingSource, ObjectReference, Timestamp};
use serde_json::Value;
use uuid::Uuid;

const CREATE: Activity<'static> = (1, "Create");
const CLOSE: Activity<'static> = (3, "Close");
const NEW: Choice = (1, "New");
const RESOLVED: Choice = (4, "Resolved");
const FAIL: Choice = (3, "Fail");
const PASS: Choice = (1, "Pass");
const CODE: &str = "findings";
const LOG: &str = "posture";

/// A finding that there is.
pub fn of_finding(finding: &Finding, id: Uuid, time: Timestamp, source: &Source<'_>) -> Value {
    let policy = or_unknown(&finding.policy);
    let severity = severity::of_finding(finding.severity);
    let check = Object::new()
        .with("name", policy)
        .with("desc", finding.title.as_str())
        .with_choice("severity", severity)
        .with_choice("status", FAIL);
    let compliance = Object::new()
        .with("control", policy)
        .with("desc", finding.title.as_str())
        .with("standards", standards(finding.source))
        .with("checks", vec![Value::from(check)])
        .with_choice("status", FAIL)
        .with("status_details", texts(&finding.evidence));
    let title = if finding.title.is_empty() { policy } else { &finding.title };
    let info = Object::new()
        .with("uid", uid(id, source))
        .with("title", title)
        .with("desc", finding.message.as_str())
        .with("types", vec![Value::from(finding.source.name())])
        .with("analytic", analytic(finding))
        .with("attacks", attack::attacks(&finding.tags));
    let unmapped = Object::new()
        .with("item_uid", id.to_string())
        .with("source", finding.source.name())
        .with("part", finding.part.as_str())
        .with("tags", texts(&finding.tags))
        .with("api_version", finding.object.api_version.as_str());
    COMPLIANCE_FINDING
        .event(CREATE, time, severity)
        .with("metadata", metadata(source.version, CODE, LOG, time, false))
        .with_choice("status", NEW)
        .with("message", finding.message.as_str())
        .with("finding_info", info)
        .with("compliance", compliance)
        .with("resources", resources(&finding.object, source))
        .with("unmapped", unmapped)
        .into()
}

/// One that is no more. Which it was, its creation told.
pub fn of_resolved(id: Uuid, time: Timestamp, source: &Source<'_>) -> Value {
    let info = Object::new().with("uid", uid(id, source));
    COMPLIANCE_FINDING
        .event(CLOSE, time, INFORMATIONAL)
        .with("metadata", metadata(source.version, CODE, LOG, time, false))
        .with_choice("status", RESOLVED)
        .with("finding_info", info)
        .with("compliance", Object::new().with_choice("status", PASS))
        .with("unmapped", Object::new().with("item_uid", id.to_string()))
        .into()
}

/// Objects have the same names in many clusters, and their findings the same id.
fn uid(id: Uuid, source: &Source<'_>) -> String {
    match source.cluster.filter(|cluster| !cluster.is_empty()) {
        Some(cluster) => format!("{cluster}/{id}"),
        None => id.to_string(),
    }
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

fn texts(texts: &[String]) -> Vec<Value> {
    texts.iter().filter(|text| !text.is_empty()).map(|text| text.as_str().into()).collect()
}

fn standards(source: FindingSource) -> Vec<Value> {
    match source {
        FindingSource::PodSecurity => vec!["Kubernetes Pod Security Standards".into()],
        _ => vec![],
    }
}

fn analytic(finding: &Finding) -> Object {
    let policy = or_unknown(&finding.policy);
    let kind = match finding.source {
        // An analysis of a graph, which the schema has no word for.
        FindingSource::Rbac | FindingSource::Exposure => (OTHER, "Graph analysis"),
        _ => (1, "Rule"),
    };
    Object::new()
        .with("name", policy)
        .with("uid", policy)
        .with("category", finding.source.name())
        .with_choice("type", kind)
}

fn resources(object: &ObjectReference, source: &Source<'_>) -> Vec<Value> {
    let about = resource(or_unknown(&object.kind), AFFECTED)
        .with("uid", object.uid.as_str())
        .with("name", or_unknown(&object.name))
        .with_some("namespace", object.namespace.clone());
    let cluster = source.cluster.filter(|cluster| !cluster.is_empty());
    let cluster = cluster.map(|name| resource("Kubernetes Cluster", RELATED).with("name", name));
    [Some(about), cluster].into_iter().flatten().map(Value::from).collect()
}
