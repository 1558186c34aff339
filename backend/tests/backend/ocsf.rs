//! Alerts as findings of OCSF: one, and all that match as an export. What a finding holds is tested with the crate.

use crate::publisher::Publisher;
use crate::records::{alert, audit_alert, container};
use crate::running::Backend;
use event_model::{Lane, Priority, Record, SourceId};
use serde_json::Value;
use std::collections::BTreeSet;

async fn export(backend: &Backend, query: &str) -> Vec<Value> {
    let answer = backend.answer(&format!("/api/v1/alerts/ocsf?{query}")).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let text = answer.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn an_alert_is_told_as_a_finding() {
    let backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let shell = alert("Shell", Priority::Critical, &["/bin/sh", "-i"], Some(container('a')));
    let exec = audit_alert("Command in a pod");
    let records = [shell.clone(), exec.clone()].map(|alert| Record::Alert(Box::new(alert)));
    publisher.send(SourceId::generate(), 1, &records).await;
    publisher.acknowledged(Lane::Alert, 2).await;
    let finding = backend.get(&format!("/api/v1/alerts/{}/ocsf", shell.id)).await;
    for (field, value) in [
        ("/class_name", "Detection Finding"),
        ("/severity", "Critical"),
        ("/metadata/version", "1.8.0"),
        ("/finding_info/title", "Shell"),
        ("/evidences/0/process/cmd_line", "/bin/sh -i"),
        ("/evidences/0/process/ancestry/0/name", "nginx"),
        ("/resources/1/name", "web-a"),
        ("/resources/2/name", "node-1"),
        ("/resources/3/name", "test"),
    ] {
        let found = finding.pointer(field).and_then(Value::as_str);
        assert_eq!(found, Some(value), "{field} in {finding:#}");
    }
    let finding = backend.get(&format!("/api/v1/alerts/{}/ocsf", exec.id)).await;
    assert_eq!(finding["actor"]["user"]["name"], "eve@example.com");
    let missing = backend.answer("/api/v1/alerts/00000000-0000-0000-0000-000000000001/ocsf").await;
    assert_eq!(missing.status(), 404);
}

#[tokio::test]
async fn an_export_holds_every_alert_that_matches_once() {
    let backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let records: Vec<_> = (0..250)
        .map(|number| {
            let priority = if number < 7 { Priority::Error } else { Priority::Notice };
            let command = number.to_string();
            Record::Alert(Box::new(alert("Shell", priority, &["/bin/sh", &command], None)))
        })
        .collect();
    publisher.send(SourceId::generate(), 1, &records).await;
    publisher.acknowledged(Lane::Alert, 250).await;
    let findings = export(&backend, "").await;
    let ids: BTreeSet<_> =
        findings.iter().map(|it| it["metadata"]["uid"].as_str().unwrap()).collect();
    assert_eq!((findings.len(), ids.len()), (250, 250));
    let times: Vec<_> = findings.iter().map(|it| it["time"].as_u64().unwrap()).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "the newest first");
    assert_eq!(export(&backend, "minimum_priority=error").await.len(), 7);
    assert!(export(&backend, "node=node-2").await.is_empty());
    let wrong = backend.answer("/api/v1/alerts/ocsf?limit=3").await;
    assert_eq!(wrong.status(), 400, "an export has no pages");
}
