use crate::ObjectReference;
use serde::{Deserialize, Serialize};

/// Something about an object of the cluster that should not be so, for as long as it is so.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// Who found it.
    pub source: FindingSource,
    /// The policy or check by its name, such as `privileged-containers`.
    pub policy: String,
    /// What is wrong, in a line that is the same for all objects.
    pub title: String,
    /// How bad it is.
    pub severity: FindingSeverity,
    /// Of which object.
    pub object: ObjectReference,
    /// The part of the object, such as a container's name; empty where it is the whole.
    pub part: String,
    /// What is wrong with this one, and the way out.
    pub message: String,
    /// What shows it, a step a line where it is a way: who, by which binding, may do what.
    pub evidence: Vec<String>,
    /// Such as a technique of MITRE ATT&CK, or the name of a well-known alert.
    pub tags: Vec<String>,
}

/// Who finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingSource {
    /// Our own posture policies.
    Posture,
    /// The Pod Security Standards.
    PodSecurity,
    /// The graph of roles and bindings.
    Rbac,
    /// What can be reached from outside.
    Exposure,
    /// Constraints of Gatekeeper.
    Gatekeeper,
    /// Reports of the policy working group's API (`wgpolicyk8s.io`, `openreports.io`), such as Kyverno's.
    PolicyReport,
    /// A `ValidatingAdmissionPolicy` that noted a violation in an audit annotation.
    AdmissionPolicy,
}

impl FindingSource {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Posture,
        Self::PodSecurity,
        Self::Rbac,
        Self::Exposure,
        Self::Gatekeeper,
        Self::PolicyReport,
        Self::AdmissionPolicy,
    ];

    /// As in JSON and in queries.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Posture => "posture",
            Self::PodSecurity => "pod_security",
            Self::Rbac => "rbac",
            Self::Exposure => "exposure",
            Self::Gatekeeper => "gatekeeper",
            Self::PolicyReport => "policy_report",
            Self::AdmissionPolicy => "admission_policy",
        }
    }
}

/// How bad a finding is: the severities of OCSF. The worst sorts last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // The names are OCSF's.
pub enum FindingSeverity {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

impl FindingSeverity {
    /// All of them, the worst last.
    pub const ALL: [Self; 5] =
        [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// As in JSON and in queries.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What the cluster is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// The uid of its namespace `kube-system`, which is as old as the cluster is.
    pub uid: String,
    /// The API server's version, such as `v1.34.1`.
    pub version: String,
    /// `aks`, `eks`, `gke`, `openshift`, `k3s`, `rke2`, `kind`, … or `kubernetes` where nothing tells more.
    pub distribution: String,
    /// Where its nodes run, as their `providerID` begins: `aws`, `azure`, `gce`; None on machines of no cloud.
    pub cloud: Option<String>,
    /// What tells the distribution, such as a label of a node.
    pub told_by: Option<String>,
    /// How many nodes it has.
    pub nodes: u32,
}
