//! By what distributions of Kubernetes are known.

use std::collections::BTreeMap;

/// A distribution, and what tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Told {
    pub(crate) name: &'static str,
    /// In words.
    pub(crate) by: &'static str,
}

/// Labels that a distribution puts on its nodes. Those stand first that others build upon.
const LABELS: [(&str, Told); 9] = [
    ("node.openshift.io/os_id", told("openshift", "the nodes' label node.openshift.io/os_id")),
    ("kubernetes.azure.com/cluster", told("aks", "the nodes' label kubernetes.azure.com/cluster")),
    ("eks.amazonaws.com/nodegroup", told("eks", "the nodes' label eks.amazonaws.com/nodegroup")),
    (
        "eks.amazonaws.com/compute-type",
        told("eks", "the nodes' label eks.amazonaws.com/compute-type"),
    ),
    (
        "cloud.google.com/gke-nodepool",
        told("gke", "the nodes' label cloud.google.com/gke-nodepool"),
    ),
    (
        "doks.digitalocean.com/node-pool",
        told("doks", "the nodes' label doks.digitalocean.com/node-pool"),
    ),
    (
        "oke.oraclecloud.com/node.info.private_subnet",
        told("oke", "the nodes' labels of oke.oraclecloud.com"),
    ),
    ("minikube.k8s.io/name", told("minikube", "the nodes' label minikube.k8s.io/name")),
    ("microk8s.io/cluster", told("microk8s", "the nodes' label microk8s.io/cluster")),
];

/// Beginnings of a node's `spec.providerID`.
const PROVIDERS: [(&str, Told); 3] = [
    ("kind://", told("kind", "the nodes' providerID kind://")),
    ("k3s://", told("k3s", "the nodes' providerID k3s://")),
    ("ibm://", told("iks", "the nodes' providerID ibm://")),
];

/// Parts of a version.
const VERSIONS: [(&str, Told); 6] = [
    ("-gke.", told("gke", "the version's -gke.")),
    ("-eks-", told("eks", "the version's -eks-")),
    ("+k3s", told("k3s", "the version's +k3s")),
    ("+rke2", told("rke2", "the version's +rke2")),
    ("+k0s", told("k0s", "the version's +k0s")),
    ("+vmware", told("tanzu", "the version's +vmware")),
];

/// Clouds by the beginning of a `providerID`.
const CLOUDS: [(&str, &str); 9] = [
    ("aws://", "aws"),
    ("azure://", "azure"),
    ("gce://", "gce"),
    ("ibm://", "ibm"),
    ("digitalocean://", "digitalocean"),
    ("hcloud://", "hetzner"),
    ("openstack://", "openstack"),
    ("vsphere://", "vsphere"),
    ("oci://", "oracle"),
];

const fn told(name: &'static str, by: &'static str) -> Told {
    Told { name, by }
}

/// What a node tells by its labels and `spec.providerID`.
pub(super) fn of_node(labels: &BTreeMap<String, String>, provider_id: &str) -> Option<Told> {
    let by_label = LABELS.iter().find(|(label, _)| labels.contains_key(*label));
    by_label
        .or_else(|| PROVIDERS.iter().find(|(begin, _)| provider_id.starts_with(begin)))
        .map(|it| it.1)
}

/// What the API server's version tells.
pub(super) fn of_version(version: &str) -> Option<Told> {
    VERSIONS.iter().find(|(part, _)| version.contains(part)).map(|it| it.1)
}

/// In which cloud a node runs.
pub(super) fn cloud(provider_id: &str) -> Option<&'static str> {
    CLOUDS.iter().find(|(begin, _)| provider_id.starts_with(begin)).map(|it| it.1)
}
