use crate::cluster::Cluster;
use event_model::FindingSeverity;

fn service(name: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Service, metadata: {{name: {name}, namespace: shop}}, spec: {{selector: {{app: web}}, {spec}}}}}\n---\n"
    )
}

fn deployment(image: &str, more: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: shop}}
spec: {{template: {{metadata: {{labels: {{app: web, tier: a}}}}, spec: {{containers: [{{name: web, image: '{image}'{more}}}]}}}}}}
---
"
    )
}

const LOAD_BALANCER: &str = "type: LoadBalancer, ports: [{port: 80}]";

#[test]
fn a_load_balancer_is_told_with_the_workloads_behind_it() {
    let mut cluster = Cluster::of(&(deployment("shop:1", "") + &service("front", LOAD_BALANCER)));
    let finding = cluster.only("exposed-workload");
    assert_eq!(
        finding.evidence,
        ["Service shop/front: load balancer for everyone", "→ Deployment shop/web (shop:1)"]
    );
    assert_eq!(finding.severity, FindingSeverity::Informational);
}

#[test]
fn what_only_the_private_network_reaches_is_not_told() {
    for spec in [
        "type: ClusterIP",
        "type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8, 192.168.1.0/24]",
        "type: LoadBalancer, loadBalancerClass: service.k8s.aws/nlb",
        "externalIPs: [10.1.2.3]",
    ] {
        assert_eq!(
            Cluster::of(&service("front", spec)).found("exposed-workload"),
            [""; 0],
            "{spec}"
        );
    }
    for annotation in [
        "service.beta.kubernetes.io/azure-load-balancer-internal: 'true'",
        "service.beta.kubernetes.io/aws-load-balancer-internal: 'true'",
        "service.beta.kubernetes.io/aws-load-balancer-scheme: internal",
        "networking.gke.io/load-balancer-type: Internal",
    ] {
        let internal = service("front", LOAD_BALANCER)
            .replace("namespace: shop", &format!("namespace: shop, annotations: {{{annotation}}}"));
        assert_eq!(Cluster::of(&internal).found("exposed-workload"), [""; 0], "{annotation}");
    }
    for spec in ["type: NodePort", "externalIPs: [203.0.113.7]", LOAD_BALANCER] {
        assert_eq!(
            Cluster::of(&service("front", spec)).found("exposed-workload"),
            ["Service shop/front"],
            "{spec}"
        );
    }
}

#[test]
fn applications_are_known_by_image_name_label_and_port_and_tagged_as_the_alerts() {
    for (image, name, port, policy, tag) in [
        (
            "kubernetesui/dashboard:v2.7.0",
            "front",
            443,
            "exposed-dashboard",
            "K8S_ExposedDashboard",
        ),
        ("a", "headlamp", 80, "exposed-dashboard", "K8S_ExposedDashboard"),
        ("docker.io/bitnami/redis:7@sha256:00", "front", 1, "exposed-redis", "K8S_ExposedRedis"),
        ("a", "front", 6379, "exposed-redis", "K8S_ExposedRedis"),
        ("postgres:16", "front", 1, "exposed-postgres", "K8S_ExposedPostgresBroadIPRange"),
        (
            "registry:5000/grafana/grafana:11",
            "front",
            1,
            "exposed-application",
            "K8S_ExposedService",
        ),
        ("a", "argocd-server", 80, "exposed-application", "K8S_ExposedService"),
        (
            "quay.io/jupyter/minimal-notebook",
            "front",
            1,
            "exposed-application",
            "K8S_ExposedService",
        ),
        ("registry:2", "docker-registry", 1, "exposed-application", "K8S_ExposedService"),
        ("mongo", "front", 1, "exposed-application", "K8S_ExposedService"),
    ] {
        let service = service(name, &format!("type: NodePort, ports: [{{port: {port}}}]"));
        let finding = Cluster::of(&(deployment(image, "") + &service)).only(policy);
        assert!(finding.tags.iter().any(|one| one == tag), "{image} {name}: {:?}", finding.tags);
    }
    let shop = deployment("example.com/redistribution:1", "") + &service("front", LOAD_BALANCER);
    assert_eq!(Cluster::of(&shop).found("exposed-workload").len(), 1);
}

#[test]
fn postgres_is_told_by_how_broad_its_networks_are_and_by_whom_it_trusts() {
    let ranges = |ranges: &str| {
        service("db", &format!("type: LoadBalancer, loadBalancerSourceRanges: [{ranges}]"))
    };
    let database = deployment("postgres:16", "");
    assert_eq!(
        Cluster::of(&(database.clone() + &ranges("8.0.0.0/8"))).found("exposed-postgres"),
        ["Service shop/db"]
    );
    let narrow = Cluster::of(&(database + &ranges("203.0.113.0/24"))).only("exposed-application");
    assert_eq!(narrow.severity, FindingSeverity::Low);
    let trusting =
        deployment("postgres:16", ", env: [{name: POSTGRES_HOST_AUTH_METHOD, value: trust}]");
    let finding =
        Cluster::of(&(trusting + &service("db", "type: NodePort"))).only("exposed-postgres-trust");
    assert!(finding.tags.contains(&"K8S_ExposedPostgresTrustAuth".to_owned()));
}

#[test]
fn the_gateway_of_kubeflow_is_told_where_kubeflow_runs() {
    let gateway = service("istio-ingressgateway", LOAD_BALANCER)
        .replace("namespace: shop", "namespace: istio-system");
    let kubeflow = deployment("a", "").replace("namespace: shop", "namespace: kubeflow");
    assert_eq!(Cluster::of(&gateway).found("exposed-kubeflow"), [""; 0]);
    assert_eq!(
        Cluster::of(&(kubeflow + &gateway)).found("exposed-kubeflow"),
        ["Service istio-system/istio-ingressgateway"]
    );
}

