use super::bounded;
use super::metadata::Metadata;
use event_model::KubernetesObject;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Node {
    metadata: Metadata,
    spec: Option<Spec>,
    status: Option<Status>,
}

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
#[serde(rename_all = "camelCase", default)]
struct Status {
    #[serde(deserialize_with = "bounded::list")]
    addresses: Vec<Address>,
    /// All its fields are strings, and all are of use: versions, architecture, boot id.
    #[serde(deserialize_with = "bounded::map")]
    node_info: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

/// Its conditions are not told: they change with every heartbeat.
pub(super) fn read(object: &str) -> Result<(Metadata, KubernetesObject), serde_json::Error> {
    let node: Node = serde_json::from_str(object)?;
    let attributes = attributes(node.spec.unwrap_or_default(), node.status.unwrap_or_default());
    Ok((node.metadata, KubernetesObject { attributes, ..KubernetesObject::default() }))
}

/// Named as the API names the fields: `kubeletVersion`, `bootID`, `InternalIP`, …
fn attributes(spec: Spec, status: Status) -> BTreeMap<String, String> {
    let mut attributes = status.node_info;
    attributes.retain(|_, value| !value.is_empty());
    for Address { kind, address } in status.addresses {
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
    use super::read;
    use serde_json::json;

    #[test]
    fn a_node_is_read_with_its_versions_and_addresses() {
        let node = json!({
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
        });
        let (metadata, object) = read(&node.to_string()).unwrap();
        assert_eq!((&*metadata.name, metadata.namespace), ("worker-1", None));
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
