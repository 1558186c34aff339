use super::LONGEST_MESSAGE;
use crate::names::beginning;
use event_model::{AuditEvent, Finding, FindingSeverity, FindingSource, ObjectReference};
use serde::Deserialize;

/// The annotation of audit events by which `ValidatingAdmissionPolicies` note what failed.
pub const ADMISSION_FAILURE: &str = "validation.policy.admission.k8s.io/validation_failure";
/// Most failures of one request.
const MOST: usize = 64;

/// One of the annotation's list.
#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct Failure {
    message: Option<String>,
    policy: Option<String>,
    binding: Option<String>,
    expression_index: Option<serde_json::Value>,
    validation_actions: Option<Vec<String>>,
}

/// What `ValidatingAdmissionPolicies` noted of a request: each failure is a finding about the object that was asked for. It is a finding for as long
/// as the object is not asked for again, which only who reads the audit events can tell.
///
/// <https://kubernetes.io/docs/reference/labels-annotations-taints/audit-annotations/#validation-policy-admission-k8s-io-validation-failure>
pub fn admission_findings(event: &AuditEvent) -> Vec<Finding> {
    let Some(annotation) = event.annotations.get(ADMISSION_FAILURE) else { return vec![] };
    let Ok(failures) = serde_json::from_str::<Vec<Failure>>(annotation) else { return vec![] };
    failures.into_iter().take(MOST).map(|failure| finding(event, failure)).collect()
}

fn finding(event: &AuditEvent, failure: Failure) -> Finding {
    let actions = failure.validation_actions.unwrap_or_default();
    let is_denied = actions.iter().any(|action| action == "Deny");
    let index = match failure.expression_index {
        Some(serde_json::Value::String(index)) => index,
        Some(index @ serde_json::Value::Number(_)) => index.to_string(),
        _ => String::new(),
    };
    let part = if index.is_empty() || index == "0" {
        String::new()
    } else {
        format!("validation {index}")
    };
    let policy = failure.policy.unwrap_or_default();
    let mut evidence = vec![format!(
        "{} {} by {}: {}",
        event.verb,
        event.request_uri,
        event.user.name,
        if is_denied { "refused" } else { "let through" }
    )];
    evidence.extend(
        failure.binding.map(|binding| format!("ValidatingAdmissionPolicyBinding {binding}")),
    );
    let message = failure.message.unwrap_or_default();
    Finding {
        source: FindingSource::AdmissionPolicy,
        policy: beginning(&policy, LONGEST_MESSAGE).to_owned(),
        title: "ValidatingAdmissionPolicy failed".to_owned(),
        severity: if is_denied { FindingSeverity::Low } else { FindingSeverity::Medium },
        object: object(event),
        part,
        message: beginning(&message, LONGEST_MESSAGE).to_owned(),
        evidence,
        tags: vec![],
    }
}

fn object(event: &AuditEvent) -> ObjectReference {
    let Some(object) = &event.object else { return ObjectReference::default() };
    let version = object.api_version.as_deref().unwrap_or_default();
    let api_version = match &object.api_group {
        Some(group) => format!("{group}/{version}"),
        None => version.to_owned(),
    };
    let name = object.name.clone().or_else(|| event.response_name.clone()).unwrap_or_default();
    ObjectReference {
        api_version,
        kind: kind(&object.resource).to_owned(),
        namespace: object.namespace.clone(),
        name,
        uid: object.uid.clone().unwrap_or_default(),
    }
}

/// The kind of a resource that policies are usually about; of others the resource's own name.
fn kind(resource: &str) -> &str {
    const KINDS: [(&str, &str); 21] = [
        ("clusterrolebindings", "ClusterRoleBinding"),
        ("clusterroles", "ClusterRole"),
        ("configmaps", "ConfigMap"),
        ("cronjobs", "CronJob"),
        ("daemonsets", "DaemonSet"),
        ("deployments", "Deployment"),
        ("endpoints", "Endpoints"),
        ("endpointslices", "EndpointSlice"),
        ("ingresses", "Ingress"),
        ("jobs", "Job"),
        ("namespaces", "Namespace"),
        ("networkpolicies", "NetworkPolicy"),
        ("pods", "Pod"),
        ("replicasets", "ReplicaSet"),
        ("replicationcontrollers", "ReplicationController"),
        ("rolebindings", "RoleBinding"),
        ("roles", "Role"),
        ("secrets", "Secret"),
        ("serviceaccounts", "ServiceAccount"),
        ("services", "Service"),
        ("statefulsets", "StatefulSet"),
    ];
    KINDS.iter().find(|(name, _)| *name == resource).map_or(resource, |(_, kind)| kind)
}