const INGRESS: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: site, namespace: shop}
spec:
  ingressClassName: nginx
  rules: [{host: shop.example.com, http: {paths: [{path: /, backend: {service: {name: front, port: {number: 80}}}}]}}]
---
";

#[test]
fn ingresses_and_routes_of_openshift_lead_to_services() {
    let behind = deployment("kibana:8", "") + &service("front", "type: ClusterIP");
    let finding = Cluster::of(&(behind.clone() + INGRESS)).only("exposed-application");
    assert_eq!(finding.part, "service shop/front");
    assert_eq!(finding.evidence[0], "Ingress shop/site: shop.example.com → Service shop/front");
    let internal = INGRESS
        .replace("className: nginx", "className: gce-internal")
        .replace("ClassName: nginx", "ClassName: gce-internal");
    assert_eq!(Cluster::of(&(behind.clone() + &internal)).found("exposed-application"), [""; 0]);
    let route = "{apiVersion: route.openshift.io/v1, kind: Route, metadata: {name: site, namespace: shop}, spec: {host: a.example.com, to: {kind: Service, name: front}}}\n";
    assert_eq!(
        Cluster::of(&(behind + route)).found("exposed-application"),
        ["Route shop/site [service shop/front]"]
    );
}

#[test]
fn gateway_routes_lead_through_gateways_that_take_them() {
    let gateway = |from: &str, class: &str| {
        format!(
            "{{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {{name: public, namespace: edge}}, spec: {{gatewayClassName: {class}, listeners: [{{name: http, port: 80, allowedRoutes: {{namespaces: {{from: {from}}}}}}}]}}}}\n---\n"
        )
    };
    let route = "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: site, namespace: shop}, spec: {parentRefs: [{name: public, namespace: edge}], hostnames: [a.example.com], rules: [{backendRefs: [{name: front, port: 80}]}]}}\n---\n";
    let behind = deployment("kibana:8", "") + &service("front", "type: ClusterIP") + route;
    let found =
        |gateway: &str| Cluster::of(&(behind.clone() + gateway)).found("exposed-application");
    assert_eq!(found(&gateway("All", "istio")), ["HTTPRoute shop/site [service shop/front]"]);
    assert_eq!(found(&gateway("Same", "istio")), [""; 0]);
    assert_eq!(found(&gateway("All", "gke-l7-rilb")), [""; 0]);
    assert_eq!(found(""), [""; 0]);
}

#[test]
fn a_route_leads_to_another_namespace_where_a_reference_grant_there_lets_it() {
    let gateway = "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: public, namespace: edge}, spec: {gatewayClassName: istio, listeners: [{name: http, port: 80}]}}\n---\n";
    let route = "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: site, namespace: edge}, spec: {parentRefs: [{name: public}], rules: [{backendRefs: [{name: front, namespace: shop, port: 80}]}]}}\n---\n";
    let all = deployment("kibana:8", "") + &service("front", "type: ClusterIP") + gateway + route;
    let grant = |namespace: &str, from: &str, to: &str| {
        format!(
            "{{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, metadata: {{name: g, namespace: {namespace}}}, spec: {{from: [{{group: gateway.networking.k8s.io, {from}}}], to: [{to}]}}}}\n"
        )
    };
    let found = |grant: &str| Cluster::of(&(all.clone() + grant)).found("exposed-application");
    let (from_edge, services) = ("kind: HTTPRoute, namespace: edge", "{group: '', kind: Service}");
    for (namespace, from, to) in [
        ("shop", from_edge, services),
        ("shop", from_edge, "{group: '', kind: Secret}, {group: '', kind: Service, name: front}"),
    ] {
        let grant = grant(namespace, from, to);
        assert_eq!(found(&grant), ["HTTPRoute edge/site [service shop/front]"], "{grant}");
    }
    for (namespace, from, to) in [
        ("edge", from_edge, services),
        ("shop", "kind: HTTPRoute, namespace: other", services),
        ("shop", "kind: GRPCRoute, namespace: edge", services),
        ("shop", from_edge, "{group: '', kind: Service, name: other}"),
        ("shop", from_edge, "{group: '', kind: Secret}"),
    ] {
        let grant = grant(namespace, from, to);
        assert_eq!(found(&grant), [""; 0], "{grant}");
    }
    let mut cluster = Cluster::of(&all);
    assert_eq!(cluster.found("exposed-application"), [""; 0]);
    let grant: serde_json::Value =
        serde_saphyr::from_str(&grant("shop", from_edge, services)).unwrap();
    cluster.apply(&grant);
    assert_eq!(cluster.found("exposed-application").len(), 1);
    cluster.remove(&grant);
    assert_eq!(cluster.found("exposed-application"), [""; 0]);
}

#[test]
fn pods_of_a_service_without_a_selector_are_those_that_its_endpoints_name() {
    let service = service("front", LOAD_BALANCER).replace("selector: {app: web}, ", "");
    let slice = "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: front-1, namespace: shop, labels: {kubernetes.io/service-name: front}}, endpoints: [{addresses: [10.0.0.1], targetRef: {kind: Pod, name: web-0}}]}\n";
    let finding = Cluster::of(&(service + slice)).only("exposed-workload");
    assert_eq!(finding.evidence[1], "→ Pod web-0");
}
