use super::{Outcome, message, object};
use crate::names::{Name, Names};
use crate::object::{Subject, items, text};
use event_model::{FindingSeverity, FindingSource};
use serde_json::Value;

/// The results of a report that are no pass: of `wgpolicyk8s.io/v1alpha2` and `openreports.io/v1alpha1`, of a namespace or of the cluster.
///
/// <https://github.com/kubernetes-sigs/wg-policy-prototypes/tree/master/policy-report>
pub(crate) fn results(subject: &Subject, report: &Value, names: &mut Names) -> Vec<Outcome> {
    let mut outcomes = vec![];
    let told_by = names.of(&subject.display());
    for result in items(report, "results") {
        let Some(severity) = severity(result) else { continue };
        let resources = [items(result, "resources"), items(result, "subjects")].concat();
        // A result without resources is of the report's own object.
        let resources =
            if resources.is_empty() { vec![report["scope"].clone()] } else { resources };
        let told = match text(result, "message") {
            "" => text(result, "description"),
            told => told,
        };
        for resource in &resources {
            let mut object = object(resource, names);
            if object[3].is_empty() {
                object = of_report(subject, names);
            }
            if object[2].is_empty() && !subject.namespace.is_empty() {
                object[2] = Name::clone(&subject.namespace);
            }
            outcomes.push(Outcome {
                source: FindingSource::PolicyReport,
                policy: names.of(text(result, "policy")),
                severity,
                object,
                part: names.of(text(result, "rule")),
                message: message(told, names),
                told_by: names.of(&source(result, &told_by)),
                tag: names.of(text(result, "category")),
            });
        }
    }
    outcomes
}

fn source(result: &Value, told_by: &str) -> String {
    match text(result, "source") {
        "" => told_by.to_owned(),
        source => format!("{source}, in {told_by}"),
    }
}

fn of_report(subject: &Subject, names: &mut Names) -> [Name; 5] {
    let reference = subject.reference();
    [
        Name::clone(&subject.api_version),
        Name::clone(&subject.kind),
        Name::clone(&subject.namespace),
        Name::clone(&subject.name),
        names.of(&reference.uid),
    ]
}

/// None for what is no finding: passed, or skipped.
fn severity(result: &Value) -> Option<FindingSeverity> {
    let outcome = text(result, "result");
    if !["fail", "warn", "error"].contains(&outcome) {
        return None;
    }
    Some(match text(result, "severity") {
        "critical" => FindingSeverity::Critical,
        "high" => FindingSeverity::High,
        "low" => FindingSeverity::Low,
        "info" => FindingSeverity::Informational,
        _ if outcome == "warn" => FindingSeverity::Low,
        _ => FindingSeverity::Medium,
    })
}
