use crate::wire;
use event_model as model;
use uuid::Uuid;

impl From<&model::KubernetesCensus> for wire::KubernetesCensus {
    fn from(census: &model::KubernetesCensus) -> Self {
        let bytes = |uid: Uuid| uid.as_bytes().to_vec();
        Self {
            group: census.group.clone(),
            kind: census.kind.clone(),
            resource_version: census.resource_version.clone(),
            taken_at: census.taken_at.0,
            after: census.after.map(bytes),
            through: census.through.map(bytes),
            uids: census.uids.iter().flat_map(Uuid::as_bytes).copied().collect(),
        }
    }
}

/// As an inventory of the cluster in which nothing changed, since that is what readers of before take it for; a record
/// of its own they would refuse, with all that came with it.
impl From<&model::KubernetesCensus> for wire::Inventory {
    fn from(census: &model::KubernetesCensus) -> Self {
        Self {
            kind: wire::InventoryKind::Cluster.into(),
            scanned_at: census.taken_at.0,
            of_cluster: true,
            census: Some(census.into()),
            ..Self::default()
        }
    }
}
