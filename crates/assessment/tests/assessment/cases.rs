//! The cases of the policies: an object cut down to what policies read is told of as the whole object is.

use crate::cluster::{Cluster, all};
use assessment::AssessmentSettings;
use posture::{Evaluator, PolicyFile, PolicySet, Related, Settings};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

fn files(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths
        .filter(|path| path.is_file())
        .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    files
}

fn objects(case: &Value) -> Vec<Value> {
    if case["object"].is_object() {
        return vec![case["object"].clone()];
    }
    let metadata = json!({"labels": {"app": "web"}, "annotations": case["annotations"].as_object().cloned().unwrap_or_default()});
    let template = json!({"metadata": metadata, "spec": case["pod"]});
    let own = json!({"name": "web", "namespace": "shop"});
    let mut pod =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": case["pod"]});
    pod["metadata"]["name"] = json!("web");
    pod["metadata"]["namespace"] = json!("shop");
    vec![
        pod,
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": own, "spec": {"template": template}}),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": own,
            "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}}),
    ]
}

/// Messages of one policy: each tells the offender, what shows it, and what is wrong.
fn told_of_whole(evaluator: &Evaluator, policy: &str, object: &Value) -> BTreeSet<String> {
    let report = evaluator.evaluate(object, &Related::default());
    assert_eq!(report.errors, [], "{object}");
    report
        .findings
        .iter()
        .filter(|one| one.policy == policy)
        .map(|one| one.message.clone())
        .collect()
}

#[test]
fn every_case_of_a_policy_is_told_as_of_the_whole_object() {
    let texts = files("policies");
    let policy_files: Vec<_> = texts.iter().map(|(name, text)| PolicyFile { name, text }).collect();
    let policies = Arc::new(PolicySet::load(&policy_files).unwrap());
    let (mut seen, mut found) = (0, 0);
    for (file, text) in files("policies/tests") {
        let of_file: Vec<Value> = serde_saphyr::from_str(&text).unwrap();
        for of_policy in of_file {
            let policy = of_policy["policy"].as_str().unwrap();
            let cases =
                ["fails", "passes"].iter().flat_map(|list| of_policy[*list].as_array().unwrap());
            let mut by_parameters: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
            for case in cases.filter(|case| case["services"].is_null()) {
                by_parameters.entry(case["parameters"].to_string()).or_default().push(case);
            }
            for cases in by_parameters.into_values() {
                let parameters = cases[0]["parameters"].as_object().cloned().unwrap_or_default();
                let settings: Settings =
                    serde_json::from_value(json!({policy: {"parameters": parameters}})).unwrap();
                let evaluator = Evaluator::new(Arc::clone(&policies), &settings).unwrap();
                let settings = AssessmentSettings {
                    policies: settings,
                    exempt_namespaces: BTreeSet::new(),
                    ..AssessmentSettings::default()
                };
                let mut cluster = Cluster::new(&settings);
                for mut object in cases.iter().flat_map(|case| objects(case)) {
                    if !object["metadata"]["ownerReferences"].is_null() {
                        continue;
                    }
                    let wanted = told_of_whole(&evaluator, policy, &object);
                    object["metadata"]["uid"] = json!("the same each time");
                    cluster.apply(&object);
                    let of_policy = all(&cluster.assessment).into_iter();
                    let of_policy = of_policy.filter(|one| one.policy == policy);
                    let told: BTreeSet<_> = of_policy
                        .flat_map(|one| {
                            one.message.split("; container ").map(str::to_owned).collect::<Vec<_>>()
                        })
                        .collect();
                    let joined: String = told.iter().cloned().collect();
                    for message in &wanted {
                        let message = message.strip_prefix("container ").unwrap_or(message);
                        assert!(
                            joined.contains(message),
                            "{file} {policy}: `{message}` is not in {told:#?} of {object:#}"
                        );
                    }
                    assert_eq!(
                        wanted.is_empty(),
                        told.is_empty(),
                        "{file} {policy}: {wanted:#?} {told:#?} of {object:#}"
                    );
                    seen += 1;
                    found += wanted.len();
                }
            }
        }
    }
    assert!(seen > 300 && found > 150, "{seen} objects, {found} findings");
}
