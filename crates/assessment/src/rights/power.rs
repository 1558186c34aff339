use crate::object::{items, texts};
use serde_json::Value;

/// What a rule of a role grants that leads further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(crate) enum Power {
    All,
    Escalate,
    Bind,
    Impersonate,
    ImpersonateAccounts,
    Webhooks,
    Certificates,
    NodeProxy,
    MakeTokens,
    RunPods,
    Exec,
    ReadSecrets,
    /// Leads nowhere by itself.
    PortForward,
    /// The same.
    Wildcard,
    /// The same.
    MakeAccounts,
}

/// Whose rights a power leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Nobody,
    /// Those of any service account in its scope.
    AnyAccount,
    /// Those of the service accounts as which something runs in its scope.
    RunningAccount,
    /// All there are.
    Everything,
}

impl Power {
    pub(crate) const ALL: [Self; 15] = [
        Self::All,
        Self::Escalate,
        Self::Bind,
        Self::Impersonate,
        Self::ImpersonateAccounts,
        Self::Webhooks,
        Self::Certificates,
        Self::NodeProxy,
        Self::MakeTokens,
        Self::RunPods,
        Self::Exec,
        Self::ReadSecrets,
        Self::PortForward,
        Self::Wildcard,
        Self::MakeAccounts,
    ];

    /// Granted in the whole cluster, or in a namespace.
    pub(crate) const fn reach(self, in_cluster: bool) -> Reach {
        match (self, in_cluster) {
            (
                Self::All
                | Self::Escalate
                | Self::Bind
                | Self::Impersonate
                | Self::Webhooks
                | Self::Certificates,
                true,
            ) => Reach::Everything,
            (Self::All | Self::Escalate | Self::Bind, false)
            | (
                Self::ImpersonateAccounts | Self::MakeTokens | Self::RunPods | Self::ReadSecrets,
                _,
            ) => Reach::AnyAccount,
            (Self::Exec, _) | (Self::NodeProxy, true) => Reach::RunningAccount,
            _ => Reach::Nobody,
        }
    }

    /// As it stands in evidence.
    pub(crate) const fn told(self) -> &'static str {
        match self {
            Self::All => "all rights",
            Self::Escalate => "escalate roles",
            Self::Bind => "bind roles",
            Self::Impersonate => "impersonate users or groups",
            Self::ImpersonateAccounts => "impersonate service accounts",
            Self::Webhooks => "change webhook configurations of admission",
            Self::Certificates => "approve certificate signing requests",
            Self::NodeProxy => "nodes/proxy",
            Self::MakeTokens => "create serviceaccounts/token",
            Self::RunPods => "create pods",
            Self::Exec => "get into pods",
            Self::ReadSecrets => "read secrets",
            Self::PortForward => "forward ports into pods",
            Self::Wildcard => "wildcards",
            Self::MakeAccounts => "create service accounts",
        }
    }
}

/// A set of powers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Powers(u16);

impl Powers {
    pub(crate) fn add(&mut self, power: Power) {
        self.0 |= 1 << power as u8;
    }

    pub(crate) const fn has(self, power: Power) -> bool {
        self.0 & (1 << power as u8) != 0
    }

    pub(crate) fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Power> {
        Power::ALL.into_iter().filter(move |power| self.has(*power))
    }
}

/// What one rule grants: powers, and those over objects of some names alone.
pub(crate) fn granted<'r>(rule: &'r Value, named: &mut Vec<(Power, &'r str)>) -> Powers {
    let rule = Rule { rule };
    let mut powers = Powers::default();
    let resources = texts(rule.rule, "resourceNames");
    let is_of_names = !items(rule.rule, "resourceNames").is_empty();
    for power in Power::ALL.into_iter().filter(|power| rule.grants(*power)) {
        match power {
            _ if !is_of_names => powers.add(power),
            // Of one of them is as good as of all.
            Power::Escalate | Power::Webhooks | Power::NodeProxy => powers.add(power),
            Power::Bind | Power::Impersonate | Power::ImpersonateAccounts | Power::MakeTokens => {
                named.extend(resources.clone().map(|name| (power, name)));
            }
            _ => {}
        }
    }
    powers
}

const RBAC: &str = "rbac.authorization.k8s.io";
const CHANGES: [&str; 3] = ["create", "update", "patch"];

struct Rule<'r> {
    rule: &'r Value,
}

impl Rule<'_> {
    fn grants(&self, power: Power) -> bool {
        match power {
            Power::All => {
                ["verbs", "apiGroups", "resources"].iter().all(|field| self.is_wild(field))
            }
            Power::Escalate => self.allows(&["escalate"], RBAC, &["roles", "clusterroles"]),
            Power::Bind => self.allows(&["bind"], RBAC, &["roles", "clusterroles"]),
            Power::Impersonate => self.allows(&["impersonate"], "", &["users", "groups"]),
            Power::ImpersonateAccounts => self.allows(&["impersonate"], "", &["serviceaccounts"]),
            Power::Webhooks => self.allows(
                &CHANGES,
                "admissionregistration.k8s.io",
                &["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
            ),
            Power::Certificates => self.allows(
                &["update", "patch"],
                "certificates.k8s.io",
                &["certificatesigningrequests/approval"],
            ),
            Power::NodeProxy => {
                self.allows(&["get", "create", "update", "patch"], "", &["nodes/proxy"])
            }
            Power::MakeTokens => self.allows(&["create"], "", &["serviceaccounts/token"]),
            Power::RunPods => self.runs_pods(),
            Power::Exec => {
                self.allows(&["create", "get"], "", &["pods/exec", "pods/attach"])
                    || self.allows(&["update", "patch"], "", &["pods/ephemeralcontainers"])
            }
            Power::ReadSecrets => self.allows(&["get", "list", "watch"], "", &["secrets"]),
            Power::PortForward => self.allows(&["create", "get"], "", &["pods/portforward"]),
            Power::MakeAccounts => self.allows(&["create"], "", &["serviceaccounts"]),
            Power::Wildcard => self.is_wild("verbs") || self.is_wild("resources"),
        }
    }

    fn runs_pods(&self) -> bool {
        self.allows(&["create"], "", &["pods"])
            || self.allows(&CHANGES, "", &["replicationcontrollers"])
            || self.allows(
                &CHANGES,
                "apps",
                &["daemonsets", "deployments", "replicasets", "statefulsets"],
            )
            || self.allows(&CHANGES, "batch", &["cronjobs", "jobs"])
    }

    fn allows(&self, verbs: &[&str], group: &str, resources: &[&str]) -> bool {
        let has = |field: &str, wanted: &[&str]| {
            texts(self.rule, field).any(|text| text == "*" || wanted.contains(&text))
        };
        has("verbs", verbs)
            && has("apiGroups", &[group])
            && texts(self.rule, "resources")
                .any(|text| resources.iter().any(|resource| is_resource(text, resource)))
    }

    fn is_wild(&self, field: &str) -> bool {
        texts(self.rule, field).any(|text| text == "*")
    }
}

/// `*` is everything, subresources included; `*/NAME` is a subresource of everything.
fn is_resource(granted: &str, resource: &str) -> bool {
    granted == "*"
        || granted == resource
        || granted.strip_prefix("*/").is_some_and(|sub| {
            resource.split_once('/').is_some_and(|(_, subresource)| sub == subresource)
        })
}
