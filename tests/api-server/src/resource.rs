//! Resources: what the URLs of the API call `pods` or `deployments`, and what is known of each.

use std::sync::Arc;

/// One resource in one version of its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Empty for the core group.
    pub group: String,
    /// Such as `v1`.
    pub version: String,
    /// As in paths: `pods`.
    pub plural: String,
    /// `pod`.
    pub singular: String,
    /// `Pod`.
    pub kind: String,
    /// The kind of its lists.
    pub list_kind: String,
    /// Whether its objects are in namespaces.
    pub is_namespaced: bool,
    /// What kubectl takes for it: `po`.
    pub short_names: Vec<String>,
    /// What kubectl takes for it and others: `all`.
    pub categories: Vec<String>,
    /// What hangs below its objects.
    pub subresources: Vec<Subresource>,
    /// Whether a CustomResourceDefinition declares it.
    pub is_custom: bool,
}

/// What hangs below an object, such as `pods/log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subresource {
    /// `log`.
    pub name: String,
    /// The kind that it answers with.
    pub kind: String,
    /// What can be done with it.
    pub verbs: Vec<String>,
}

/// What every resource offers.
pub const VERBS: [&str; 8] =
    ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

impl Resource {
    /// `v1`, `apps/v1`.
    pub fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// `pods`, `deployments.apps`: under this the objects are stored, whatever their version.
    pub fn full_name(&self) -> String {
        match self.group.as_str() {
            "" => self.plural.clone(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// Whether clients change its status by a subresource alone.
    pub fn has_status(&self) -> bool {
        self.subresources.iter().any(|subresource| subresource.name == "status")
    }

    /// Where its lists are served.
    pub fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        let (version, plural) = (self.api_version(), &self.plural);
        match namespace {
            Some(namespace) => format!("{root}/{version}/namespaces/{namespace}/{plural}"),
            None => format!("{root}/{version}/{plural}"),
        }
    }
}

const CLUSTER: bool = false;
const NAMESPACED: bool = true;
const STATUS: &str = "status";

/// Group and version, plural, singular, kind, whether namespaced, short names, subresources.
type Row = (&'static str, &'static str, &'static str, bool, &'static str, &'static str);

const BUILT_IN: [Row; 38] = [
    ("v1", "configmaps", "ConfigMap", NAMESPACED, "cm", ""),
    ("v1", "endpoints", "Endpoints", NAMESPACED, "ep", ""),
    ("v1", "events", "Event", NAMESPACED, "ev", ""),
    ("v1", "namespaces", "Namespace", CLUSTER, "ns", "finalize status"),
    ("v1", "nodes", "Node", CLUSTER, "no", "proxy status"),
    ("v1", "persistentvolumeclaims", "PersistentVolumeClaim", NAMESPACED, "pvc", STATUS),
    ("v1", "persistentvolumes", "PersistentVolume", CLUSTER, "pv", STATUS),
    (
        "v1",
        "pods",
        "Pod",
        NAMESPACED,
        "po",
        "attach binding ephemeralcontainers eviction exec log portforward proxy status",
    ),
    ("v1", "replicationcontrollers", "ReplicationController", NAMESPACED, "rc", STATUS),
    ("v1", "resourcequotas", "ResourceQuota", NAMESPACED, "quota", STATUS),
    ("v1", "secrets", "Secret", NAMESPACED, "", ""),
    ("v1", "serviceaccounts", "ServiceAccount", NAMESPACED, "sa", "token"),
    ("v1", "services", "Service", NAMESPACED, "svc", "proxy status"),
    (
        "admissionregistration.k8s.io/v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        CLUSTER,
        "",
        "",
    ),
    (
        "admissionregistration.k8s.io/v1",
        "validatingadmissionpolicies",
        "ValidatingAdmissionPolicy",
        CLUSTER,
        "",
        STATUS,
    ),
    (
        "admissionregistration.k8s.io/v1",
        "validatingadmissionpolicybindings",
        "ValidatingAdmissionPolicyBinding",
        CLUSTER,
        "",
        "",
    ),
    (
        "admissionregistration.k8s.io/v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        CLUSTER,
        "",
        "",
    ),
    (
        "apiextensions.k8s.io/v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        CLUSTER,
        "crd crds",
        STATUS,
    ),
    ("apiregistration.k8s.io/v1", "apiservices", "APIService", CLUSTER, "", STATUS),
    ("apps/v1", "controllerrevisions", "ControllerRevision", NAMESPACED, "", ""),
    ("apps/v1", "daemonsets", "DaemonSet", NAMESPACED, "ds", STATUS),
    ("apps/v1", "deployments", "Deployment", NAMESPACED, "deploy", STATUS),
    ("apps/v1", "replicasets", "ReplicaSet", NAMESPACED, "rs", STATUS),
    ("apps/v1", "statefulsets", "StatefulSet", NAMESPACED, "sts", STATUS),
    (
        "autoscaling/v2",
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        NAMESPACED,
        "hpa",
        STATUS,
    ),
    ("batch/v1", "cronjobs", "CronJob", NAMESPACED, "cj", STATUS),
    ("batch/v1", "jobs", "Job", NAMESPACED, "", STATUS),
    (
        "certificates.k8s.io/v1",
        "certificatesigningrequests",
        "CertificateSigningRequest",
        CLUSTER,
        "csr",
        "approval status",
    ),
    ("coordination.k8s.io/v1", "leases", "Lease", NAMESPACED, "", ""),
    ("discovery.k8s.io/v1", "endpointslices", "EndpointSlice", NAMESPACED, "", ""),
    ("networking.k8s.io/v1", "ingressclasses", "IngressClass", CLUSTER, "", ""),
    ("networking.k8s.io/v1", "ingresses", "Ingress", NAMESPACED, "ing", STATUS),
    ("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", NAMESPACED, "netpol", ""),
    ("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", NAMESPACED, "pdb", STATUS),
    ("rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding", CLUSTER, "", ""),
    ("rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole", CLUSTER, "", ""),
    ("rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding", NAMESPACED, "", ""),
    ("rbac.authorization.k8s.io/v1", "roles", "Role", NAMESPACED, "", ""),
];

/// After those of the table: kinds whose plural says nothing of their group.
const MORE: [Row; 2] = [
    ("scheduling.k8s.io/v1", "priorityclasses", "PriorityClass", CLUSTER, "pc", ""),
    ("storage.k8s.io/v1", "storageclasses", "StorageClass", CLUSTER, "sc", ""),
];

/// What a server serves without any CustomResourceDefinition.
pub fn built_in() -> Vec<Arc<Resource>> {
    BUILT_IN.iter().chain(&MORE).map(|row| Arc::new(from_row(*row))).collect()
}

fn from_row((api_version, plural, kind, is_namespaced, short, below): Row) -> Resource {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        plural: plural.to_owned(),
        singular: kind.to_lowercase(),
        kind: kind.to_owned(),
        list_kind: format!("{kind}List"),
        is_namespaced,
        short_names: short.split_whitespace().map(str::to_owned).collect(),
        categories: categories(plural),
        subresources: below.split_whitespace().map(|name| subresource(name, kind)).collect(),
        is_custom: false,
    }
}

/// `kubectl get all`, and `kubectl get api-extensions`.
fn categories(plural: &str) -> Vec<String> {
    let all = [
        "cronjobs",
        "daemonsets",
        "deployments",
        "horizontalpodautoscalers",
        "jobs",
        "pods",
        "replicasets",
        "replicationcontrollers",
        "services",
        "statefulsets",
    ];
    let extensions = [
        "apiservices",
        "customresourcedefinitions",
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "validatingwebhookconfigurations",
    ];
    let is_in = |names: &[&str]| names.contains(&plural);
    let category = if is_in(&all) {
        Some("all")
    } else if is_in(&extensions) {
        Some("api-extensions")
    } else {
        None
    };
    category.into_iter().map(str::to_owned).collect()
}

/// The subresource `name` of objects of `kind`, with its verbs.
pub fn subresource(name: &str, kind: &str) -> Subresource {
    let (kind, verbs): (&str, &[&str]) = match name {
        "attach" => ("PodAttachOptions", &["create", "get"]),
        "binding" => ("Binding", &["create"]),
        "eviction" => ("Eviction", &["create"]),
        "exec" => ("PodExecOptions", &["create", "get"]),
        "finalize" => (kind, &["update"]),
        "log" => (kind, &["get"]),
        "portforward" => ("PodPortForwardOptions", &["create", "get"]),
        "proxy" => (
            match kind {
                "Node" => "NodeProxyOptions",
                "Service" => "ServiceProxyOptions",
                _ => "PodProxyOptions",
            },
            &["create", "delete", "get", "patch", "update"],
        ),
        "token" => ("TokenRequest", &["create"]),
        _ => (kind, &["get", "patch", "update"]),
    };
    let verbs = verbs.iter().map(|verb| (*verb).to_owned()).collect();
    Subresource { name: name.to_owned(), kind: kind.to_owned(), verbs }
}
