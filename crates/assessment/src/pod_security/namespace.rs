use super::standard::{Level, Violations};
use crate::checks::{self, Check};
use crate::names::{Name, Names};
use crate::object::{Subject, text};
use event_model::{Finding, FindingSeverity};
use serde_json::Value;
use std::sync::Arc;

/// Most workloads that are named as evidence.
const MOST_NAMED: usize = 12;
const PREFIX: &str = "pod-security.kubernetes.io/";
const MODES: [&str; 3] = ["enforce", "warn", "audit"];

/// What a namespace asks of its pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Namespace {
    pub(crate) subject: Subject,
    /// For `enforce`, `warn` and `audit`: level and version, empty where there is no label.
    labels: [(Name, Name); 3],
}

impl Namespace {
    pub(crate) fn new(subject: Subject, object: &Value, names: &mut Names) -> Self {
        let labels = &object["metadata"]["labels"];
        let mut label = |name: &str| names.of(text(labels, name));
        let labels = MODES.map(|mode| {
            (label(&format!("{PREFIX}{mode}")), label(&format!("{PREFIX}{mode}-version")))
        });
        Self { subject, labels }
    }

    fn enforced(&self) -> Level {
        let [(level, _), ..] = &self.labels;
        if level.is_empty() { Level::Privileged } else { Level::of(level) }
    }

    /// The labels as they are, a line each.
    fn told(&self) -> Vec<String> {
        let modes = MODES.iter().zip(&self.labels).filter(|(_, (level, _))| !level.is_empty());
        let told = modes.map(|(mode, (level, version))| {
            let version = if version.is_empty() { "latest" } else { version };
            format!("label {PREFIX}{mode}: {level} ({version})")
        });
        let told: Vec<_> = told.collect();
        if told.is_empty() { vec![format!("no label {PREFIX}…")] } else { told }
    }

    fn wrong_labels(&self) -> Vec<String> {
        let mut wrong = vec![];
        for (mode, (level, version)) in MODES.iter().zip(&self.labels) {
            if !level.is_empty() && Level::of(level).name() != &**level {
                wrong.push(format!("{PREFIX}{mode}: {level}"));
            }
            if !version.is_empty() && !is_version(version) {
                wrong.push(format!("{PREFIX}{mode}-version: {version}"));
            }
        }
        wrong
    }
}

fn is_version(text: &str) -> bool {
    let minor = text.strip_prefix("v1.").map(str::as_bytes);
    text == "latest"
        || minor.is_some_and(|minor| !minor.is_empty() && minor.iter().all(u8::is_ascii_digit))
}

/// What is to be said of a namespace where these workloads run.
pub(crate) fn findings(
    namespace: &Namespace,
    workloads: &[(Arc<Subject>, Violations)],
) -> Vec<Finding> {
    let mut findings = vec![];
    let wrong = namespace.wrong_labels();
    if !wrong.is_empty() {
        let message = format!(
            "admission can't read {}; name privileged, baseline or restricted, and a version such as v1.34 or latest",
            wrong.join(", ")
        );
        findings.push(checks::WRONG_LABEL.finding(namespace.subject.reference(), message, wrong));
    }
    findings.extend(finding(namespace, workloads));
    findings
}

fn finding(namespace: &Namespace, workloads: &[(Arc<Subject>, Violations)]) -> Option<Finding> {
    // What runs nowhere needs nothing, and nobody knows what will.
    let needed = workloads.iter().map(|(_, violations)| violations.level()).min()?;
    let enforced = namespace.enforced();
    let name = &namespace.subject.name;
    let make = |check: &Check, message: String, stricter: Level| {
        let mut evidence = namespace.told();
        evidence.extend(reasons(workloads, stricter));
        check.finding(namespace.subject.reference(), message, evidence)
    };
    let label =
        |level: Level| format!("kubectl label namespace {name} {PREFIX}enforce={}", level.name());
    if needed < enforced {
        let message = format!(
            "enforces {}, and workloads in it need {}; change them before their pods start anew",
            enforced.name(),
            needed.name()
        );
        return Some(make(&checks::BREAKS_LEVEL, message, enforced));
    }
    if enforced == Level::Restricted {
        return None;
    }
    if needed == Level::Privileged {
        let message = format!(
            "enforces nothing, and what runs in it needs privileged; move that to a namespace of its own, or mend it, then: {}",
            label(Level::Baseline)
        );
        let mut finding = make(&checks::NOT_ENFORCED, message, Level::Baseline);
        finding.severity = FindingSeverity::Low;
        return Some(finding);
    }
    if enforced == Level::Privileged {
        let message = format!(
            "enforces nothing, and all that runs in it meets {}: {}",
            needed.name(),
            label(needed)
        );
        return Some(make(&checks::NOT_ENFORCED, message, Level::Restricted));
    }
    if needed > enforced {
        let message = format!(
            "enforces {}, and all that runs in it meets {}: {}",
            enforced.name(),
            needed.name(),
            label(needed)
        );
        return Some(make(&checks::COULD_BE_STRICTER, message, Level::Restricted));
    }
    None
}

/// Which workloads do not meet a level, and why.
fn reasons(workloads: &[(Arc<Subject>, Violations)], level: Level) -> Vec<String> {
    let bad = || workloads.iter().filter(|(_, violations)| violations.level() < level);
    let mut named: Vec<_> = bad().collect();
    named.sort_by(|(a, _), (b, _)| (&a.kind, &a.name, a.key).cmp(&(&b.kind, &b.name, b.key)));
    let reason = |(subject, violations): &&(Arc<Subject>, Violations)| {
        let violated: Vec<_> = violations.names(level).collect();
        format!("{} does not meet {}: {}", subject.display(), level.name(), violated.join(", "))
    };
    let mut reasons: Vec<_> = named.iter().take(MOST_NAMED).map(reason).collect();
    if named.len() > MOST_NAMED {
        reasons.push(format!("and {} more", named.len() - MOST_NAMED));
    }
    reasons
}
