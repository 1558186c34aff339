//! What is checked beside the posture policies, once: the documentation is made of it.

use FindingSeverity::{Critical, High, Informational, Low, Medium};
use FindingSource::{Exposure, PodSecurity, Rbac};
use event_model::{Finding, FindingSeverity, FindingSource, ObjectReference};
use std::fmt::Write;

/// A check.
#[derive(Debug)]
pub struct Check {
    /// By which it is switched off, and which its findings have as `policy`.
    pub name: &'static str,
    /// Who finds it.
    pub source: FindingSource,
    /// In a line.
    pub title: &'static str,
    /// How bad it is, unless a finding says otherwise.
    pub severity: FindingSeverity,
    /// Techniques of MITRE ATT&CK, and names of well-known alerts.
    pub tags: &'static [&'static str],
    /// What it finds, of which object.
    pub description: &'static str,
}

impl Check {
    pub(crate) fn finding(
        &self,
        object: ObjectReference,
        message: String,
        evidence: Vec<String>,
    ) -> Finding {
        Finding {
            source: self.source,
            policy: self.name.to_owned(),
            title: self.title.to_owned(),
            severity: self.severity,
            object,
            part: String::new(),
            message,
            evidence,
            tags: self.tags.iter().map(|tag| (*tag).to_owned()).collect(),
        }
    }
}

macro_rules! checks {
    ($($constant:ident = $name:literal, $source:ident, $severity:ident, $title:literal, $tags:expr, $description:literal;)*) => {
        $(pub(crate) const $constant: Check = Check {
            name: $name, source: $source, title: $title, severity: $severity, tags: &$tags, description: $description,
        };)*
        /// All of them.
        pub const CHECKS: &[Check] = &[$($constant),*];
    };
}

checks! {
    NOT_ENFORCED = "pod-security-not-enforced", PodSecurity, Medium, "Namespace enforces no level of the Pod Security Standards",
        ["PSS", "T1611"], "A namespace with pods whose label `pod-security.kubernetes.io/enforce` is absent or `privileged`. Low where what runs there needs `privileged`.";
    COULD_BE_STRICTER = "pod-security-could-be-stricter", PodSecurity, Low, "Namespace enforces less than its pods meet",
        ["PSS", "T1611"], "A namespace that enforces `baseline`, or neither, while all of its pods meet a stricter level.";
    BREAKS_LEVEL = "pod-security-level-broken", PodSecurity, Medium, "Workloads do not meet the level that their namespace enforces",
        ["PSS"], "A namespace with workloads that are older than its label: their pods will be refused when they start anew.";
    WRONG_LABEL = "pod-security-wrong-label", PodSecurity, Medium, "Label of Pod Security that names no level or version",
        ["PSS"], "A namespace whose label admission can't read, and takes for `restricted` and `latest`.";
    CLUSTER_ADMIN = "rbac-cluster-admin", Rbac, High, "Subject with all rights",
        ["T1078", "T1098.006"], "A subject that is bound, in the whole cluster, to a role with every verb on every resource.";
    WAY_TO_CLUSTER_ADMIN = "rbac-way-to-cluster-admin", Rbac, High, "Subject that can become cluster-admin",
        ["T1078", "T1098.006", "T1548"], "A subject whose rights lead to all rights: by escalate, bind or impersonate; by starting pods, or commands in them, with another's service account; by another's tokens or secrets; by nodes/proxy, webhook configurations or approved certificates. The evidence is the shortest way.";
    WILDCARD = "rbac-wildcard-rights", Rbac, Medium, "Subject with wildcard rights",
        ["T1098.006"], "A subject bound to a role with `*` for verbs or resources, short of all rights. High in the whole cluster.";
    SECRETS = "rbac-secrets-reader", Rbac, Low, "Subject that reads secrets",
        ["T1552.007"], "A subject that may get, list or watch the secrets of a namespace. High where it is every namespace.";
    EXEC = "rbac-exec", Rbac, Low, "Subject that gets into pods",
        ["T1609"], "A subject that may exec, attach or forward ports into pods, or add ephemeral containers to them. High where it is every namespace.";
    ANONYMOUS = "rbac-everyone", Rbac, High, "Rights of everyone",
        ["T1078.001", "T1133"], "A binding of more than the default rights to `system:anonymous` or `system:unauthenticated` (critical), or to `system:authenticated` or all service accounts.";
    EXPOSED_DASHBOARD = "exposed-dashboard", Exposure, High, "Dashboard of Kubernetes reachable from outside",
        ["T1133", "T1190", "K8S_ExposedDashboard"], "A Service, Ingress or route by which a dashboard of the cluster is reached.";
    EXPOSED_KUBEFLOW = "exposed-kubeflow", Exposure, High, "Kubeflow reachable from outside",
        ["T1133", "T1190", "K8S_ExposedKubeflow"], "The same of Kubeflow.";
    EXPOSED_REDIS = "exposed-redis", Exposure, Medium, "Redis reachable from outside",
        ["T1133", "T1190", "K8S_ExposedRedis"], "The same of Redis and its kin.";
    EXPOSED_POSTGRES = "exposed-postgres", Exposure, Medium, "PostgreSQL reachable from broad networks",
        ["T1133", "T1190", "K8S_ExposedPostgresBroadIPRange"], "PostgreSQL reachable from everywhere, or from networks of more than 65,536 addresses.";
    TRUSTING_POSTGRES = "exposed-postgres-trust", Exposure, High, "PostgreSQL that trusts everyone, reachable from outside",
        ["T1133", "T1190", "T1078", "K8S_ExposedPostgresTrustAuth"], "PostgreSQL reachable from outside, of which a container sets `POSTGRES_HOST_AUTH_METHOD` to `trust`.";
    EXPOSED_APPLICATION = "exposed-application", Exposure, Medium, "Sensitive application reachable from outside",
        ["T1133", "T1190", "K8S_ExposedService"], "The same of applications that run what they are told, databases, and others that often ask for no password.";
    EXPOSED = "exposed-workload", Exposure, Informational, "Workload reachable from outside",
        ["T1133"], "Whatever else is reached: which Service, Ingress or route leads to which workloads.";
}

/// The severity where something is worse than its check is by default.
pub(crate) const WORST: FindingSeverity = Critical;

/// The rows of the table in the documentation.
pub fn check_table() -> String {
    let mut table = String::from(
        "| Check | Found by | Severity | What is found | Tags |\n|---|---|---|---|---|\n",
    );
    for Check { name, source, severity, description, tags, .. } in CHECKS {
        let (source, severity, tags) = (source.name(), severity.name(), tags.join(", "));
        // Writing to a text can't fail.
        let _ = writeln!(table, "| `{name}` | {source} | {severity} | {description} | {tags} |");
    }
    table
}
