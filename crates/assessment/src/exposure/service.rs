use super::address_range::{Breadth, breadth, is_private_address};
use crate::names::{Name, Names};
use crate::object::{LabelNumbers, Subject, entries, items, text, texts};
use serde_json::Value;
use std::sync::Arc;

/// Most ports that are kept of a Service.
const MOST_PORTS: usize = 32;
/// Most external addresses that are named.
const MOST_ADDRESSES: usize = 8;
/// Labels that say which application it is.
const APPLICATION_LABELS: [&str; 4] = ["app", "app.kubernetes.io/name", "k8s-app", "name"];
/// Annotations by which a load balancer is one of the private network. An empty value stands for any.
const INTERNAL: [(&str, &str); 11] = [
    ("cloud.google.com/load-balancer-type", "Internal"),
    ("networking.gke.io/load-balancer-type", "Internal"),
    ("service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type", "intranet"),
    ("service.beta.kubernetes.io/aws-load-balancer-internal", "true"),
    ("service.beta.kubernetes.io/aws-load-balancer-internal", "0.0.0.0/0"),
    ("service.beta.kubernetes.io/aws-load-balancer-scheme", "internal"),
    ("service.beta.kubernetes.io/azure-load-balancer-internal", "true"),
    ("service.beta.kubernetes.io/oci-load-balancer-internal", "true"),
    ("service.beta.kubernetes.io/openstack-internal-load-balancer", "true"),
    ("service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type", "private"),
    ("service.kubernetes.io/qcloud-loadbalancer-internal-subnetid", ""),
];
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
/// The class of load balancers of AWS's controller, which are internal unless they say otherwise.
const AWS_CLASS: &str = "service.k8s.aws/nlb";

/// A Service, by what leads to it and from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) subject: Arc<Subject>,
    /// Ways from outside, by themselves.
    pub(crate) ways: Box<[Way]>,
    pub(crate) ports: Box<[u16]>,
    /// Label numbers.
    pub(crate) selector: Box<[u64]>,
    /// What its selector and labels call the application.
    pub(crate) applications: Box<[Name]>,
}

/// A way from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    LoadBalancer(Breadth),
    NodePort,
    ExternalAddresses(Box<[Name]>),
}

impl Service {
    pub(crate) fn new(
        subject: Arc<Subject>,
        object: &Value,
        names: &mut Names,
        labels: &LabelNumbers,
    ) -> Self {
        let spec = &object["spec"];
        let ports = items(spec, "ports")
            .iter()
            .take(MOST_PORTS)
            .filter_map(|port| u16::try_from(port["port"].as_i64()?).ok());
        let ports = ports.collect();
        let told = [&spec["selector"], &object["metadata"]["labels"]].into_iter().flat_map(entries);
        let told = told.filter(|(key, _)| APPLICATION_LABELS.contains(key));
        let mut applications: Vec<_> = told.map(|(_, value)| names.of(value)).collect();
        applications.sort();
        applications.dedup();
        Self {
            ways: ways(object, names).into(),
            selector: labels.of(&spec["selector"]),
            applications: applications.into(),
            subject,
            ports,
        }
    }
}

fn ways(object: &Value, names: &mut Names) -> Vec<Way> {
    let spec = &object["spec"];
    let mut ways = vec![];
    match text(spec, "type") {
        "LoadBalancer" => {
            let breadth =
                if is_internal(object) { Breadth::Inside } else { source_breadth(object) };
            if breadth != Breadth::Inside {
                ways.push(Way::LoadBalancer(breadth));
            }
        }
        "NodePort" => ways.push(Way::NodePort),
        _ => {}
    }
    let addresses = texts(spec, "externalIPs").filter(|address| !is_private_address(address));
    let addresses: Box<[_]> =
        addresses.take(MOST_ADDRESSES).map(|address| names.of(address)).collect();
    if !addresses.is_empty() {
        ways.push(Way::ExternalAddresses(addresses));
    }
    ways
}

fn is_internal(object: &Value) -> bool {
    let annotations = &object["metadata"]["annotations"];
    let has = |(key, value): &(&str, &str)| match annotations[*key].as_str() {
        Some(set) => value.is_empty() || set.eq_ignore_ascii_case(value),
        None => false,
    };
    let scheme = text(annotations, "service.beta.kubernetes.io/aws-load-balancer-scheme");
    let is_of_aws = text(&object["spec"], "loadBalancerClass") == AWS_CLASS;
    INTERNAL.iter().any(has) || (is_of_aws && scheme != "internet-facing")
}

fn source_breadth(object: &Value) -> Breadth {
    let spec = &object["spec"];
    if !items(spec, "loadBalancerSourceRanges").is_empty() {
        return breadth(texts(spec, "loadBalancerSourceRanges"));
    }
    let annotated = text(&object["metadata"]["annotations"], SOURCE_RANGES);
    breadth(annotated.split(',').filter(|range| !range.is_empty()))
}
