//! Objects that mean harm: never a panic, always an end, and never taken for what is well.

use crate::{cases, policies};
use posture::{Evaluator, Related, Report, Settings};
use proptest::prelude::*;
use serde_json::{Value, json};

fn evaluator() -> Evaluator {
    Evaluator::new(policies(), &Settings::default()).unwrap()
}

fn pod(spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "shop"}, "spec": spec})
}

fn reason(report: &Report<'_>) -> String {
    let reasons: Vec<_> = report.errors.iter().map(|error| error.reason.as_str()).collect();
    reasons.join("; ")
}

#[test]
fn what_is_beyond_the_bounds_is_an_error_and_no_pass() {
    let evaluator = evaluator();
    let mut deep = json!({});
    for _ in 0..100 {
        deep = json!({ "a": deep });
    }
    let many = |count: usize| Value::from(vec![json!({"name": "a", "image": "b"}); count]);
    let text = "x".repeat(posture::LONGEST_TEXTS + 1);
    for (spec, part) in [
        (json!({"affinity": deep}), "nested deeper"),
        (json!({"containers": many(5_000)}), "a list of more than"),
        (
            json!({"containers": many(1_000), "volumes": many(1_000), "a": vec![many(1_000); 6]}),
            "more than 20000 values",
        ),
        (json!({"containers": [{"name": "a", "image": text}]}), "bytes of text"),
    ] {
        let object = pod(&spec);
        let report = evaluator.evaluate(&object, &Related::default());
        assert_eq!((report.errors.len(), report.findings.len(), report.asked), (1, 0, 0), "{part}");
        assert!(reason(&report).contains(part), "{part}: {}", reason(&report));
    }
}

#[test]
fn fields_of_a_wrong_type_are_errors_and_no_pass() {
    let evaluator = evaluator();
    for spec in [
        json!([]),
        json!("text"),
        json!({"containers": "a"}),
        json!({"containers": {"name": "a"}}),
        json!({"containers": ["a"]}),
        json!({"containers": null}),
        json!({"containers": [{"name": "a", "securityContext": "none"}]}),
        json!({"containers": [{"name": "a", "securityContext": {"privileged": "true"}}]}),
        json!({"containers": [{"name": "a", "securityContext": {"capabilities": {"add": "ALL"}}}]}),
        json!({"containers": [{"name": {"a": 1}, "image": "a:1"}]}),
        json!({"containers": [{"name": "a", "image": ["a:1"]}]}),
        json!({"hostPID": "true", "containers": []}),
        json!({"volumes": [{"name": "a", "hostPath": "/"}]}),
        json!({"securityContext": {"runAsUser": "0"}}),
        json!({"securityContext": {"runAsUser": 0.5}}),
    ] {
        let object = pod(&spec);
        let report = evaluator.evaluate(&object, &Related::default());
        assert!(!report.errors.is_empty(), "{spec}: no error; findings {:?}", report.findings);
    }
}

#[test]
fn the_items_of_a_container_without_a_name_are_errors() {
    let report = evaluator()
        .evaluate(&pod(&json!({"containers": [{"image": "nginx"}]})), &Related::default())
        .errors
        .len();
    assert!(report > 0, "{report}");
}

#[test]
fn many_offenders_are_told_up_to_a_bound_and_counted_beyond_it() {
    let containers: Vec<_> = (0..200).map(|number| json!({"name": format!("c{number}"), "image": "a", "securityContext": {"privileged": true}})).collect();
    let evaluator = evaluator();
    let object = pod(&json!({"containers": containers}));
    let report = evaluator.evaluate(&object, &Related::default());
    let told = report.findings.iter().filter(|finding| finding.policy == "no-privileged").count();
    assert_eq!(told, 64);
    assert!(report.more_findings >= 136, "{}", report.more_findings);
}

