//! Which kinds are watched. The chart's ClusterRole is made from this table.

use super::kind::{Kind, Presence, Reading};
use std::borrow::Cow;

use Presence::{Always, ByDefinition, WhereServed};
use Reading::{Definition, Event, Metadata, Node, Parts, Pod, Unsent, Workload};

const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";
const GATEWAY: &str = "gateway.networking.k8s.io";
const POLICY_REPORTS: &str = "wgpolicyk8s.io";
const OPEN_REPORTS: &str = "openreports.io";

/// The group of Gatekeeper's constraints, each of which is a kind that a template names.
pub(crate) const CONSTRAINTS: &str = "constraints.gatekeeper.sh";

const SPEC: Reading = Parts(&["spec"]);
const RULES: Reading = Parts(&["rules", "aggregationRule"]);
const BINDING: Reading = Parts(&["roleRef", "subjects"]);
const WEBHOOKS: Reading = Parts(&["webhooks"]);
const ROUTE: Reading = Parts(&["spec"]);

const fn kind(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    reading: Reading,
    presence: Presence,
) -> Kind {
    Kind {
        group: Cow::Borrowed(group),
        version: Cow::Borrowed(version),
        kind: Cow::Borrowed(kind),
        plural: Cow::Borrowed(plural),
        reading,
        presence,
        field_selector: None,
    }
}

/// The ordinary ones come with everything that happens.
const WARNINGS: Kind = Kind {
    group: Cow::Borrowed(""),
    version: Cow::Borrowed("v1"),
    kind: Cow::Borrowed("Event"),
    plural: Cow::Borrowed("events"),
    reading: Event,
    presence: Always,
    field_selector: Some("type=Warning"),
};

