//! The tables of docs/policies.md.

use crate::{ParameterValue, Policy, PolicySet, Subject};
use std::fmt::Write as _;

/// A line for each policy. `cases` answers with how many cases fail and pass it.
pub fn policy_table(policies: &PolicySet, cases: impl Fn(&str) -> (usize, usize)) -> String {
    let mut table = "| Policy | Severity | Asked of | What holds | Why | Tags | Parameters | Cases |\n|---|---|---|---|---|---|---|---|\n".to_owned();
    for policy in policies.policies() {
        let (fails, passes) = cases(&policy.name);
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {} | {} | {} | {} | {fails} fail, {passes} pass |",
            policy.name,
            policy.severity,
            kinds(policy),
            policy.description,
            policy.why,
            policy.tags.join(", "),
            parameters(policy),
        );
    }
    table.replace("\n\n", "\n")
}

fn kinds(policy: &Policy) -> String {
    let kinds = policy.subjects.iter().flat_map(|subject| match subject {
        Subject::Pods => vec!["whatever has pods"],
        other => other.kinds().collect(),
    });
    kinds.collect::<Vec<_>>().join(", ")
}

fn parameters(policy: &Policy) -> String {
    let described = policy.parameters.iter().map(|parameter| {
        let default = match &parameter.default {
            ParameterValue::Text(text) if text.is_empty() => "empty".to_owned(),
            value => format!("`{}`", value.to_json()),
        };
        format!("`{}` ({default}): {}", parameter.name, parameter.description).replace('|', "\\|")
    });
    described.collect::<Vec<_>>().join("<br>")
}
