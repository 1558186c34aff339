//! A policy, as its file has it.

use crate::{Parameter, Subject};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How bad it is that an object does not follow a policy.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Severity {
    Low,
    Medium,
    High,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

/// What a policy reads beside the object. The API server has none of it, so such a policy is no admission policy.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// The other Services of the namespace that select the same pods.
    ServicesWithSameSelector,
}

/// An expression with a name, which others read as `variables.NAME`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What it is, for those who write policies.
    pub description: String,
    /// The expression.
    pub expression: String,
}

/// One thing that a policy asks.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// What the offenders are: container, volume, pod, …
    pub of: String,
    /// An expression whose value is the list of those who offend, each as `NAME` or `NAME (EVIDENCE)`. Empty where the object is as it should be.
    pub offenders: String,
    /// What is wrong with an offender, and the way out. Follows its name.
    pub message: String,
}

/// A policy.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// A DNS label: it is part of an admission policy's name.
    pub name: String,
    /// A few words.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// Which objects it is asked of.
    pub subjects: Vec<Subject>,
    /// Benchmarks and techniques: `CIS-…` is an item of the CIS Kubernetes Benchmark, `PSS-…` a level of the Pod Security Standards, `T…` a technique of MITRE ATT&CK.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What holds where it is followed.
    pub description: String,
    /// What may happen where it is not.
    pub why: String,
    /// What can be set.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// What it reads beside the object.
    #[serde(default)]
    pub needs: Option<Need>,
    /// What is asked. Each is asked by itself.
    pub validations: Vec<Validation>,
}