/// All kinds that are known beforehand, those first that others are read with.
pub(crate) static KINDS: [Kind; 47] = [
    kind("", "v1", "Namespace", "namespaces", Parts(&[]), Always),
    kind("", "v1", "Node", "nodes", Node, Always),
    kind("apps", "v1", "Deployment", "deployments", Workload, Always),
    kind("apps", "v1", "DaemonSet", "daemonsets", Workload, Always),
    kind("apps", "v1", "StatefulSet", "statefulsets", Workload, Always),
    kind("apps", "v1", "ReplicaSet", "replicasets", Workload, Always),
    kind("batch", "v1", "CronJob", "cronjobs", Workload, Always),
    kind("batch", "v1", "Job", "jobs", Workload, Always),
    kind("", "v1", "ReplicationController", "replicationcontrollers", Workload, Always),
    kind("", "v1", "Pod", "pods", Pod, Always),
    kind("", "v1", "ServiceAccount", "serviceaccounts", SERVICE_ACCOUNT, Always),
    kind(RBAC, "v1", "ClusterRole", "clusterroles", RULES, Always),
    kind(RBAC, "v1", "Role", "roles", RULES, Always),
    kind(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", BINDING, Always),
    kind(RBAC, "v1", "RoleBinding", "rolebindings", BINDING, Always),
    kind("", "v1", "Service", "services", Parts(&["spec", "status"]), Always),
    kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", ENDPOINTS, Always),
    kind("networking.k8s.io", "v1", "Ingress", "ingresses", Parts(&["spec", "status"]), Always),
    kind("networking.k8s.io", "v1", "IngressClass", "ingressclasses", SPEC, Always),
    kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", SPEC, Always),
    kind(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        Definition,
        Always,
    ),
    kind("apiregistration.k8s.io", "v1", "APIService", "apiservices", SPEC, WhereServed),
    kind(
        ADMISSION,
        "v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        WEBHOOKS,
        Always,
    ),
    kind(
        ADMISSION,
        "v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        WEBHOOKS,
        Always,
    ),
    // Since Kubernetes 1.30.
    kind(
        ADMISSION,
        "v1",
        "ValidatingAdmissionPolicy",
        "validatingadmissionpolicies",
        SPEC,
        WhereServed,
    ),
    kind(
        ADMISSION,
        "v1",
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        SPEC,
        WhereServed,
    ),
    kind("storage.k8s.io", "v1", "StorageClass", "storageclasses", STORAGE_CLASS, Always),
    kind("", "v1", "PersistentVolume", "persistentvolumes", SPEC, Always),
    kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", SPEC, Always),
    kind("", "v1", "ConfigMap", "configmaps", Metadata, Always),
    kind("", "v1", "Secret", "secrets", Metadata, Always),
    WARNINGS,
    kind(GATEWAY, "v1", "GatewayClass", "gatewayclasses", SPEC, ByDefinition),
    kind(GATEWAY, "v1", "Gateway", "gateways", Parts(&["spec", "status"]), ByDefinition),
    kind(GATEWAY, "v1", "HTTPRoute", "httproutes", ROUTE, ByDefinition),
    kind(GATEWAY, "v1", "GRPCRoute", "grpcroutes", ROUTE, ByDefinition),
    kind(GATEWAY, "v1alpha2", "TLSRoute", "tlsroutes", ROUTE, ByDefinition),
    kind(GATEWAY, "v1alpha2", "TCPRoute", "tcproutes", ROUTE, ByDefinition),
    kind(GATEWAY, "v1alpha2", "UDPRoute", "udproutes", ROUTE, ByDefinition),
    kind(GATEWAY, "v1beta1", "ReferenceGrant", "referencegrants", SPEC, ByDefinition),
    kind("route.openshift.io", "v1", "Route", "routes", OPENSHIFT_ROUTE, WhereServed),
    kind(POLICY_REPORTS, "v1alpha2", "PolicyReport", "policyreports", Unsent, ByDefinition),
    kind(
        POLICY_REPORTS,
        "v1alpha2",
        "ClusterPolicyReport",
        "clusterpolicyreports",
        Unsent,
        ByDefinition,
    ),
    kind(OPEN_REPORTS, "v1alpha1", "Report", "reports", Unsent, ByDefinition),
    kind(OPEN_REPORTS, "v1alpha1", "ClusterReport", "clusterreports", Unsent, ByDefinition),
    kind(
        "templates.gatekeeper.sh",
        "v1",
        "ConstraintTemplate",
        "constrainttemplates",
        SPEC,
        ByDefinition,
    ),
    kind(
        "config.openshift.io",
        "v1",
        "ClusterVersion",
        "clusterversions",
        Parts(&["spec"]),
        ByDefinition,
    ),
];

const SERVICE_ACCOUNT: Reading =
    Parts(&["automountServiceAccountToken", "imagePullSecrets", "secrets"]);
const ENDPOINTS: Reading = Parts(&["addressType", "endpoints", "ports"]);
const STORAGE_CLASS: Reading =
    Parts(&["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"]);
// The spec holds the key of the certificate.
const OPENSHIFT_ROUTE: Reading = Unsent;

/// The kind that a definition of this group and these names makes, where it is one to be watched. `served` are its
/// versions, `plural` and `name` its names.
pub(crate) fn defined(group: &str, name: &str, plural: &str, served: &[String]) -> Option<Kind> {
    let known = KINDS
        .iter()
        .find(|kind| kind.presence == ByDefinition && kind.group == group && kind.plural == plural);
    let kind = match known {
        Some(known) => known.clone(),
        None if group == CONSTRAINTS => constraint(name, plural),
        None => return None,
    };
    let wanted = served.iter().find(|version| **version == kind.version);
    let version = wanted.or(served.first())?.clone();
    Some(Kind { version: version.into(), ..kind })
}

fn constraint(name: &str, plural: &str) -> Kind {
    Kind {
        group: Cow::Borrowed(CONSTRAINTS),
        version: Cow::Borrowed("v1beta1"),
        kind: name.to_owned().into(),
        plural: plural.to_owned().into(),
        reading: Unsent,
        presence: ByDefinition,
        field_selector: None,
    }
}

#[cfg(test)]
mod tests {
    use super::{CONSTRAINTS, KINDS, defined};
    use std::collections::BTreeSet;

    #[test]
    fn no_kind_is_watched_twice() {
        let paths: BTreeSet<_> = KINDS.iter().map(super::Kind::path).collect();
        assert_eq!(paths.len(), KINDS.len());
    }

    #[test]
    fn a_definition_makes_a_kind_of_its_own_group_alone() {
        let served = ["v1beta1".to_owned(), "v1".to_owned()];
        let routes = defined("gateway.networking.k8s.io", "HTTPRoute", "httproutes", &served);
        assert_eq!(routes.unwrap().path(), "/apis/gateway.networking.k8s.io/v1/httproutes");
        assert_eq!(defined("evil.example", "HTTPRoute", "httproutes", &served), None);
        assert_eq!(defined("evil.example", "Pod", "pods", &served), None);
        assert_eq!(defined("", "Pod", "pods", &served), None);
        let required = defined(CONSTRAINTS, "K8sRequiredLabels", "k8srequiredlabels", &served);
        let required = required.unwrap();
        assert_eq!((&*required.version, &*required.label()), ("v1beta1", "Other"));
    }

    #[test]
    fn a_definition_that_serves_another_version_is_read_in_that() {
        let served = ["v1alpha3".to_owned()];
        let kind = defined("gateway.networking.k8s.io", "TCPRoute", "tcproutes", &served).unwrap();
        assert_eq!(kind.version, "v1alpha3");
        assert_eq!(defined("gateway.networking.k8s.io", "TCPRoute", "tcproutes", &[]), None);
    }
}
