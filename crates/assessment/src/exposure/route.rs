use crate::names::{Name, Names};
use crate::object::{Subject, items, text, texts};
use serde_json::Value;
use std::collections::BTreeSet;

/// Most hosts, backends and gateways of one.
const MOST: usize = 32;

/// What leads requests from outside to Services: an Ingress, or a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) subject: Subject,
    pub(crate) hosts: Box<[Name]>,
    /// Namespace and name of Services.
    pub(crate) backends: Box<[(Name, Name)]>,
    /// Namespace and name of the Gateways through which it is reached; None where it needs none.
    pub(crate) gateways: Option<Box<[(Name, Name)]>>,
}

/// None where it leads nowhere, or from inside alone.
pub(crate) fn ingress(subject: Subject, object: &Value, names: &mut Names) -> Option<Route> {
    let spec = &object["spec"];
    if is_internal_ingress(object) {
        return None;
    }
    let rules = items(spec, "rules");
    let paths = rules.iter().flat_map(|rule| items(&rule["http"], "paths"));
    let backends = paths.map(|path| &path["backend"]).chain([&spec["defaultBackend"]]);
    let services = backends.map(|backend| text(&backend["service"], "name"));
    let namespace = Name::clone(&subject.namespace);
    let services = services.map(|service| (Name::clone(&namespace), names.of(service)));
    let backends = some(services.filter(|(_, name)| !name.is_empty()));
    let hosts = some(
        rules
            .iter()
            .map(|rule| text(rule, "host"))
            .filter(|host| !host.is_empty())
            .map(|host| names.of(host)),
    );
    Route { subject, hosts, backends, gateways: None }.leading()
}

/// None where it leads nowhere.
pub(crate) fn openshift_route(
    subject: Subject,
    object: &Value,
    names: &mut Names,
) -> Option<Route> {
    let spec = &object["spec"];
    let targets = [&spec["to"]].into_iter().chain(items(spec, "alternateBackends"));
    let targets = targets.filter(|target| ["", "Service"].contains(&text(target, "kind")));
    let namespace = Name::clone(&subject.namespace);
    let services = targets.map(|target| (Name::clone(&namespace), names.of(text(target, "name"))));
    let backends = some(services.filter(|(_, name)| !name.is_empty()));
    let hosts = some(
        [text(spec, "host")].into_iter().filter(|host| !host.is_empty()).map(|host| names.of(host)),
    );
    Route { subject, hosts, backends, gateways: None }.leading()
}

/// None where it leads nowhere.
pub(crate) fn gateway_route(subject: Subject, object: &Value, names: &mut Names) -> Option<Route> {
    let spec = &object["spec"];
    let references = items(spec, "rules").iter().flat_map(|rule| items(rule, "backendRefs"));
    let references = references.filter(|one| {
        ["", "Service"].contains(&text(one, "kind")) && text(one, "group").is_empty()
    });
    let backends = some(references.map(|one| place(one, &subject.namespace, names)));
    let parents = items(spec, "parentRefs").iter();
    let parents = parents.filter(|one| ["", "Gateway"].contains(&text(one, "kind")));
    let gateways = Some(some(parents.map(|one| place(one, &subject.namespace, names))));
    let hosts = some(texts(spec, "hostnames").map(|host| names.of(host)));
    Route { subject, hosts, backends, gateways }.leading()
}

impl Route {
    fn leading(self) -> Option<Self> {
        (!self.backends.is_empty()).then_some(self)
    }
}

/// What a reference names: in the namespace of what holds it, unless it names one.
fn place(reference: &Value, own: &Name, names: &mut Names) -> (Name, Name) {
    let namespace = match text(reference, "namespace") {
        "" => Name::clone(own),
        namespace => names.of(namespace),
    };
    (namespace, names.of(text(reference, "name")))
}

/// Each once, sorted, as far as they fit.
fn some<T: Ord>(all: impl Iterator<Item = T>) -> Box<[T]> {
    all.take(16 * MOST).collect::<BTreeSet<_>>().into_iter().take(MOST).collect()
}

/// By what the clouds' controllers read. Of others nobody can tell here: they count as reached from outside.
fn is_internal_ingress(object: &Value) -> bool {
    let annotations = &object["metadata"]["annotations"];
    let class = match text(&object["spec"], "ingressClassName") {
        "" => text(annotations, "kubernetes.io/ingress.class"),
        class => class,
    };
    let alb = class == "alb"
        && text(annotations, "alb.ingress.kubernetes.io/scheme") != "internet-facing";
    alb || class == "gce-internal"
        || text(annotations, "alb.ingress.kubernetes.io/scheme") == "internal"
        || text(annotations, "appgw.ingress.kubernetes.io/use-private-ip") == "true"
}
