//! The main facts of a record as attributes, by the semantic conventions of OpenTelemetry where they have a name.

use event_model::{
    Alert, AuditEvent, Container, DnsEvent, Event, EventKind, KubernetesEvent, NetworkEvent,
    Process, ProcessKey, Record, SourceId,
};
use ocsf::Entities;
use serde_json::Value;
use std::borrow::Cow;
use std::net::SocketAddr;

/// Attributes under construction: what is empty is left out.
#[derive(Default)]
pub(crate) struct Attributes(pub(crate) Vec<(Cow<'static, str>, Value)>);

impl Attributes {
    pub(crate) fn add(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        let value = value.into();
        if !(value.is_null() || value.as_str().is_some_and(str::is_empty)) {
            self.0.push((name.into(), value));
        }
    }

    /// What a record is about.
    pub(crate) fn add_facts(&mut self, record: &Record, id: SourceId, entities: &mut Entities) {
        match record {
            Record::Alert(alert) => self.of_alert(alert),
            Record::Event(event) => self.of_event(event, id, entities),
            Record::Audit(request) => self.of_request(request),
            Record::HeldAlerts(held) => self.add("security_rule.name", held.rule.as_str()),
            Record::Container(container) => self.of_container(container),
            Record::Process(process) => {
                self.of_process(process);
                let container = process.container.as_ref();
                if let Some(it) = container.and_then(|it| entities.container(id, it)) {
                    self.of_container(&it);
                }
            }
            Record::KubernetesObject(object) => {
                self.add("k8s.namespace.name", object.namespace.clone());
                self.add_object(&object.kind, &object.name, &object.uid);
                self.add("defender.object.resource_version", object.resource_version.as_str());
                self.add("defender.object.deleted", object.deleted);
            }
            Record::KubernetesEvent(event) => self.of_kubernetes_event(event),
            Record::Loss(_)
            | Record::SensorStatus(_)
            | Record::Host(_)
            | Record::Inventory(_)
            | Record::KubernetesCensus(_) => {}
        }
    }

    /// As the conventions name pods, deployments, nodes and the others: by their kind.
    fn add_object(&mut self, kind: &str, name: &str, uid: &str) {
        if kind.is_empty() {
            return self.add("k8s.object.uid", uid);
        }
        let kind = kind.to_lowercase();
        self.add(format!("k8s.{kind}.name"), name);
        self.add(format!("k8s.{kind}.uid"), uid);
    }

    fn of_kubernetes_event(&mut self, event: &KubernetesEvent) {
        let about = &event.regarding;
        self.add("k8s.namespace.name", about.namespace.clone());
        self.add_object(&about.kind, &about.name, &about.uid);
        self.add("k8s.node.name", event.node.clone());
        self.add("k8s.event.uid", event.uid.as_str());
        self.add("k8s.event.reason", event.reason.as_str());
        self.add("k8s.event.count", event.count);
    }

    fn of_alert(&mut self, alert: &Alert) {
        self.add("security_rule.name", alert.rule.as_str());
        self.add("defender.alert.id", alert.id.to_string());
        self.add("defender.alert.priority", alert.priority.name());
        self.add("defender.alert.tags", alert.tags.clone());
        if let Some(process) = alert.process_chain().first() {
            self.of_process(process);
        }
        if let Some(container) = alert.container() {
            self.of_container(container);
        }
        if let Some(event) = alert.event() {
            self.of_act(&event.kind);
        }
        if let Some(request) = alert.audit() {
            self.of_request(request);
        }
    }

    fn of_event(&mut self, event: &Event, id: SourceId, entities: &mut Entities) {
        match entities.process(id, event.process) {
            Some(process) => self.of_process(&process),
            None => self.of_key(event.process.key),
        }
        match event.container.as_ref().map(|it| (it, entities.container(id, it))) {
            Some((_, Some(container))) => self.of_container(&container),
            Some((id, None)) => self.add("container.id", &*id.0),
            None => {}
        }
        self.of_act(&event.kind);
    }

    fn of_key(&mut self, key: ProcessKey) {
        self.add("process.pid", key.pid);
    }

    fn of_process(&mut self, process: &Process) {
        self.of_key(process.reference.key);
        self.add("process.executable.name", process.name.as_str());
        self.add("process.executable.path", process.executable.path.as_str());
        self.add("process.command_line", process.command_line());
        self.add("process.parent_pid", process.parent.map(|parent| parent.key.pid));
        self.add("process.user.id", process.credentials.euid);
        self.add("process.real_user.id", process.credentials.uid);
        self.add("process.user.name", process.user_name.clone());
    }

    fn of_container(&mut self, container: &Container) {
        self.add("container.id", &*container.id.0);
        self.add("container.image.name", container.image.clone());
        self.add("container.image.id", container.image_digest.clone());
        self.add("container.runtime.name", container.runtime.clone());
        let Some(pod) = &container.pod else {
            return self.add("container.name", container.name.clone());
        };
        self.add("k8s.container.name", container.name.clone());
        self.add("k8s.pod.uid", pod.uid.as_str());
        self.add("k8s.pod.name", pod.name.clone());
        self.add("k8s.namespace.name", pod.namespace.clone());
    }

    fn of_act(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Exec | EventKind::Fork { .. } | EventKind::System(_) => {}
            EventKind::Exit(status) => self.add("process.exit.code", status.code),
            EventKind::File(file) => {
                self.add("file.path", file.path.as_str());
                self.add("file.inode", (file.inode > 0).then(|| file.inode.to_string()));
            }
            EventKind::Network(network) => self.of_network(network),
            EventKind::Dns(query) => self.of_query(query),
        }
    }

    fn of_network(&mut self, event: &NetworkEvent) {
        self.add("network.transport", transport(event.protocol));
        self.of_ends(event.local, event.remote);
        self.add("file.path", event.path.clone());
    }

    fn of_query(&mut self, query: &DnsEvent) {
        self.add("network.transport", if query.tcp { "tcp" } else { "udp" });
        self.of_ends(query.local, query.server);
        self.add("dns.question.name", query.questions.first().map(|it| it.name.clone()));
    }

    fn of_ends(&mut self, local: Option<SocketAddr>, peer: Option<SocketAddr>) {
        let ends = [
            (local, "network.local.address", "network.local.port"),
            (peer, "network.peer.address", "network.peer.port"),
        ];
        for (end, address, port) in ends {
            let Some(end) = end else { continue };
            self.add(address, end.ip().to_canonical().to_string());
            self.add(port, end.port());
        }
    }

    fn of_request(&mut self, request: &AuditEvent) {
        self.add("user.name", request.user.name.as_str());
        self.add("client.address", request.source_ips.first().cloned());
        self.add("url.path", request.request_uri.split('?').next());
        self.add("user_agent.original", request.user_agent.as_str());
        self.add("http.response.status_code", request.response_code);
        self.add("defender.request.verb", request.verb.as_str());
        if let Some(object) = &request.object {
            self.add("k8s.namespace.name", object.namespace.clone());
            self.add("defender.request.resource", object.resource.as_str());
            self.add("defender.request.name", object.name.clone());
        }
    }
}

const fn transport(protocol: u16) -> Option<&'static str> {
    match protocol {
        6 => Some("tcp"),
        17 => Some("udp"),
        _ => None,
    }
}
