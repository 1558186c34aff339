use super::{ConversionError, Result, required, unknown};
use crate::wire;
use event_model as model;

impl TryFrom<wire::Finding> for model::Finding {
    type Error = ConversionError;

    fn try_from(raw: wire::Finding) -> Result<Self> {
        Ok(Self {
            source: source_from_wire(raw.source)?,
            severity: severity_from_wire(raw.severity)?,
            policy: raw.policy,
            title: raw.title,
            object: required(raw.object, "finding.object")?.into(),
            part: raw.part,
            message: raw.message,
            evidence: raw.evidence,
            tags: raw.tags,
        })
    }
}

fn source_from_wire(source: i32) -> Result<model::FindingSource> {
    use wire::FindingSource as Wire;
    match Wire::try_from(source) {
        Ok(Wire::Posture) => Ok(model::FindingSource::Posture),
        Ok(Wire::PodSecurity) => Ok(model::FindingSource::PodSecurity),
        Ok(Wire::Rbac) => Ok(model::FindingSource::Rbac),
        Ok(Wire::Exposure) => Ok(model::FindingSource::Exposure),
        Ok(Wire::Gatekeeper) => Ok(model::FindingSource::Gatekeeper),
        Ok(Wire::PolicyReport) => Ok(model::FindingSource::PolicyReport),
        Ok(Wire::AdmissionPolicy) => Ok(model::FindingSource::AdmissionPolicy),
        Ok(Wire::Unspecified) | Err(_) => Err(unknown("finding.source", source)),
    }
}

fn severity_from_wire(severity: i32) -> Result<model::FindingSeverity> {
    use wire::FindingSeverity as Wire;
    match Wire::try_from(severity) {
        Ok(Wire::Informational) => Ok(model::FindingSeverity::Informational),
        Ok(Wire::Low) => Ok(model::FindingSeverity::Low),
        Ok(Wire::Medium) => Ok(model::FindingSeverity::Medium),
        Ok(Wire::High) => Ok(model::FindingSeverity::High),
        Ok(Wire::Critical) => Ok(model::FindingSeverity::Critical),
        Ok(Wire::Unspecified) | Err(_) => Err(unknown("finding.severity", severity)),
    }
}

impl From<wire::ClusterFacts> for model::ClusterFacts {
    fn from(raw: wire::ClusterFacts) -> Self {
        Self {
            uid: raw.uid,
            version: raw.version,
            distribution: raw.distribution,
            cloud: raw.cloud,
            told_by: raw.told_by,
            nodes: raw.nodes,
        }
    }
}
