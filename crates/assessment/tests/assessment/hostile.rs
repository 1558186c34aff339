//! Objects that mean harm, or are none.

use crate::cluster::{Cluster, all};
use assessment::{Assessment, AssessmentSettings};
use serde_json::{Value, json};

const KINDS: [(&str, &str); 20] = [
    ("v1", "Pod"),
    ("apps/v1", "Deployment"),
    ("batch/v1", "CronJob"),
    ("v1", "Service"),
    ("v1", "Namespace"),
    ("v1", "ServiceAccount"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("networking.k8s.io/v1", "Ingress"),
    ("gateway.networking.k8s.io/v1", "Gateway"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("gateway.networking.k8s.io/v1beta1", "ReferenceGrant"),
    ("route.openshift.io/v1", "Route"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("constraints.gatekeeper.sh/v1beta1", "Any"),
    ("wgpolicyk8s.io/v1alpha2", "PolicyReport"),
    ("openreports.io/v1alpha1", "ClusterReport"),
    ("batch/v1", "Job"),
];

#[test]
fn what_is_no_object_is_counted_for_each_kind() {
    let mut assessment = Assessment::new(&AssessmentSettings::default(), None).unwrap();
    let deep = "[".repeat(10_000);
    let bodies: [&[u8]; 9] = [
        b"",
        b"null",
        b"[]",
        b"{\"metadata\":",
        b"\xff\xfe{}",
        b"{}",
        b"{\"metadata\":null}",
        b"{\"metadata\":{\"name\":[],\"uid\":1}}",
        deep.as_bytes(),
    ];
    for (api_version, kind) in KINDS {
        assert!(assessment.wants(api_version, kind), "{kind}");
        for body in bodies {
            assessment.apply(api_version, kind, body);
        }
        assessment.remove(api_version, kind, "\u{0}");
    }
    assert_eq!(assessment.problems().malformed, (KINDS.len() * bodies.len()) as u64);
    assert_eq!(all(&assessment), []);
}

#[test]
fn objects_that_are_null_or_of_wrong_types_everywhere_do_no_harm() {
    let wrong = [
        json!(null),
        json!(1),
        json!("text"),
        json!([]),
        json!([null, 1, "a", [], {}]),
        json!({}),
        json!({"a": null}),
    ];
    let fields = [
        "spec",
        "status",
        "rules",
        "roleRef",
        "subjects",
        "aggregationRule",
        "results",
        "endpoints",
        "scope",
    ];
    let inner = [
        "template",
        "jobTemplate",
        "containers",
        "volumes",
        "securityContext",
        "selector",
        "ports",
        "rules",
        "listeners",
        "parentRefs",
        "backendRefs",
        "to",
        "violations",
        "clusterRoleSelectors",
        "host",
        "type",
        "externalIPs",
    ];
    let mut cluster = Cluster::of("");
    for (number, (api_version, kind)) in KINDS.into_iter().enumerate() {
        for wrong in &wrong {
            let inside: serde_json::Map<_, _> =
                inner.iter().map(|field| ((*field).to_owned(), wrong.clone())).collect();
            for body in [
                wrong.clone(),
                Value::Object(inside.clone()),
                json!({"template": {"spec": inside}}),
                json!([inside]),
            ] {
                let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": format!("n{number}"), "namespace": "shop", "labels": wrong, "annotations": wrong, "ownerReferences": wrong}});
                for field in fields {
                    object[field] = body.clone();
                }
                cluster.apply(&object);
                cluster.settled();
            }
        }
    }
}

#[test]
fn what_can_not_be_asked_is_a_finding_and_no_pass() {
    let containers: Vec<_> =
        (0..2_000).map(|number| json!({"name": format!("c{number}"), "image": "a"})).collect();
    let mut cluster = Cluster::of("");
    cluster.apply(&json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}, "spec": {"template": {"spec": {"containers": containers}}}}));
    assert_eq!(cluster.found("policy-unanswered"), ["Deployment shop/web [all policies]"]);
    assert!(cluster.assessment.problems().unanswered > 0);
}

#[test]
fn objects_beyond_all_bounds_are_left_out_and_counted() {
    let mut assessment = Assessment::new(&AssessmentSettings::default(), None).unwrap();
    let large = format!(
        "{{\"metadata\":{{\"name\":\"a\",\"uid\":\"b\"}},\"x\":\"{}\"}}",
        "x".repeat(100 << 20)
    );
    assessment.apply("apps/v1", "Deployment", large.as_bytes());
    let many = format!("[{}1]", "1,".repeat(500_000));
    assessment.apply("apps/v1", "Deployment", many.as_bytes());
    assert_eq!(assessment.problems().left_out, 2);
}

fn with_variables(count: usize) -> Value {
    let variables: Vec<_> = (0..count).map(|_| json!({"name": "A"})).collect();
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": {"spec": {"hostPID": true, "containers": [{"name": "a", "image": "b", "env": variables}]}}}})
}

#[test]
fn of_an_object_that_grows_beyond_the_bounds_stands_what_was_found_before() {
    let mut cluster = Cluster::of("");
    cluster.apply(&with_variables(5_000));
    assert_eq!(cluster.assessment.problems().left_out, 0);
    let before = cluster.settled();
    assert!(!before.is_empty());
    cluster.apply(&with_variables(99_990));
    assert_eq!(cluster.assessment.problems().left_out, 1);
    assert_eq!(cluster.settled(), before);
    cluster.remove(&with_variables(0));
    assert_eq!(cluster.settled(), []);
}

#[test]
fn absurd_names_are_told_in_part() {
    let mut cluster = Cluster::of("");
    let name = "ü\u{0}\u{e000}1\u{e001}".repeat(10_000);
    cluster.apply(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": name, "uid": name},
        "spec": {"hostPID": true, "containers": [{"name": name, "image": name}], "volumes": [{"name": name, "hostPath": {"path": name}}]}}));
    let findings = cluster.settled();
    assert!(!findings.is_empty());
    for finding in findings {
        assert!(
            finding.object.name.len() <= 1_024 && finding.message.len() < 8_192,
            "{}",
            finding.message.len()
        );
    }
}
