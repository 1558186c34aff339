//! What an evaluation tells.

use crate::Severity;
use serde_json::Value;

/// Longest text of a name or of evidence, in characters.
const LONGEST: usize = 256;

/// Which object it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectReference {
    /// As `apps/v1`.
    pub api_version: String,
    /// As `Deployment`.
    pub kind: String,
    /// Empty for objects of the cluster.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectReference {
    /// Of what the object says of itself; what it does not say is empty.
    pub fn of(object: &Value) -> Self {
        let text = |value: &Value| shortened(value.as_str().unwrap_or_default());
        let metadata = &object["metadata"];
        Self {
            api_version: text(&object["apiVersion"]),
            kind: text(&object["kind"]),
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
        }
    }
}

/// That an object, or a part of it, does not follow a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding<'p> {
    /// The policy's name.
    pub policy: &'p str,
    /// The policy's.
    pub severity: Severity,
    /// Which of the policy's validations, by its place.
    pub validation: usize,
    /// What the offender is: container, volume, pod, …
    pub of: &'p str,
    /// Its name.
    pub offender: String,
    /// What shows it, where there is more than the name: an image, a path, capabilities.
    pub evidence: Option<String>,
    /// What is wrong and the way out, as the API server would say it.
    pub message: String,
}

impl<'p> Finding<'p> {
    /// The container's name, where one offends.
    pub fn container(&self) -> Option<&str> {
        (self.of == "container").then_some(&*self.offender)
    }

    /// Of what an expression answered, as `NAME` or `NAME (EVIDENCE)`.
    pub(crate) fn new(
        policy: &'p crate::Policy,
        place: usize,
        validation: &'p crate::Validation,
        told: &str,
    ) -> Self {
        let (offender, evidence) =
            match told.strip_suffix(')').and_then(|told| told.split_once(" (")) {
                Some((name, evidence)) => (name, Some(shortened(evidence))),
                None => (told, None),
            };
        Self {
            policy: &policy.name,
            severity: policy.severity,
            validation: place,
            of: &validation.of,
            offender: shortened(offender),
            evidence,
            message: format!("{} {}: {}", validation.of, shortened(told), validation.message),
        }
    }
}

/// That a policy could not be asked: neither followed nor not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluationError<'p> {
    /// The policy's name; none where no policy was asked, since the object is beyond all bounds.
    pub policy: Option<&'p str>,
    /// Why not.
    pub reason: String,
}

/// What all policies tell of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report<'p> {
    /// Which object.
    pub object: ObjectReference,
    /// In the order of the policies.
    pub findings: Vec<Finding<'p>>,
    /// Offenders beyond the most that are told of one question.
    pub more_findings: usize,
    /// What could not be asked. Never a pass.
    pub errors: Vec<EvaluationError<'p>>,
    /// How many policies were asked.
    pub asked: usize,
}

/// The beginning of a text, on one line.
fn shortened(text: &str) -> String {
    let line = |c: char| if c.is_control() { ' ' } else { c };
    if text.chars().nth(LONGEST).is_none() {
        return text.chars().map(line).collect();
    }
    text.chars().take(LONGEST).map(line).chain(['…']).collect()
}
