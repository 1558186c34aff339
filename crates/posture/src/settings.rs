//! What a user sets of policies.

use crate::{Parameter, ParameterValue, Policy, PolicySet};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is set, by the policies' names.
pub type Settings = BTreeMap<String, PolicySettings>;

/// What is set of one policy.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySettings {
    /// It is not asked.
    pub disabled: bool,
    /// The values of its parameters; the rest have their defaults.
    pub parameters: BTreeMap<String, ParameterValue>,
}

/// What is set can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum SettingsError {
    #[error("there is no policy `{policy}`{hint}")]
    UnknownPolicy { policy: String, hint: String },
    #[error("policy `{policy}` has no parameter `{parameter}`{hint}")]
    UnknownParameter { policy: String, parameter: String, hint: String },
    #[error("policy `{policy}`: {reason}")]
    WrongValue { policy: String, reason: String },
}

/// Whether everything that is set names a policy and its parameters, by values that they take.
pub(crate) fn check(settings: &Settings, set: &PolicySet) -> Result<(), SettingsError> {
    for (name, of_policy) in settings {
        let Some(policy) = set.policy(name) else {
            let hint = hint(name, set.policies().map(|policy| &*policy.name));
            return Err(SettingsError::UnknownPolicy { policy: name.clone(), hint });
        };
        for (parameter, value) in &of_policy.parameters {
            check_parameter(policy, parameter, value)?;
        }
    }
    Ok(())
}

fn check_parameter(
    policy: &Policy,
    name: &str,
    value: &ParameterValue,
) -> Result<(), SettingsError> {
    let (policy, parameters) = (policy.name.clone(), &policy.parameters);
    let Some(parameter) = parameters.iter().find(|parameter| parameter.name == name) else {
        let hint = hint(name, parameters.iter().map(|parameter| &*parameter.name));
        return Err(SettingsError::UnknownParameter { policy, parameter: name.to_owned(), hint });
    };
    match parameter.problem(value) {
        Some(reason) => Err(SettingsError::WrongValue { policy, reason }),
        None => Ok(()),
    }
}

fn hint<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    known
        .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)))
        .map(|likest| format!("; did you mean `{likest}`?"))
        .unwrap_or_default()
}

/// A parameter's value: what is set, or its default.
pub(crate) fn value<'v>(
    settings: &'v Settings,
    policy: &Policy,
    parameter: &'v Parameter,
) -> &'v ParameterValue {
    let set =
        settings.get(&policy.name).and_then(|of_policy| of_policy.parameters.get(&parameter.name));
    set.unwrap_or(&parameter.default)
}
