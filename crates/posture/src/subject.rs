//! Which objects a policy is asked of.

use serde::{Deserialize, Serialize};

/// A group of kinds that share what a policy reads.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// Pods, and all that make pods by a template.
    Pods,
    /// Pods themselves alone.
    BarePods,
    /// Services.
    Services,
    /// Ingresses.
    Ingresses,
    /// Roles, of namespaces and of the cluster.
    Roles,
    /// Bindings of roles.
    Bindings,
}

/// Resources of one API group, as `matchConstraints.resourceRules` has them. All are of version v1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceRule {
    /// Empty for the core group.
    pub api_group: &'static str,
    /// Plural names; `pods/ephemeralcontainers` is how a debugger adds a container.
    pub resources: &'static [&'static str],
    /// The kinds of their objects.
    pub kinds: &'static [&'static str],
}

const fn rule(
    api_group: &'static str,
    resources: &'static [&'static str],
    kinds: &'static [&'static str],
) -> ResourceRule {
    ResourceRule { api_group, resources, kinds }
}

const PODS: [ResourceRule; 3] = [
    rule(
        "",
        &["pods", "pods/ephemeralcontainers", "replicationcontrollers"],
        &["Pod", "ReplicationController"],
    ),
    rule(
        "apps",
        &["daemonsets", "deployments", "replicasets", "statefulsets"],
        &["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"],
    ),
    rule("batch", &["cronjobs", "jobs"], &["CronJob", "Job"]),
];
const BARE_PODS: [ResourceRule; 1] = [rule("", &["pods"], &["Pod"])];
const SERVICES: [ResourceRule; 1] = [rule("", &["services"], &["Service"])];
const INGRESSES: [ResourceRule; 1] = [rule("networking.k8s.io", &["ingresses"], &["Ingress"])];
const ROLES: [ResourceRule; 1] =
    [rule("rbac.authorization.k8s.io", &["clusterroles", "roles"], &["ClusterRole", "Role"])];
const BINDINGS: [ResourceRule; 1] = [rule(
    "rbac.authorization.k8s.io",
    &["clusterrolebindings", "rolebindings"],
    &["ClusterRoleBinding", "RoleBinding"],
)];

impl Subject {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Pods, Self::BarePods, Self::Services, Self::Ingresses, Self::Roles, Self::Bindings];

    /// Its resources.
    pub const fn resource_rules(self) -> &'static [ResourceRule] {
        match self {
            Self::Pods => &PODS,
            Self::BarePods => &BARE_PODS,
            Self::Services => &SERVICES,
            Self::Ingresses => &INGRESSES,
            Self::Roles => &ROLES,
            Self::Bindings => &BINDINGS,
        }
    }

    /// Whether objects of this kind and version are meant.
    pub fn includes(self, api_version: &str, kind: &str) -> bool {
        let group = match api_version.split_once('/') {
            Some((group, "v1")) => group,
            None if api_version == "v1" => "",
            _ => return false,
        };
        self.resource_rules()
            .iter()
            .any(|rule| rule.api_group == group && rule.kinds.contains(&kind))
    }

    /// The kinds of its objects.
    pub fn kinds(self) -> impl Iterator<Item = &'static str> {
        self.resource_rules().iter().flat_map(|rule| rule.kinds.iter().copied())
    }
}
