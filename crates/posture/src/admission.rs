//! Policies for the API server: what the chart makes ValidatingAdmissionPolicies of.

use crate::{Parameter, ParameterType, Policy, PolicySet, Subject};
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// The file that the chart reads.
#[derive(Serialize)]
struct File<'p> {
    policies: Vec<AdmissionPolicy<'p>>,
}

/// One policy, in the words of admissionregistration.k8s.io/v1.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AdmissionPolicy<'p> {
    name: &'p str,
    title: &'p str,
    severity: String,
    resource_rules: Vec<MatchedResources>,
    /// Whether an update changes what the policy reads.
    changed: String,
    parameters: Vec<AdmissionParameter<'p>>,
    variables: Vec<AdmissionVariable>,
    validations: Vec<AdmissionValidation<'p>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MatchedResources {
    api_groups: [&'static str; 1],
    api_versions: [&'static str; 1],
    operations: [&'static str; 2],
    resources: Vec<&'static str>,
}

#[derive(Serialize)]
struct AdmissionParameter<'p> {
    name: &'p str,
    #[serde(rename = "type")]
    kind: ParameterType,
    default: serde_json::Value,
}

#[derive(Serialize)]
struct AdmissionVariable {
    name: String,
    expression: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AdmissionValidation<'p> {
    expression: String,
    /// Stands in where the longer message can't be shown.
    message: &'p str,
    message_expression: String,
}

/// The chart's file of policies, as YAML: all that an API server can ask.
///
/// # Errors
/// Where they can't be written as YAML.
pub fn admission_file(policies: &PolicySet) -> Result<String, serde_saphyr::ser::Error> {
    let asked = policies.policies().filter(|policy| policy.needs.is_none());
    let file =
        File { policies: asked.map(|policy| AdmissionPolicy::of(policy, policies)).collect() };
    let head = "# Generated from policies/*.yaml: UPDATE_DOCUMENTATION=1 cargo test -p posture --test policies\n";
    Ok(head.to_owned() + &serde_saphyr::to_string(&file)?)
}

impl<'p> AdmissionPolicy<'p> {
    fn of(policy: &'p Policy, set: &PolicySet) -> Self {
        let shared = set.variables_of(&policy.name);
        let shared = shared.map(|one| variable(&one.name, &one.expression));
        let offenders = policy.validations.iter().enumerate();
        let offenders =
            offenders.map(|(place, one)| variable(&offenders_name(place), &one.offenders));
        let variables = shared.chain(offenders).collect();
        let validations = policy.validations.iter().enumerate();
        let validations = validations.map(|(place, one)| validation(place, one)).collect();
        Self {
            name: &policy.name,
            title: &policy.title,
            severity: policy.severity.to_string(),
            resource_rules: resource_rules(&policy.subjects),
            changed: change_condition(&policy.subjects),
            parameters: policy.parameters.iter().map(parameter).collect(),
            variables,
            validations,
        }
    }
}

fn variable(name: &str, expression: &str) -> AdmissionVariable {
    AdmissionVariable { name: name.to_owned(), expression: expression.to_owned() }
}

fn parameter(parameter: &Parameter) -> AdmissionParameter<'_> {
    AdmissionParameter {
        name: &parameter.name,
        kind: parameter.kind,
        default: parameter.default.to_json(),
    }
}

fn offenders_name(place: usize) -> String {
    format!("offenders{}", place + 1)
}

fn validation(place: usize, validation: &crate::Validation) -> AdmissionValidation<'_> {
    let offenders = format!("variables.{}", offenders_name(place));
    // JSON's texts are the expression language's too.
    let text = |text: String| serde_json::Value::from(text).to_string();
    let before = text(format!("{} ", validation.of));
    let after = text(format!(": {}", validation.message));
    AdmissionValidation {
        expression: format!("{offenders}.size() == 0"),
        message: &validation.message,
        message_expression: format!("{before} + {offenders}.join(', ') + {after}"),
    }
}

fn resource_rules(subjects: &[Subject]) -> Vec<MatchedResources> {
    let mut by_group: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for rule in subjects.iter().flat_map(|subject| subject.resource_rules()) {
        by_group.entry(rule.api_group).or_default().extend(rule.resources);
    }
    let matched = by_group.into_iter().map(|(group, resources)| MatchedResources {
        api_groups: [group],
        api_versions: ["v1"],
        operations: ["CREATE", "UPDATE"],
        resources: resources.into_iter().collect(),
    });
    matched.collect()
}

/// A condition that is false for updates that leave alone what policies read, so that a controller can still scale down, label and
/// finalize what was there before the policy was.
pub fn change_condition(subjects: &[Subject]) -> String {
    let changed = subjects.iter().map(|subject| match subject {
        Subject::Pods => {
            "object.kind == 'Pod' ? object.spec != oldObject.spec \
             : object.kind == 'CronJob' ? object.spec.jobTemplate != oldObject.spec.jobTemplate \
             : object.?spec.?template.orValue({}) != oldObject.?spec.?template.orValue({})"
        }
        Subject::BarePods => {
            "object.?metadata.?ownerReferences.orValue([]) != oldObject.?metadata.?ownerReferences.orValue([])"
        }
        Subject::Services => {
            "object.?spec.orValue({}) != oldObject.?spec.orValue({}) \
             || object.?metadata.?annotations.orValue({}) != oldObject.?metadata.?annotations.orValue({})"
        }
        Subject::Ingresses => "object.?spec.orValue({}) != oldObject.?spec.orValue({})",
        Subject::Roles => "object.?rules.orValue([]) != oldObject.?rules.orValue([])",
        Subject::Bindings => "object.?subjects.orValue([]) != oldObject.?subjects.orValue([])",
    });
    let changed: Vec<_> = changed.map(|changed| format!("({changed})")).collect();
    format!("request.operation == 'CREATE' || {}", changed.join(" || "))
}
