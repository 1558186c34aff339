use crate::object::{Subject, entries, items, text};
use serde_json::Value;

/// A Gateway: which routes it takes, and whether from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gateway {
    pub(crate) subject: Subject,
    pub(crate) is_internal: bool,
    /// Takes routes of other namespaces: of all or of some, which labels tell.
    takes_others: bool,
    has_listeners: bool,
}

impl Gateway {
    pub(crate) fn new(subject: Subject, object: &Value) -> Self {
        let spec = &object["spec"];
        let listeners = items(spec, "listeners");
        let from = |listener: &Value| {
            let namespaces = &listener["allowedRoutes"]["namespaces"];
            ["All", "Selector"].contains(&text(namespaces, "from"))
        };
        let takes_others = listeners.iter().any(from);
        Self {
            is_internal: is_internal(object),
            has_listeners: !listeners.is_empty(),
            takes_others,
            subject,
        }
    }

    /// Whether a route of this namespace is among those that it takes.
    pub(crate) fn takes_of(&self, namespace: &str) -> bool {
        self.has_listeners && (self.takes_others || *self.subject.namespace == *namespace)
    }
}

/// By the clouds' classes, and by what is said to be done to the load balancer.
fn is_internal(object: &Value) -> bool {
    let spec = &object["spec"];
    let class = text(spec, "gatewayClassName");
    let is_class =
        class.contains("internal") || class.contains("-rilb") || class.ends_with("-mc-internal");
    let annotations = [&object["metadata"]["annotations"], &spec["infrastructure"]["annotations"]];
    is_class
        || annotations.into_iter().flat_map(entries).any(|(key, value)| {
            (key.contains("load-balancer") && key.contains("internal") && value == "true")
                || (key.ends_with("load-balancer-scheme") && value == "internal")
                || (key.ends_with("load-balancer-type") && value == "Internal")
        })
}
