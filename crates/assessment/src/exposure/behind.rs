use super::service::Service;
use super::{Endpoints, Exposure};
use crate::names::Name;
use crate::object::selects;
use crate::workload::Workload;
use foldhash::{HashMap, HashMapExt};

/// What can answer for Services, by what leads to it: so that of each Service those alone are looked at that have one of its labels.
pub(crate) struct Behind<'b> {
    /// By namespace and the number of a label.
    workloads: HashMap<(&'b str, u64), Vec<&'b Workload>>,
    /// By namespace and Service.
    endpoints: HashMap<(&'b str, &'b str), Vec<&'b Endpoints>>,
}

impl<'b> Behind<'b> {
    pub(crate) fn new(exposure: &'b Exposure, workloads: &[&'b Workload]) -> Self {
        let mut behind = Self { workloads: HashMap::new(), endpoints: HashMap::new() };
        for workload in workloads {
            for label in &workload.labels {
                let place = (&*workload.subject.namespace, *label);
                behind.workloads.entry(place).or_default().push(workload);
            }
        }
        for endpoints in exposure.endpoints.values() {
            let place = (&*endpoints.namespace, &*endpoints.service);
            behind.endpoints.entry(place).or_default().push(endpoints);
        }
        behind
    }

    /// The workloads that a Service selects, or the pods that its endpoints name where it selects none.
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
