//! The kinds of objects from which something is concluded.

/// What an object is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Each is a kind's name, or a group of kinds.
pub(crate) enum Kind {
    Pod,
    ReplicationController,
    DaemonSet,
    Deployment,
    ReplicaSet,
    StatefulSet,
    CronJob,
    Job,
    Service,
    EndpointSlice,
    Ingress,
    Gateway,
    /// Of the Gateway API: which routes of other namespaces may lead to Services.
    ReferenceGrant,
    /// Of the Gateway API: of HTTP, gRPC, TLS, TCP or UDP.
    GatewayRoute,
    /// Of OpenShift.
    Route,
    Namespace,
    ServiceAccount,
    Role,
    ClusterRole,
    RoleBinding,
    ClusterRoleBinding,
    /// Of Gatekeeper.
    Constraint,
    /// Of the policy working group, or of OpenReports.
    PolicyReport,
}

impl Kind {
    /// None where nothing is concluded from it.
    pub(crate) fn of(api_version: &str, kind: &str) -> Option<Self> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        match (group, version) {
            ("", "v1") => core(kind),
            ("apps", "v1") => apps(kind),
            ("batch", "v1") => batch(kind),
            ("discovery.k8s.io", "v1") => (kind == "EndpointSlice").then_some(Self::EndpointSlice),
            ("networking.k8s.io", "v1") => (kind == "Ingress").then_some(Self::Ingress),
            ("rbac.authorization.k8s.io", "v1") => rights(kind),
            ("gateway.networking.k8s.io", _) => gateway(kind),
            ("route.openshift.io", "v1") => (kind == "Route").then_some(Self::Route),
            ("constraints.gatekeeper.sh", _) => Some(Self::Constraint),
            ("wgpolicyk8s.io" | "openreports.io", _) => report(kind),
            _ => None,
        }
    }

    /// It is a pod, or makes pods by a template.
    pub(crate) const fn is_workload(self) -> bool {
        matches!(self, Self::Pod) || self.has_template()
    }

    /// It makes pods by a template.
    pub(crate) const fn has_template(self) -> bool {
        matches!(
            self,
            Self::ReplicationController
                | Self::DaemonSet
                | Self::Deployment
                | Self::ReplicaSet
                | Self::StatefulSet
                | Self::CronJob
                | Self::Job
        )
    }
}

fn core(kind: &str) -> Option<Kind> {
    Some(match kind {
        "Pod" => Kind::Pod,
        "ReplicationController" => Kind::ReplicationController,
        "Service" => Kind::Service,
        "Namespace" => Kind::Namespace,
        "ServiceAccount" => Kind::ServiceAccount,
        _ => return None,
    })
}

fn apps(kind: &str) -> Option<Kind> {
    Some(match kind {
        "DaemonSet" => Kind::DaemonSet,
        "Deployment" => Kind::Deployment,
        "ReplicaSet" => Kind::ReplicaSet,
        "StatefulSet" => Kind::StatefulSet,
        _ => return None,
    })
}

fn batch(kind: &str) -> Option<Kind> {
    Some(match kind {
        "CronJob" => Kind::CronJob,
        "Job" => Kind::Job,
        _ => return None,
    })
}

fn rights(kind: &str) -> Option<Kind> {
    Some(match kind {
        "Role" => Kind::Role,
        "ClusterRole" => Kind::ClusterRole,
        "RoleBinding" => Kind::RoleBinding,
        "ClusterRoleBinding" => Kind::ClusterRoleBinding,
        _ => return None,
    })
}

fn gateway(kind: &str) -> Option<Kind> {
    Some(match kind {
        "Gateway" => Kind::Gateway,
        "ReferenceGrant" => Kind::ReferenceGrant,
        "HTTPRoute" | "GRPCRoute" | "TLSRoute" | "TCPRoute" | "UDPRoute" => Kind::GatewayRoute,
        _ => return None,
    })
}

fn report(kind: &str) -> Option<Kind> {
    let kinds = ["PolicyReport", "ClusterPolicyReport", "Report", "ClusterReport"];
    kinds.contains(&kind).then_some(Kind::PolicyReport)
}
