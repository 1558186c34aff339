use super::Exposure;
use super::address_range::Breadth;
use super::application::Signs;
use super::behind::Behind;
use super::gateway::Gateway;
use super::route::Route;
use super::service::{Service, Way};
use crate::checks::{self, Check};
use crate::names::Name;
use crate::object::Subject;
use crate::workload::Workload;
use event_model::{Finding, FindingSeverity};
use foldhash::HashMap;

/// Most workloads, and pods, that are named.
const MOST_NAMED: usize = 8;

/// Tells what is reached, by which way.
pub(crate) fn tell(
    exposure: &Exposure,
    workloads: &[&Workload],
    has_kubeflow: bool,
    is_exempt: &dyn Fn(&str) -> bool,
    put: &mut dyn FnMut(Finding),
) {
    let teller = Teller { behind: Behind::new(exposure, workloads), has_kubeflow };
    for service in exposure.services.values() {
        if !service.ways.is_empty() && !is_exempt(&service.subject.namespace) {
            put(teller.of_service(service));
        }
    }
    if exposure.routes.is_empty() {
        return;
    }
    let services = exposure.services.values();
    let services: HashMap<_, &Service> =
        services.map(|one| ((&*one.subject.namespace, &*one.subject.name), &**one)).collect();
    let gateways = exposure.gateways.values();
    let gateways: HashMap<_, _> =
        gateways.map(|one| ((&*one.subject.namespace, &*one.subject.name), one)).collect();
    for route in exposure.routes.values() {
        let Some(through) = way(route, &gateways) else { continue };
        if is_exempt(&route.subject.namespace) {
            continue;
        }
        for (namespace, name) in &route.backends {
            if !is_let(exposure, route, namespace, name) {
                continue;
            }
            if let Some(service) = services.get(&(&**namespace, &**name)) {
                put(teller.of_route(route, &through, service));
            }
        }
    }
}

/// Whether a route may lead to a Service: where that is in another namespace, something there must say so.
fn is_let(exposure: &Exposure, route: &Route, namespace: &Name, service: &Name) -> bool {
    *namespace == route.subject.namespace
        || exposure.grants.values().any(|grant| grant.lets(route, namespace, service))
}

/// Through which Gateways it is reached; None where it is not.
fn way(route: &Route, gateways: &HashMap<(&str, &str), &Gateway>) -> Option<Vec<String>> {
    let Some(parents) = &route.gateways else { return Some(vec![]) };
    let open = parents.iter().filter_map(|(namespace, name)| {
        let gateway = gateways.get(&(&**namespace, &**name))?;
        (!gateway.is_internal && gateway.takes_of(&route.subject.namespace))
            .then(|| gateway.subject.display())
    });
    let open: Vec<_> = open.collect();
    (!open.is_empty()).then_some(open)
}

struct Teller<'t> {
    behind: Behind<'t>,
    has_kubeflow: bool,
}

