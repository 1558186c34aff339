//! The chart's ClusterRole: what it grants is used, and what is used it grants.

use crate::harness::{Collector, Publisher, poll};
use crate::kinds::definition;
use api_server::{ApiServer, Authorization, Options, Right, User};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn chart_rules() -> Value {
    let file =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/defender/files/collector-misc-rules.yaml");
    serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// Definitions of all kinds of others that are granted.
fn definitions() -> Vec<Value> {
    let kinds = [
        ("gateway.networking.k8s.io", "GatewayClass", "gatewayclasses", "v1"),
        ("gateway.networking.k8s.io", "Gateway", "gateways", "v1"),
        ("gateway.networking.k8s.io", "HTTPRoute", "httproutes", "v1"),
        ("gateway.networking.k8s.io", "GRPCRoute", "grpcroutes", "v1"),
        ("gateway.networking.k8s.io", "TLSRoute", "tlsroutes", "v1alpha2"),
        ("gateway.networking.k8s.io", "TCPRoute", "tcproutes", "v1alpha2"),
        ("gateway.networking.k8s.io", "UDPRoute", "udproutes", "v1alpha2"),
        ("gateway.networking.k8s.io", "ReferenceGrant", "referencegrants", "v1beta1"),
        ("route.openshift.io", "Route", "routes", "v1"),
        ("wgpolicyk8s.io", "PolicyReport", "policyreports", "v1alpha2"),
        ("wgpolicyk8s.io", "ClusterPolicyReport", "clusterpolicyreports", "v1alpha2"),
        ("openreports.io", "Report", "reports", "v1alpha1"),
        ("openreports.io", "ClusterReport", "clusterreports", "v1alpha1"),
        ("templates.gatekeeper.sh", "ConstraintTemplate", "constrainttemplates", "v1"),
        ("constraints.gatekeeper.sh", "K8sRequiredLabels", "k8srequiredlabels", "v1beta1"),
        ("config.openshift.io", "ClusterVersion", "clusterversions", "v1"),
        ("apiregistration.k8s.io", "APIService", "apiservices", "v1"),
    ];
    let define =
        |(group, kind, plural, version)| definition(group, kind, plural, version, "Cluster");
    kinds.into_iter().map(define).collect()
}

#[tokio::test]
async fn the_cluster_role_grants_what_is_used_and_nothing_is_granted_in_vain() {
    let options = Options { authorization: Authorization::RoleBased, ..Options::default() };
    let server = ApiServer::start_with(options).unwrap();
    let user = User::service_account("defender", "collector-misc");
    server.change(|cluster| {
        let known: BTreeSet<String> =
            cluster.catalogue().resources().map(|resource| resource.full_name()).collect();
        let missing = |it: &Value| !known.contains(it["metadata"]["name"].as_str().unwrap());
        cluster.apply(definitions().into_iter().filter(missing));
        cluster.apply([
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                "metadata": {"name": "defender-collector-misc"}, "rules": chart_rules()}),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                "metadata": {"name": "defender-collector-misc"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "defender-collector-misc"},
                "subjects": [{"kind": "ServiceAccount", "name": "collector-misc", "namespace": "defender"}]}),
        ]);
    });
    let token = server.issue_token(user.clone());
    let publisher = Publisher::start();
    let collector = Collector::start_with(&server, &publisher, &token, |_| {});
    collector.expect_ready().await;
    let of_resources = |rights: BTreeSet<Right>| -> BTreeSet<Right> {
        rights.into_iter().filter(|right| right.path.is_empty()).collect()
    };
    let granted: BTreeSet<Right> = of_resources(server.granted(&user))
        .into_iter()
        // What each authenticated user may: review itself.
        .filter(|right| right.verb != "create")
        .collect();
    poll("use of all rights", || {
        let in_use = server.used(&user);
        let unused: Vec<_> = granted.difference(&in_use).collect();
        if unused.is_empty() { Ok(()) } else { Err(format!("unused: {unused:#?}")) }
    })
    .await;
    let refused: Vec<_> =
        server.accesses().into_iter().filter(|access| !access.is_allowed).collect();
    assert!(refused.is_empty(), "missing: {refused:#?}");
    collector.stop().await;
}
