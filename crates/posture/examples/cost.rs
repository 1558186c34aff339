//! What the policies cost: microseconds an object, over the pods of their cases. `cargo run --release -p posture --example cost`

use posture::{Evaluator, PolicyFile, PolicySet, Related, Settings};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// A Deployment such as many are: a sidecar, an init container, probes, volumes, a hundred lines of environment.
fn deployment() -> Value {
    let environment: Vec<_> = (0..40)
        .map(|number| json!({"name": format!("SETTING_{number}"), "value": "x".repeat(24)}))
        .collect();
    let container = |name: &str| {
        json!({"name": name, "image": format!("registry.example.com/shop/{name}:1.4.2"), "env": environment,
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}}, "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}},
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "config", "mountPath": "/etc/shop", "readOnly": true}]})
    };
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {"replicas": 3, "template": {"metadata": {"labels": {"app": "shop"}}, "spec": {
            "initContainers": [container("migrate")], "containers": [container("shop"), container("proxy")],
            "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "config", "configMap": {"name": "shop"}}]}}}})
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut files = vec![];
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            files.push((path.display().to_string(), std::fs::read_to_string(path)?));
        }
    }
    let files: Vec<_> = files.iter().map(|(name, text)| PolicyFile { name, text }).collect();
    let begin = Instant::now();
    let policies = Arc::new(PolicySet::load(&files)?);
    println!("{} policies read in {:?}", policies.policies().len(), begin.elapsed());
    let evaluator = Evaluator::new(policies, &Settings::default())?;
    let object = deployment();
    let report = evaluator.evaluate(&object, &Related::default());
    println!(
        "{} asked, {} findings, {} errors",
        report.asked,
        report.findings.len(),
        report.errors.len()
    );
    let (begin, times) = (Instant::now(), 2_000_u32);
    for _ in 0..times {
        std::hint::black_box(
            evaluator.evaluate(std::hint::black_box(&object), &Related::default()),
        );
    }
    println!("{:?} an object", begin.elapsed() / times);
    Ok(())
}
