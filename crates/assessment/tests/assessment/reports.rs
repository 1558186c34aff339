use crate::cluster::Cluster;
use assessment::{ADMISSION_FAILURE, admission_findings};
use event_model::{AuditEvent, AuditObject, FindingSeverity, FindingSource};
use serde_json::json;

#[test]
fn violations_of_gatekeepers_constraints_are_told_of_the_objects() {
    let constraint = "
apiVersion: constraints.gatekeeper.sh/v1beta1
kind: K8sRequiredLabels
metadata: {name: must-have-owner}
spec: {enforcementAction: deny}
status:
  totalViolations: 2
  violations:
    - {enforcementAction: deny, group: apps, version: v1, kind: Deployment, name: web, namespace: shop, message: 'you must provide labels: {\"owner\"}'}
    - {enforcementAction: dryrun, group: '', version: v1, kind: Namespace, name: shop, message: no owner}
";
    let mut cluster = Cluster::of(constraint);
    assert_eq!(
        cluster.found("K8sRequiredLabels/must-have-owner"),
        ["Deployment shop/web", "Namespace shop"]
    );
    let all = cluster.settled();
    assert!(all.iter().all(|one| one.source == FindingSource::Gatekeeper));
    assert_eq!(
        all.iter().find(|one| one.object.kind == "Namespace").unwrap().severity,
        FindingSeverity::Low
    );
    cluster.apply_yaml(&constraint[..constraint.find("status:").unwrap()]);
    assert_eq!(cluster.settled(), []);
}

#[test]
fn failed_results_of_policy_reports_are_told_of_their_resources_or_their_scope() {
    let report = |api_version: &str, kind: &str, resource: &str, scope: &str| {
        format!(
            "
apiVersion: {api_version}
kind: {kind}
metadata: {{name: r, namespace: shop}}
{scope}
results:
  - {{policy: require-labels, rule: owner, result: fail, severity: high, source: kyverno, category: Labels, message: no owner, {resource}}}
  - {{policy: require-labels, rule: team, result: pass, {resource}}}
  - {{policy: other, rule: a, result: skip, {resource}}}
"
        )
    };
    let resource = "[{apiVersion: apps/v1, kind: Deployment, namespace: shop, name: web}]";
    let scope =
        "scope: {apiVersion: apps/v1, kind: Deployment, namespace: shop, name: web, uid: a}";
    for manifest in [
        report("wgpolicyk8s.io/v1alpha2", "PolicyReport", &format!("resources: {resource}"), ""),
        report("wgpolicyk8s.io/v1alpha2", "PolicyReport", "scored: true", scope),
        report("openreports.io/v1alpha1", "Report", &format!("resources: {resource}"), ""),
        report("openreports.io/v1alpha1", "Report", &format!("subjects: {resource}"), ""),
    ] {
        let mut cluster = Cluster::of(&manifest);
        assert_eq!(cluster.found("require-labels"), ["Deployment shop/web [owner]"], "{manifest}");
        let finding = cluster.only("require-labels");
        assert_eq!((finding.severity, &*finding.message), (FindingSeverity::High, "no owner"));
        assert_eq!(cluster.settled().len(), 1);
    }
}

#[test]
fn what_an_admission_policy_noted_of_a_request_is_told_of_its_object() {
    let annotation = json!([{"message": "no privileged", "policy": "defender-no-privileged", "binding": "audit", "expressionIndex": "1", "validationActions": ["Audit"]}]);
    let object = AuditObject {
        resource: "deployments".into(),
        namespace: Some("shop".into()),
        name: Some("web".into()),
        api_group: Some("apps".into()),
        api_version: Some("v1".into()),
        ..AuditObject::default()
    };
    let event = |annotation: String| AuditEvent {
        verb: "create".into(),
        object: Some(object.clone()),
        annotations: [(ADMISSION_FAILURE.to_owned(), annotation)].into(),
        ..AuditEvent::default()
    };
    let [finding] = &admission_findings(&event(annotation.to_string()))[..] else {
        panic!("one finding")
    };
    assert_eq!((&*finding.policy, &*finding.message), ("defender-no-privileged", "no privileged"));
    assert_eq!((&*finding.object.api_version, &*finding.object.kind), ("apps/v1", "Deployment"));
    assert!(finding.evidence[0].ends_with("let through"), "{:?}", finding.evidence);
    for broken in ["", "null", "[null]", "{}", "[{\"message\": 1}]", "[[[["] {
        assert_eq!(admission_findings(&event(broken.to_owned())), [], "{broken}");
    }
    assert_eq!(admission_findings(&AuditEvent::default()), []);
}
