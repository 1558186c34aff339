//! What the cluster is: its identity, its version, who makes it and where its nodes run. Pure.

mod distribution;
mod nodes;

pub(crate) use nodes::Nodes;

use event_model::ClusterFacts;

/// What is known of the cluster.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    /// The uid of the namespace `kube-system`.
    uid: String,
    /// As the API server tells it.
    version: String,
    nodes: Nodes,
}

impl Cluster {
    /// The namespace `kube-system` has this uid.
    pub(crate) fn identify(&mut self, uid: &str) {
        uid.clone_into(&mut self.uid);
    }

    /// The API server's version, such as `v1.34.1-gke.100`.
    pub(crate) fn set_version(&mut self, version: String) {
        self.version = version;
    }

    /// Its nodes.
    pub(crate) fn nodes(&mut self) -> &mut Nodes {
        &mut self.nodes
    }

    /// All of it; None while it is not known which cluster it is, and of which version.
    pub(crate) fn facts(&self) -> Option<ClusterFacts> {
        if self.uid.is_empty() || self.version.is_empty() {
            return None;
        }
        let told = self.nodes.distribution().or_else(|| distribution::of_version(&self.version));
        Some(ClusterFacts {
            uid: self.uid.clone(),
            version: self.version.clone(),
            distribution: told.map_or("kubernetes", |told| told.name).to_owned(),
            cloud: self.nodes.cloud().map(str::to_owned),
            told_by: told.map(|told| told.by.to_owned()),
            nodes: self.nodes.count(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Cluster;
    use serde_json::{Value, json};

    fn cluster(version: &str, nodes: &[Value]) -> Cluster {
        let mut cluster = Cluster::default();
        cluster.identify("5e1f");
        cluster.set_version(version.to_owned());
        for (number, node) in nodes.iter().enumerate() {
            let mut node = node.clone();
            node["metadata"]["uid"] = json!(number.to_string());
            cluster.nodes().put(&node.to_string());
        }
        cluster
    }

    fn told(version: &str, node: Value) -> (String, Option<String>) {
        let facts = cluster(version, &[node]).facts().unwrap();
        (facts.distribution, facts.cloud)
    }

    #[test]
    fn each_distribution_is_known_by_what_its_nodes_or_its_version_tell() {
        let some = |cloud: &str| Some(cloud.to_owned());
        let aks = json!({"metadata": {"labels": {"kubernetes.azure.com/cluster": "rg"}},
            "spec": {"providerID": "azure:///subscriptions/x"}});
        assert_eq!(told("v1.33.2", aks), ("aks".into(), some("azure")));
        let eks = json!({"metadata": {"labels": {"eks.amazonaws.com/nodegroup": "a"}},
            "spec": {"providerID": "aws:///eu-west-1a/i-0"}});
        assert_eq!(told("v1.33.1-eks-1", eks), ("eks".into(), some("aws")));
        let gke = json!({"metadata": {"labels": {"cloud.google.com/gke-nodepool": "a"}},
            "spec": {"providerID": "gce://project/zone/name"}});
        assert_eq!(told("v1.33.1-gke.5", gke), ("gke".into(), some("gce")));
        let openshift = json!({"metadata": {"labels": {"node.openshift.io/os_id": "rhcos"}},
            "spec": {"providerID": "aws:///x"}});
        assert_eq!(told("v1.31.6", openshift), ("openshift".into(), some("aws")));
        let kind = json!({"spec": {"providerID": "kind://docker/kind/kind-control-plane"}});
        assert_eq!(told("v1.34.0", kind), ("kind".into(), None));
        assert_eq!(told("v1.34.1+k3s1", json!({"metadata": {}})).0, "k3s");
        assert_eq!(told("v1.34.1+rke2r1", json!({"metadata": {}})).0, "rke2");
        assert_eq!(told("v1.34.1", json!({"metadata": {}})), ("kubernetes".into(), None));
    }

    #[test]
    fn a_node_of_another_making_does_not_change_what_the_cluster_is() {
        let eks = json!({"metadata": {"labels": {"eks.amazonaws.com/nodegroup": "a"}},
            "spec": {"providerID": "aws:///x"}});
        let stranger = json!({"metadata": {"labels": {"kubernetes.azure.com/cluster": "x"}}});
        let mut cluster = cluster("v1.33.1", &[eks.clone(), stranger, eks]);
        let facts = cluster.facts().unwrap();
        assert_eq!((&*facts.distribution, facts.nodes), ("eks", 3));
        cluster.nodes().remove("0");
        cluster.nodes().remove("2");
        assert_eq!(cluster.facts().unwrap().distribution, "aks");
        assert_eq!(cluster.facts().unwrap().nodes, 1);
    }

    #[test]
    fn nothing_is_told_of_a_cluster_that_is_not_known_yet() {
        assert_eq!(Cluster::default().facts(), None);
    }
}
