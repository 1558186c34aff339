use super::metadata;
use super::watched::{Watched, core_resource};
use event_model::KubernetesObject;
use k8s_openapi::ClusterResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What we use of a Node. Not its conditions: they change with every heartbeat.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Node {
    #[serde(deserialize_with = "metadata::lean")]
    metadata: ObjectMeta,
    spec: Option<Spec>,
    status: Option<Status>,
}

core_resource!(Node, ClusterResourceScope);

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(rename = "providerID")]
    provider_id: Option<String>,
    #[serde(rename = "podCIDR")]
    pod_cidr: Option<String>,
    unschedulable: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    addresses: Option<Vec<Address>>,
    /// All its fields are strings, and all are of use: versions, architecture, boot id.
    node_info: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

impl Watched for Node {
    const KIND: &'static str = "Node";
    const API_VERSION: &'static str = "v1";
    const PLURAL: &'static str = "nodes";

    fn into_object(self) -> KubernetesObject {
        let attributes = attributes(self.spec.unwrap_or_default(), self.status.unwrap_or_default());
        KubernetesObject {
            api_version: Self::API_VERSION.to_owned(),
            kind: Self::KIND.to_owned(),
            name: self.metadata.name.unwrap_or_default(),
            uid: self.metadata.uid.unwrap_or_default(),
            labels: self.metadata.labels.unwrap_or_default(),
            attributes,
            ..KubernetesObject::default()
        }
    }
}

/// Named as the API names the fields: `kubeletVersion`, `bootID`, `InternalIP`, …
fn attributes(spec: Spec, status: Status) -> BTreeMap<String, String> {
    let mut attributes: BTreeMap<String, String> = status
        .node_info
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| match value {
            serde_json::Value::String(value) if !value.is_empty() => Some((name, value)),
            _ => None,
        })
        .collect();
    for Address { kind, address } in status.addresses.into_iter().flatten() {
        // A node of two address families has two of a kind.
        let addresses = attributes.entry(kind).or_default();
        *addresses = if addresses.is_empty() { address } else { format!("{addresses},{address}") };
    }
    let unschedulable = spec.unschedulable.filter(|flag| *flag).map(|_| "true".to_owned());
    let of_spec = [
        ("providerID", spec.provider_id),
        ("podCIDR", spec.pod_cidr),
        ("unschedulable", unschedulable),
    ];
    attributes
        .extend(of_spec.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    attributes
}

#[cfg(test)]
mod tests {
    use super::{Node, Watched};
    use serde_json::json;

    #[test]
    fn a_node_is_read_with_its_versions_and_addresses() {
        let node: Node = serde_json::from_value(json!({
            "metadata": {"name": "worker-1", "uid": "9b", "labels": {"zone": "a"}},
            "spec": {"podCIDR": "10.1.0.0/24", "providerID": "kind://x", "unschedulable": true},
            "status": {
                "conditions": [{"type": "Ready", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}],
                "addresses": [
                    {"type": "InternalIP", "address": "10.0.0.1"},
                    {"type": "InternalIP", "address": "fd00::1"},
                    {"type": "Hostname", "address": "worker-1"},
                ],
                "nodeInfo": {"kubeletVersion": "v1.35.0", "bootID": "b00t", "machineID": "",
                             "swap": {"capacity": 1}},
            },
        }))
        .unwrap();
        let object = node.into_object();
        assert_eq!((object.kind.as_str(), object.name.as_str()), ("Node", "worker-1"));
        assert_eq!(object.namespace, None);
        let attributes: Vec<_> =
            object.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            attributes,
            [
                ("Hostname", "worker-1"),
                ("InternalIP", "10.0.0.1,fd00::1"),
                ("bootID", "b00t"),
                ("kubeletVersion", "v1.35.0"),
                ("podCIDR", "10.1.0.0/24"),
                ("providerID", "kind://x"),
                ("unschedulable", "true"),
            ]
        );
    }
}