impl Teller<'_> {
    fn of_service(&self, service: &Service) -> Finding {
        let ways: Vec<_> = service.ways.iter().map(told).collect();
        let breadth = service.ways.iter().map(breadth).max().unwrap_or(Breadth::Everyone);
        let first = format!("{}: {}", service.subject.display(), ways.join(", "));
        self.finding(&service.subject, service, breadth, first)
    }

    fn of_route(&self, route: &Route, through: &[String], service: &Service) -> Finding {
        let hosts: Vec<_> = route.hosts.iter().map(|host| &**host).collect();
        let hosts = if hosts.is_empty() { "any host".to_owned() } else { hosts.join(", ") };
        let mut first = format!("{}: {hosts}", route.subject.display());
        if !through.is_empty() {
            first = format!("{} → {first}", through.join(", "));
        }
        let first = format!("{first} → {}", service.subject.display());
        let mut finding = self.finding(&route.subject, service, Breadth::Everyone, first);
        finding.part = format!("service {}/{}", service.subject.namespace, service.subject.name);
        finding
    }

    fn finding(
        &self,
        subject: &Subject,
        service: &Service,
        breadth: Breadth,
        first: String,
    ) -> Finding {
        let (behind, pods) = self.behind.of(service);
        let signs = self.signs(service, &behind);
        let mut evidence = vec![first];
        evidence.extend(reached(&behind, &pods));
        let Some((application, sign)) = signs.application() else {
            let message = format!(
                "leads from outside to {}; see whether that is meant",
                count(&behind, &pods)
            );
            return checks::EXPOSED.finding(subject.reference(), message, evidence);
        };
        evidence.push(format!("{} by its {sign}", application.title));
        let check = check(application.check, breadth, &behind);
        let message = format!(
            "{} can be reached from outside; reach it by kubectl port-forward or a VPN, make the load balancer internal, or limit loadBalancerSourceRanges, and let it ask for a password",
            application.title
        );
        let mut finding = check.finding(subject.reference(), message, evidence);
        if breadth == Breadth::Narrow {
            finding.severity = FindingSeverity::Low;
        }
        finding
    }

    fn signs<'s>(&self, service: &'s Service, behind: &[&'s Workload]) -> Signs<'s> {
        let images = behind.iter().flat_map(|workload| workload.containers.iter());
        Signs {
            namespace: &service.subject.namespace,
            name: &service.subject.name,
            labels: service.applications.iter().map(|label| &**label).collect(),
            ports: service.ports.to_vec(),
            images: images.map(|container| &*container.image).collect(),
            has_kubeflow: self.has_kubeflow,
        }
    }
}

/// A PostgreSQL that trusts everyone is worse, and one for some networks alone is an application as others are.
fn check(of_application: &'static Check, breadth: Breadth, behind: &[&Workload]) -> &'static Check {
    if of_application.name != checks::EXPOSED_POSTGRES.name {
        return of_application;
    }
    if behind.iter().any(|workload| workload.trusts_everyone) {
        return &checks::TRUSTING_POSTGRES;
    }
    if breadth >= Breadth::Broad { of_application } else { &checks::EXPOSED_APPLICATION }
}

fn told(way: &Way) -> String {
    match way {
        Way::LoadBalancer(Breadth::Everyone) => "load balancer for everyone".to_owned(),
        Way::LoadBalancer(Breadth::Broad) => "load balancer for broad networks".to_owned(),
        Way::LoadBalancer(_) => "load balancer for some networks".to_owned(),
        Way::NodePort => "a port of every node".to_owned(),
        Way::ExternalAddresses(addresses) => {
            let addresses: Vec<_> = addresses.iter().map(|address| &**address).collect();
            format!("external addresses {}", addresses.join(", "))
        }
    }
}

const fn breadth(way: &Way) -> Breadth {
    match way {
        Way::LoadBalancer(breadth) => *breadth,
        Way::NodePort | Way::ExternalAddresses(_) => Breadth::Everyone,
    }
}

fn reached(workloads: &[&Workload], pods: &[&Name]) -> Vec<String> {
    let of_workloads = workloads.iter().map(|workload| {
        let images: Vec<_> = workload.containers.iter().take(4).map(|one| &*one.image).collect();
        format!("→ {} ({})", workload.subject.display(), images.join(", "))
    });
    let of_pods = pods.iter().map(|pod| format!("→ Pod {pod}"));
    let mut reached: Vec<_> = of_workloads.chain(of_pods).take(MOST_NAMED).collect();
    let all = workloads.len() + pods.len();
    if all > reached.len() {
        reached.push(format!("and {} more", all - reached.len()));
    }
    reached
}

fn count(workloads: &[&Workload], pods: &[&Name]) -> String {
    match (workloads.len(), pods.len()) {
        (0, 0) => "no workload that is known".to_owned(),
        (1, 0) => "one workload".to_owned(),
        (workloads, 0) => format!("{workloads} workloads"),
        (_, pods) => format!("{pods} pods"),
    }
}
