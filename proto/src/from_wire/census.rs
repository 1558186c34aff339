use super::{ConversionError, Result, uuid};
use crate::wire;
use event_model as model;
use uuid::Uuid;

const UIDS: &str = "census.uids";

impl TryFrom<wire::KubernetesCensus> for model::KubernetesCensus {
    type Error = ConversionError;

    fn try_from(raw: wire::KubernetesCensus) -> Result<Self> {
        let census = Self {
            group: raw.group,
            kind: raw.kind,
            resource_version: raw.resource_version,
            taken_at: model::Timestamp(raw.taken_at),
            after: raw.after.map(|uid| uuid(&uid, "census.after")).transpose()?,
            through: raw.through.map(|uid| uuid(&uid, "census.through")).transpose()?,
            uids: uuids(&raw.uids)?,
        };
        if census.is_sorted() { Ok(census) } else { Err(ConversionError::Order { field: UIDS }) }
    }
}

fn uuids(bytes: &[u8]) -> Result<Vec<Uuid>> {
    let (uuids, rest) = bytes.as_chunks();
    let length = rest.len();
    if length > 0 {
        return Err(ConversionError::Uuid { field: UIDS, length });
    }
    Ok(uuids.iter().map(|bytes| Uuid::from_bytes(*bytes)).collect())
}
