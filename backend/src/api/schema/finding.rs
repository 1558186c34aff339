use super::kubernetes::ObjectReference;
use crate::store::{ClusterRecord, FindingRecord};
use event_model::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Something about an object of a cluster that should not be so.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Finding {
    /// The same each time that it is found.
    pub id: String,
    /// The cluster.
    pub cluster: String,
    /// `open` or `resolved`.
    pub status: &'static str,
    /// `posture`, `pod_security`, `rbac`, `exposure`, `gatekeeper`, `policy_report` or `admission_policy`.
    pub source: &'static str,
    /// The policy or check by its name.
    #[schema(example = "privileged-containers")]
    pub policy: String,
    /// What is wrong, in a line that is the same for all objects.
    pub title: String,
    /// `informational`, `low`, `medium`, `high` or `critical`.
    pub severity: &'static str,
    /// Of which object.
    pub object: ObjectReference,
    /// The part of the object, such as a container's name; empty where it is the whole.
    pub part: String,
    /// What is wrong with this one, and the way out.
    pub message: String,
    /// What shows it, a step a line where it is a way.
    pub evidence: Vec<String>,
    /// Such as a technique of MITRE ATT&CK.
    pub tags: Vec<String>,
    /// When it was first told.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    /// When it was last told to be there.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
    /// When it was found to be no more.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
}

impl From<FindingRecord> for Finding {
    fn from(record: FindingRecord) -> Self {
        let FindingRecord { cluster, id, finding, first_seen, last_seen, resolved_at } = record;
        Self {
            id: id.to_string(),
            cluster,
            status: if resolved_at.is_some() { "resolved" } else { "open" },
            source: finding.source.name(),
            policy: finding.policy,
            title: finding.title,
            severity: finding.severity.name(),
            object: finding.object.into(),
            part: finding.part,
            message: finding.message,
            evidence: finding.evidence,
            tags: finding.tags,
            first_seen,
            last_seen,
            resolved_at,
        }
    }
}

/// What a cluster is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Cluster {
    /// Its name, as publishers' certificates say.
    pub cluster: String,
    /// The uid of its namespace `kube-system`.
    pub uid: String,
    /// The API server's version.
    #[schema(example = "v1.34.1")]
    pub version: String,
    /// `aks`, `eks`, `gke`, `openshift`, `k3s`, … or `kubernetes` where nothing tells more.
    pub distribution: String,
    /// Where its nodes run: `aws`, `azure`, `gce`.
    pub cloud: Option<String>,
    /// What tells the distribution.
    pub told_by: Option<String>,
    /// How many nodes it has.
    pub nodes: u32,
    /// Open findings by their severity.
    pub open_findings: BTreeMap<&'static str, u64>,
    /// When it was first told.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    /// When it was last told.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
}

impl From<ClusterRecord> for Cluster {
    fn from(record: ClusterRecord) -> Self {
        let ClusterRecord { cluster, facts, first_seen, last_seen, open_findings } = record;
        Self {
            cluster,
            uid: facts.uid,
            version: facts.version,
            distribution: facts.distribution,
            cloud: facts.cloud,
            told_by: facts.told_by,
            nodes: facts.nodes,
            open_findings: open_findings
                .into_iter()
                .map(|(severity, count)| (severity.name(), count))
                .collect(),
            first_seen,
            last_seen,
        }
    }
}

/// All clusters that told what they are.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Clusters {
    /// The clusters, by their names.
    pub items: Vec<Cluster>,
}
