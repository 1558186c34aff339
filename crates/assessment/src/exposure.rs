//! What can be reached from outside of the cluster, and what answers there.

mod address_range;
mod application;
mod behind;
mod findings;
mod gateway;
mod reference_grant;
mod route;
mod service;

use crate::names::{Name, Names};
use crate::object::{Key, LabelNumbers, Subject, items, text};
use crate::workload::Workload;
use event_model::Finding;
use gateway::Gateway;
use packed_map::PackedMap;
use reference_grant::ReferenceGrant;
use route::Route;
use serde_json::Value;
use service::Service;
use std::sync::Arc;

/// Most objects of each kind.
const MOST: usize = 50_000;
/// Who makes the endpoint slices of Services with a selector.
const BY_SELECTOR: &str = "endpointslice-controller.k8s.io";
/// Most pods of an endpoint slice that are named.
const MOST_TARGETS: usize = 4;

#[cfg(test)]
pub(crate) use application::APPLICATIONS;

/// The pods of a Service without a selector, as whoever keeps its endpoints names them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Endpoints {
    namespace: Name,
    service: Name,
    targets: Box<[Name]>,
}

/// Services and what leads to them.
#[derive(Debug, Default)]
pub(crate) struct Exposure {
    services: PackedMap<Key, Box<Service>>,
    endpoints: PackedMap<Key, Endpoints>,
    routes: PackedMap<Key, Route>,
    gateways: PackedMap<Key, Gateway>,
    grants: PackedMap<Key, ReferenceGrant>,
}

impl Exposure {
    /// Returns whether anything is other than before, or None where there is no room.
    pub(crate) fn put_service(
        &mut self,
        subject: Arc<Subject>,
        object: &Value,
        names: &mut Names,
        labels: &LabelNumbers,
    ) -> Option<bool> {
        let key = subject.key;
        put(&mut self.services, key, Box::new(Service::new(subject, object, names, labels)))
    }

    /// Which one has this key.
    pub(crate) fn service(&self, key: Key) -> Option<&Arc<Subject>> {
        self.services.get(&key).map(|service| &service.subject)
    }

    /// Who this Service, route or Gateway is.
    pub(crate) fn subject(&self, key: Key) -> Option<&Subject> {
        let service = self.service(key).map(|subject| &**subject);
        service
            .or_else(|| self.routes.get(&key).map(|route| &route.subject))
            .or_else(|| self.gateways.get(&key).map(|gateway| &gateway.subject))
    }

    /// Puts an Ingress, or a route of the Gateway API or of OpenShift.
    pub(crate) fn put_route(&mut self, key: Key, route: Option<Route>) -> Option<bool> {
        match route {
            Some(route) => put(&mut self.routes, key, route),
            None => Some(self.routes.remove(&key).is_some()),
        }
    }

    /// The same of a Gateway.
    pub(crate) fn put_gateway(&mut self, subject: Subject, object: &Value) -> Option<bool> {
        put(&mut self.gateways, subject.key, Gateway::new(subject, object))
    }

    /// The same of a ReferenceGrant.
    pub(crate) fn put_grant(
        &mut self,
        subject: &Subject,
        object: &Value,
        names: &mut Names,
    ) -> Option<bool> {
        match ReferenceGrant::new(subject, object, names) {
            Some(grant) => put(&mut self.grants, subject.key, grant),
            None => Some(self.grants.remove(&subject.key).is_some()),
        }
    }

    /// The same of an EndpointSlice. Those of Services with a selector tell nothing that the selector does not.
    pub(crate) fn put_endpoints(
        &mut self,
        subject: &Subject,
        object: &Value,
        names: &mut Names,
    ) -> Option<bool> {
        let labels = &object["metadata"]["labels"];
        if text(labels, "endpointslice.kubernetes.io/managed-by") == BY_SELECTOR {
            return Some(self.endpoints.remove(&subject.key).is_some());
        }
        let service = text(labels, "kubernetes.io/service-name");
        let targets = items(object, "endpoints").iter().map(|endpoint| &endpoint["targetRef"]);
        let targets = targets.filter(|target| text(target, "kind") == "Pod").take(MOST_TARGETS);
        let targets: Box<[_]> = targets.map(|target| names.of(text(target, "name"))).collect();
        if service.is_empty() || targets.is_empty() {
            return Some(self.endpoints.remove(&subject.key).is_some());
        }
        let (namespace, service) = (Name::clone(&subject.namespace), names.of(service));
        put(&mut self.endpoints, subject.key, Endpoints { namespace, service, targets })
    }

    /// Returns whether it was known.
    pub(crate) fn remove(&mut self, key: Key) -> bool {
        self.services.remove(&key).is_some()
            || self.routes.remove(&key).is_some()
            || self.gateways.remove(&key).is_some()
            || self.endpoints.remove(&key).is_some()
            || self.grants.remove(&key).is_some()
    }

    /// How much a round of findings looks at.
    pub(crate) fn len(&self) -> usize {
        self.services.len() + self.routes.len()
    }

    /// Tells what is reached.
    pub(crate) fn findings(
        &self,
        workloads: &[&Workload],
        has_kubeflow: bool,
        is_exempt: &dyn Fn(&str) -> bool,
        put: &mut dyn FnMut(Finding),
    ) {
        findings::tell(self, workloads, has_kubeflow, is_exempt, put);
    }
}

fn put<T: PartialEq>(all: &mut PackedMap<Key, T>, key: Key, new: T) -> Option<bool> {
    if all.len() >= MOST && !all.contains_key(&key) {
        return None;
    }
    let is_other = all.get(&key) != Some(&new);
    all.insert(key, new);
    Some(is_other)
}

/// Whether this EndpointSlice is one that Kubernetes keeps by a Service's selector, by the bytes of its metadata alone: there are as many as
/// Services, with thousands of endpoints.
pub(crate) fn is_of_selector(object: &[u8]) -> bool {
    let end = memchr::memmem::find(object, b"\"endpoints\":[").unwrap_or(0);
    let managed = b"\"endpointslice.kubernetes.io/managed-by\":\"endpointslice-controller.k8s.io\"";
    memchr::memmem::find(&object[..end], managed).is_some()
}

pub(crate) use route::{gateway_route, ingress, openshift_route};

#[cfg(test)]
mod tests;
