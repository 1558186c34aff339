use super::service::Service;
use super::{Endpoints, Exposure};
use crate::names::Name;
use crate::object::{Subject, selects};
use crate::workload::Workload;
use foldhash::{HashMap, HashMapExt, HashSet};

/// What can answer for Services, by what leads to it: so that of each Service those alone are looked at that have one of its labels.
pub(crate) struct Behind<'b> {
    /// By namespace and the number of a label.
    workloads: HashMap<(&'b str, u64), Vec<&'b Workload>>,
    /// By namespace and Service.
    endpoints: HashMap<(&'b str, &'b str), Vec<&'b Endpoints>>,
}

impl<'b> Behind<'b> {
    /// For the Services to which something leads from outside: all labels of all workloads would take as much memory as the workloads.
    pub(crate) fn new(exposure: &'b Exposure, workloads: &[&'b Workload]) -> Self {
        let mut behind = Self { workloads: HashMap::new(), endpoints: HashMap::new() };
        let wanted = wanted_labels(exposure);
        for workload in workloads {
            let places = workload.labels.iter().map(|label| (&*workload.subject.namespace, *label));
            for place in places.filter(|place| wanted.contains(place)) {
                behind.workloads.entry(place).or_default().push(workload);
            }
        }
        for endpoints in exposure.endpoints.values() {
            let place = (&*endpoints.namespace, &*endpoints.service);
            behind.endpoints.entry(place).or_default().push(endpoints);
        }
        behind
    }

    /// The workloads that one of those Services selects, or the pods that its endpoints name where it selects none.
    pub(crate) fn of(&self, service: &Service) -> (Vec<&'b Workload>, Vec<&'b Name>) {
        let namespace = &*service.subject.namespace;
        if service.selector.is_empty() {
            let endpoints = self.endpoints.get(&(namespace, &*service.subject.name));
            let endpoints = endpoints.into_iter().flatten();
            let mut pods: Vec<_> = endpoints.flat_map(|one| one.targets.iter()).collect();
            pods.sort();
            pods.dedup();
            return (vec![], pods);
        }
        // The label that the fewest have: where one is not there, none has all.
        let with_label =
            |label: &u64| self.workloads.get(&(namespace, *label)).map_or(&[][..], Vec::as_slice);
        let candidates = service.selector.iter().map(with_label).min_by_key(|some| some.len());
        let candidates = candidates.unwrap_or_default().iter().copied();
        let mut selected: Vec<_> =
            candidates.filter(|workload| selects(&service.selector, &workload.labels)).collect();
        selected.sort_by(|a, b| {
            let (a, b) = (&a.subject, &b.subject);
            (&a.kind, &a.name, a.key).cmp(&(&b.kind, &b.name, b.key))
        });
        (selected, vec![])
    }
}

/// The labels by which Services select to which something leads from outside, by namespace.
fn wanted_labels(exposure: &Exposure) -> HashSet<(&str, u64)> {
    let backends = exposure.routes.values().flat_map(|route| &route.backends);
    let backends: HashSet<(&str, &str)> =
        backends.map(|(namespace, name)| (&**namespace, &**name)).collect();
    let is_reached = |service: &&Service| {
        let Subject { namespace, name, .. } = &*service.subject;
        !service.ways.is_empty() || backends.contains(&(&**namespace, &**name))
    };
    let reached = exposure.services.values().map(|service| &**service).filter(is_reached);
    let labels = reached.flat_map(|service| {
        service.selector.iter().map(|label| (&*service.subject.namespace, *label))
    });
    labels.collect()
}
