use super::cluster::{metadata, uid};
use serde_json::{Value, json};

fn name(number: usize) -> String {
    format!("service-{number:05}")
}

fn address(number: usize) -> String {
    format!("10.{}.{}.{}", 32 + number / 65_536, number / 256 % 256, number % 256)
}

/// One in fifty is reachable by a load balancer.
pub(super) fn service(namespace: &str, number: usize) -> Value {
    let name = name(number);
    let mut metadata = metadata("Service", Some(namespace), &name);
    metadata["labels"] = json!({"app.kubernetes.io/name": format!("service-{:03}", number % 200)});
    let is_public = number.is_multiple_of(50);
    let mut port = json!({"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"});
    let mut status = json!({"loadBalancer": {}});
    if is_public {
        port["nodePort"] = json!(30_000 + number % 2_767);
        status = json!({"loadBalancer": {"ingress": [{"hostname": format!("lb-{number}.example.com")}]}});
    }
    let spec = json!({
        "clusterIP": address(number), "clusterIPs": [address(number)],
        "internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
        "ports": [port], "selector": {"app.kubernetes.io/instance": format!("app-{number:05}")},
        "sessionAffinity": "None", "type": if is_public { "LoadBalancer" } else { "ClusterIP" },
    });
    json!({"metadata": metadata, "spec": spec, "status": status})
}

/// The addresses of the pods of the Deployment with this number.
pub(super) fn slice(namespace: &str, number: usize) -> Value {
    let service = name(number);
    let name = format!("{service}-x7k2p");
    let mut metadata = metadata("EndpointSlice", Some(namespace), &name);
    metadata["labels"] = json!({
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": service,
    });
    metadata["ownerReferences"] = json!([{
        "apiVersion": "v1", "kind": "Service", "name": service, "controller": true,
        "blockOwnerDeletion": true, "uid": uid("Service", Some(namespace), &service),
    }]);
    let endpoints: Vec<Value> = (0..super::cluster::PODS_OF_DEPLOYMENT)
        .map(|pod| {
            let name = super::pods::name(number * super::cluster::PODS_OF_DEPLOYMENT + pod);
            json!({
                "addresses": [super::pods::address(number * super::cluster::PODS_OF_DEPLOYMENT + pod)],
                "conditions": {"ready": true, "serving": true, "terminating": false},
                "targetRef": {
                    "kind": "Pod", "namespace": namespace, "name": name, "uid": uid("Pod", Some(namespace), &name),
                },
            })
        })
        .collect();
    let ports = json!([{"name": "http", "port": 8080, "protocol": "TCP"}]);
    json!({"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints, "ports": ports})
}
