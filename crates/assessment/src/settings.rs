//! What can be set.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What is assessed, and what is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AssessmentSettings {
    /// Of the posture policies, by their names: `disabled`, and `parameters` as in the chart's `admission.policies`.
    pub policies: posture::Settings,
    /// Checks that are not made: names of those of Pod Security, rights and exposure (docs/posture.md).
    pub disabled_checks: BTreeSet<String>,
    /// Namespaces of whose objects nothing is said. Their service accounts still are steps of others' ways.
    pub exempt_namespaces: BTreeSet<String>,
    /// Whose rights are meant: `User/NAME`, `Group/NAME` or `ServiceAccount/NAMESPACE/NAME`. One that ends with * stands for all
    /// that begin so.
    pub exempt_subjects: BTreeSet<String>,
}

/// The cluster's own namespaces.
const EXEMPT_NAMESPACES: [&str; 3] = ["kube-node-lease", "kube-public", "kube-system"];
/// The cluster's own subjects, and those of kubeadm.
const EXEMPT_SUBJECTS: [&str; 8] = [
    "Group/kubeadm:*",
    "Group/system:bootstrappers*",
    "Group/system:masters",
    "Group/system:monitoring",
    "Group/system:nodes",
    "ServiceAccount/kube-system/*",
    "User/system:kube-*",
    "User/system:node:*",
];

impl Default for AssessmentSettings {
    fn default() -> Self {
        Self {
            policies: posture::Settings::new(),
            disabled_checks: BTreeSet::new(),
            exempt_namespaces: EXEMPT_NAMESPACES.map(str::to_owned).into(),
            exempt_subjects: EXEMPT_SUBJECTS.map(str::to_owned).into(),
        }
    }
}

/// Why there can be no assessment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum AssessmentError {
    #[error(transparent)]
    Policies(#[from] posture::LoadError),
    #[error("policies: {0}")]
    Settings(#[from] posture::SettingsError),
    #[error("disabled_checks: there is no check `{0}`; docs/posture.md lists them")]
    UnknownCheck(String),
}
