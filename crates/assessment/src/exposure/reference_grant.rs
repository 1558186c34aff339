use super::route::Route;
use crate::names::{Name, Names};
use crate::object::{Subject, items, text};
use serde_json::Value;

/// Most that one grants.
const MOST: usize = 64;
const GATEWAY: &str = "gateway.networking.k8s.io";

/// Which routes of other namespaces may lead to the Services of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReferenceGrant {
    namespace: Name,
    /// Kind and namespace of routes.
    from: Box<[(Name, Name)]>,
    /// Services; None for all.
    to: Option<Box<[Name]>>,
}

impl ReferenceGrant {
    /// None where it grants routes nothing.
    pub(crate) fn new(subject: &Subject, object: &Value, names: &mut Names) -> Option<Self> {
        let spec = &object["spec"];
        let from = items(spec, "from").iter().filter(|from| text(from, "group") == GATEWAY);
        let from: Box<[_]> = from
            .take(MOST)
            .map(|from| (names.of(text(from, "kind")), names.of(text(from, "namespace"))))
            .collect();
        let services = items(spec, "to")
            .iter()
            .filter(|to| text(to, "group").is_empty() && text(to, "kind") == "Service");
        let services: Vec<_> = services.map(|to| text(to, "name")).take(MOST).collect();
        let to = (!services.contains(&""))
            .then(|| services.iter().map(|service| names.of(service)).collect());
        let namespace = Name::clone(&subject.namespace);
        (!from.is_empty() && !services.is_empty()).then_some(Self { namespace, from, to })
    }

    /// Whether this route may lead to a Service of this namespace and name.
    pub(crate) fn lets(&self, route: &Route, namespace: &str, service: &str) -> bool {
        let Route { subject, .. } = route;
        *self.namespace == *namespace
            && self.to.as_ref().is_none_or(|to| to.iter().any(|name| **name == *service))
            && self
                .from
                .iter()
                .any(|(kind, from)| **kind == *subject.kind && **from == *subject.namespace)
    }
}
