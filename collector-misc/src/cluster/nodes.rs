use super::distribution::{Told, cloud, of_node};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

/// What each node tells of the cluster, a few bytes a node.
#[derive(Debug, Default)]
pub(crate) struct Nodes(HashMap<Box<str>, NodeFacts>);

#[derive(Clone, Copy, Debug)]
struct NodeFacts {
    distribution: Option<Told>,
    cloud: Option<&'static str>,
}

#[derive(Deserialize)]
struct Node {
    metadata: Metadata,
    spec: Option<Spec>,
}

#[derive(Deserialize)]
struct Metadata {
    uid: Option<Box<str>>,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Spec {
    #[serde(rename = "providerID")]
    provider_id: Option<String>,
}

impl Nodes {
    /// A node as it is now.
    pub(crate) fn put(&mut self, object: &str) {
        // What can't be read was told of where it was read for the inventory.
        let Ok(node) = serde_json::from_str::<Node>(object) else { return };
        let provider_id = node.spec.and_then(|spec| spec.provider_id).unwrap_or_default();
        let facts = NodeFacts {
            distribution: of_node(&node.metadata.labels.unwrap_or_default(), &provider_id),
            cloud: cloud(&provider_id),
        };
        self.0.insert(node.metadata.uid.unwrap_or_default(), facts);
    }

    /// A node is gone.
    pub(crate) fn remove(&mut self, uid: &str) {
        self.0.remove(uid);
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// What most of those tell that tell any.
    pub(super) fn distribution(&self) -> Option<Told> {
        most(self.0.values().filter_map(|node| node.distribution))
    }

    /// Where most of those run that run in a cloud.
    pub(super) fn cloud(&self) -> Option<&'static str> {
        most(self.0.values().filter_map(|node| node.cloud))
    }
}

/// The value that comes most often; of several the least, so that it is always the same.
fn most<T: Ord>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts = BTreeMap::new();
    values.for_each(|value| *counts.entry(value).or_insert(0_u32) += 1);
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(value, _)| value)
}