#[test]
fn long_names_and_line_breaks_are_cut_from_what_is_told() {
    let name = "n\n".repeat(5_000);
    let evaluator = evaluator();
    let object =
        pod(&json!({"hostNetwork": true, "containers": [{"name": name, "image": "nginx"}]}));
    let report = evaluator.evaluate(&object, &Related::default());
    assert!(!report.findings.is_empty());
    for finding in &report.findings {
        assert!(
            finding.message.len() < 1_000 && !finding.message.contains('\n'),
            "{}",
            finding.message.len()
        );
    }
}

#[test]
fn the_worst_object_within_the_bounds_is_answered() {
    let mounts: Vec<_> =
        (0..1_000).map(|number| json!({"name": format!("v{number}"), "mountPath": "/a"})).collect();
    let volumes: Vec<_> = (0..1_000)
        .map(|number| json!({"name": format!("v{number}"), "hostPath": {"path": "/a"}}))
        .collect();
    let evaluator = evaluator();
    let object = pod(
        &json!({"containers": [{"name": "a", "image": "a:1", "volumeMounts": mounts}], "volumes": volumes}),
    );
    let report = evaluator.evaluate(&object, &Related::default());
    assert_eq!(report.errors, []);
    assert!(report.more_findings > 0);
}

/// Any JSON, with the fields that policies read among its keys.
fn any_json() -> impl Strategy<Value = Value> {
    let fields = proptest::sample::select(vec![
        "spec",
        "template",
        "containers",
        "initContainers",
        "name",
        "image",
        "securityContext",
        "capabilities",
        "add",
        "privileged",
        "volumes",
        "hostPath",
        "path",
        "rules",
        "verbs",
        "subjects",
        "roleRef",
        "ports",
        "port",
        "tls",
        "host",
        "annotations",
        "limits",
        "resources",
        "cpu",
        "sysctls",
        "seccompProfile",
        "type",
        "metadata",
        "externalIPs",
        "jobTemplate",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        Just(json!("\u{0}é\n")),
    ];
    leaf.prop_recursive(6, 96, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(fields.clone(), inner, 0..6).prop_map(|entries| {
                entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Value>()
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_object_is_answered_without_a_panic(
        kind in proptest::sample::select(vec![("v1", "Pod"), ("apps/v1", "Deployment"), ("batch/v1", "CronJob"), ("v1", "Service"),
            ("networking.k8s.io/v1", "Ingress"), ("rbac.authorization.k8s.io/v1", "Role"), ("rbac.authorization.k8s.io/v1", "RoleBinding")]),
        spec in any_json(), metadata in any_json(), rules in any_json(),
    ) {
        let object = json!({"apiVersion": kind.0, "kind": kind.1, "spec": spec, "metadata": metadata, "rules": rules, "subjects": spec, "roleRef": metadata});
        let evaluator = evaluator();
        let report = evaluator.evaluate(&object, &Related::default());
        prop_assert!(report.asked > 0 || !report.errors.is_empty());
    }
}

/// A case's object in which one value was exchanged.
fn exchanged(object: &Value, place: usize, by: &Value) -> Value {
    fn walk(value: &mut Value, rest: &mut usize, by: &Value) {
        if *rest == 0 {
            *value = by.clone();
        }
        *rest = rest.wrapping_sub(1);
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| walk(item, rest, by)),
            Value::Object(entries) => entries.values_mut().for_each(|entry| walk(entry, rest, by)),
            _ => {}
        }
    }
    let (mut object, mut rest) = (object.clone(), place);
    walk(&mut object, &mut rest, by);
    object
}

#[test]
fn a_case_with_any_one_value_exchanged_is_answered() {
    let evaluator = evaluator();
    let mut asked = 0;
    for case in cases::all().iter().flat_map(|of_policy| &of_policy.fails) {
        let Some(object) = case.objects().into_iter().next() else { continue };
        for (place, by) in (1..24).flat_map(|place| {
            [json!(null), json!("x"), json!([1]), json!({"a": {}})].map(|by| (place, by))
        }) {
            let changed = exchanged(&object, place, &by);
            let report = evaluator.evaluate(&changed, &Related::default());
            assert!(reason(&report).len() < 40_000);
            asked += 1;
        }
    }
    println!("{asked} objects");
}
