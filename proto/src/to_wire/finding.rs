use crate::wire;
use event_model as model;

impl From<&model::Finding> for wire::Finding {
    fn from(finding: &model::Finding) -> Self {
        Self {
            source: source_to_wire(finding.source).into(),
            policy: finding.policy.clone(),
            title: finding.title.clone(),
            severity: severity_to_wire(finding.severity).into(),
            object: Some((&finding.object).into()),
            part: finding.part.clone(),
            message: finding.message.clone(),
            evidence: finding.evidence.clone(),
            tags: finding.tags.clone(),
        }
    }
}

const fn source_to_wire(source: model::FindingSource) -> wire::FindingSource {
    match source {
        model::FindingSource::Posture => wire::FindingSource::Posture,
        model::FindingSource::PodSecurity => wire::FindingSource::PodSecurity,
        model::FindingSource::Rbac => wire::FindingSource::Rbac,
        model::FindingSource::Exposure => wire::FindingSource::Exposure,
        model::FindingSource::Gatekeeper => wire::FindingSource::Gatekeeper,
        model::FindingSource::PolicyReport => wire::FindingSource::PolicyReport,
        model::FindingSource::AdmissionPolicy => wire::FindingSource::AdmissionPolicy,
    }
}

const fn severity_to_wire(severity: model::FindingSeverity) -> wire::FindingSeverity {
    match severity {
        model::FindingSeverity::Informational => wire::FindingSeverity::Informational,
        model::FindingSeverity::Low => wire::FindingSeverity::Low,
        model::FindingSeverity::Medium => wire::FindingSeverity::Medium,
        model::FindingSeverity::High => wire::FindingSeverity::High,
        model::FindingSeverity::Critical => wire::FindingSeverity::Critical,
    }
}

impl From<&model::ClusterFacts> for wire::ClusterFacts {
    fn from(facts: &model::ClusterFacts) -> Self {
        Self {
            uid: facts.uid.clone(),
            version: facts.version.clone(),
            distribution: facts.distribution.clone(),
            cloud: facts.cloud.clone(),
            told_by: facts.told_by.clone(),
            nodes: facts.nodes,
        }
    }
}
