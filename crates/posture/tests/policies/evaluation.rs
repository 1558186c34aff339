//! Policies asked of the objects of their cases.

use crate::cases::{self, Case};
use crate::policies;
use posture::{Evaluator, PolicySet, PolicySettings, Report, Settings};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An evaluator of one policy with the parameters of a case.
fn evaluator(policies: &Arc<PolicySet>, policy: &str, case: &Case) -> Evaluator {
    let mut settings: Settings = policies
        .policies()
        .map(|other| {
            (
                other.name.clone(),
                PolicySettings { disabled: other.name != policy, ..PolicySettings::default() },
            )
        })
        .collect();
    settings.entry(policy.to_owned()).or_default().parameters = case.parameters.clone();
    Evaluator::new(Arc::clone(policies), &settings)
        .unwrap_or_else(|error| panic!("{}: {error}", case.what))
}

fn offenders(report: &Report<'_>) -> Vec<String> {
    report.findings.iter().map(|finding| finding.offender.clone()).collect()
}

#[test]
fn each_policy_fails_and_passes_its_cases_in_every_kind_that_has_pods() {
    let policies = policies();
    let (mut wrong, mut asked) = (vec![], 0);
    for of_policy in cases::all() {
        for case in of_policy.fails.iter().chain(&of_policy.passes) {
            let evaluator = evaluator(&policies, &of_policy.policy, case);
            for object in case.objects() {
                let report = evaluator.evaluate(&object, &case.related(&object));
                asked += 1;
                let found = offenders(&report);
                if found != case.finds || !report.errors.is_empty() {
                    wrong.push(format!(
                        "{}: {} ({}): found {found:?} instead of {:?}; errors {:?}",
                        of_policy.policy, case.what, object["kind"], case.finds, report.errors
                    ));
                }
            }
        }
    }
    println!("{asked} evaluations");
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn each_policy_has_at_least_four_cases_that_fail_and_four_that_pass() {
    let mut count: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for of_policy in cases::all() {
        let (fails, passes) = count.entry(of_policy.policy).or_default();
        assert!(
            of_policy.fails.iter().all(|case| !case.finds.is_empty()),
            "a failing case finds nothing"
        );
        assert!(
            of_policy.passes.iter().all(|case| case.finds.is_empty()),
            "a passing case finds something"
        );
        *fails += of_policy.fails.len();
        *passes += of_policy.passes.len();
    }
    for policy in policies().policies() {
        let (fails, passes) = count.remove(&policy.name).unwrap_or_default();
        assert!(fails >= 4 && passes >= 4, "{}: {fails} fail, {passes} pass", policy.name);
    }
    assert!(count.is_empty(), "cases of policies that are not there: {:?}", count.keys());
}

#[test]
fn a_finding_names_the_policy_the_object_the_container_and_the_way_out() {
    let policies = policies();
    let evaluator = Evaluator::new(policies, &Settings::default()).unwrap();
    let object = serde_json::json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": {"spec": {"containers": [{"name": "app", "image": "nginx"}]}}},
    });
    let report = evaluator.evaluate(&object, &posture::Related::default());
    let finding = report.findings.iter().find(|finding| finding.policy == "latest-tag").unwrap();
    assert_eq!(finding.severity, posture::Severity::Low);
    assert_eq!((finding.container(), finding.evidence.as_deref()), (Some("app"), Some("nginx")));
    assert_eq!(
        finding.message,
        "container app (nginx): has an image without a version; name a tag other than latest, or a digest"
    );
    assert_eq!(
        (&*report.object.kind, &*report.object.namespace, &*report.object.name),
        ("Deployment", "shop", "web")
    );
}

#[test]
fn kinds_that_no_policy_is_about_are_not_asked() {
    let evaluator = Evaluator::new(policies(), &Settings::default()).unwrap();
    for (version, kind, asked) in [
        ("v1", "Pod", true),
        ("apps/v1", "Deployment", true),
        ("v1", "Deployment", false),
        ("apps/v1beta1", "Deployment", false),
        ("v1", "Secret", false),
        ("example.com/v1", "Pod", false),
    ] {
        assert_eq!(evaluator.asks_of(version, kind), asked, "{version} {kind}");
    }
}

#[test]
fn what_is_set_of_no_policy_is_refused_with_a_hint() {
    let refused = |yaml: &str| {
        let settings: Settings = serde_saphyr::from_str(yaml).unwrap();
        Evaluator::new(policies(), &settings)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    assert!(refused("no-priviliged: {disabled: true}").contains("did you mean `no-privileged`?"));
    assert!(
        refused("host-path: {parameters: {allowedPath: [/var/log]}}")
            .contains("did you mean `allowedPaths`?")
    );
    assert!(
        refused("host-path: {parameters: {allowedPaths: /var/log}}")
            .contains("`allowedPaths` must be a list of texts")
    );
    assert!(
        refused("trusted-registries: {parameters: {allowedImages: '('}}")
            .contains("must be a regular expression")
    );
    assert!(
        refused("cpu-memory-limits: {parameters: {maximumCpu: lots}}")
            .contains("must be a quantity")
    );
    assert_eq!(refused("host-path: {parameters: {allowedPaths: [/var/log]}}"), "");
}

#[test]
fn a_policy_that_is_disabled_is_not_asked() {
    let pod = serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"hostPID": true}});
    let found = |settings: &Settings| {
        let evaluator = Evaluator::new(policies(), settings).unwrap();
        let report = evaluator.evaluate(&pod, &posture::Related::default());
        report.findings.iter().any(|finding| finding.policy == "host-namespaces")
    };
    assert!(found(&Settings::default()));
    let disabled = PolicySettings { disabled: true, ..PolicySettings::default() };
    assert!(!found(&Settings::from([("host-namespaces".to_owned(), disabled)])));
}
