//! Who did something, and where: what an event refers to, as far as it is known.

use crate::class::{Activity, Class, metadata};
use crate::entities::Entities;
use crate::finding::Source;
use crate::object::{Choice, Object};
use crate::{container, device, process, resource};
use event_model::{Container, Event, Host, Pod, Process, ProcessKey, ProcessRef, SourceId};
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;

/// Acts are told as they are; how bad they are is for rules to say.
pub const INFORMATIONAL: Choice = (1, "Informational");

/// What the schema's events of acts have in common.
pub struct Scene<'a> {
    event: &'a Event,
    source: &'a Source<'a>,
    host: Option<Arc<Host>>,
    process: Option<Arc<Process>>,
    before: Option<Arc<Process>>,
    parent: Option<Arc<Process>>,
    target: Option<Arc<Process>>,
    container: Option<Arc<Container>>,
}

impl<'a> Scene<'a> {
    /// Looks up all that the event refers to. `target` is the process that it was done to.
    pub fn of(
        event: &'a Event,
        target: Option<ProcessRef>,
        id: SourceId,
        entities: &mut Entities,
        source: &'a Source<'a>,
    ) -> Self {
        let reference = event.process;
        let process = entities.process(id, reference);
        let parent = process.as_ref().and_then(|process| process.parent);
        let before = reference.generation.checked_sub(1);
        Self {
            event,
            source,
            host: entities.host(id),
            before: before.and_then(|generation| {
                entities.process(id, ProcessRef { generation, ..reference })
            }),
            parent: parent.and_then(|parent| entities.process(id, parent)),
            target: target.and_then(|target| entities.process(id, target)),
            container: event.container.as_ref().and_then(|it| entities.container(id, it)),
            process,
        }
    }

    /// An event of a class, with the node, the container, and where it comes from.
    pub fn begin(&self, class: Class, activity: Activity<'_>) -> Object {
        let (event, source) = (self.event, self.source);
        let contained = event.container.is_some();
        let (version, code) = (source.version, event.kind.name());
        class
            .event(activity, event.time, INFORMATIONAL)
            .with("metadata", metadata(version, code, "linux_kernel", event.time, contained))
            .with("device", node(self.host.as_deref(), source))
    }

    /// Adds what the schema has no place for.
    pub fn finish(&self, event: Object, unmapped: Object) -> Value {
        let pod = self.container.as_ref().and_then(|container| container.pod.as_ref());
        let unmapped = unmapped
            .with_some("kubernetes", pod.map(pod_of))
            .with_some("cluster", self.source.cluster.filter(|cluster| !cluster.is_empty()))
            .with_some("credentials", self.process.as_deref().map(credentials));
        event.with("unmapped", unmapped).into()
    }

    /// The process that acted, with its parent.
    pub fn process(&self) -> Object {
        let parent = self.parent.as_deref().map(|it| process::whole(self.boot(), it, None));
        self.acting(self.process.as_deref(), self.event.process.key)
            .with_some("parent_process", parent)
    }

    /// The process that acted, as who did it.
    pub fn actor(&self) -> Object {
        actor(self.process(), self.process.as_deref())
    }

    /// Who ran a program: the process with the program that it had before, else its parent, else of it what is known.
    pub fn launcher(&self) -> Object {
        let before = self.before.as_deref().or(self.parent.as_deref());
        match before {
            Some(it) => actor(process::whole(self.boot(), it, self.container()), before),
            None => actor(process::key_alone(self.boot(), self.event.process.key), None),
        }
    }

    /// The process that it was done to; the acting one where there is no other.
    pub fn target(&self, target: Option<ProcessRef>) -> Object {
        match (self.target.as_deref(), target) {
            (Some(known), _) => process::whole(self.boot(), known, None),
            (None, Some(target)) => self.child(target.key),
            (None, None) => self.process(),
        }
    }

    /// A process of which no more is known than which it is.
    pub fn child(&self, key: ProcessKey) -> Object {
        process::key_alone(self.boot(), key)
    }

    /// The node's name, as an end of a connection that tells no address.
    pub fn here(&self) -> Object {
        let known = self.host.as_deref().map(|host| host.node.as_str());
        let name = known.or(self.source.node).filter(|name| !name.is_empty());
        Object::new().with("name", name.unwrap_or("unknown"))
    }

    fn acting(&self, known: Option<&Process>, key: ProcessKey) -> Object {
        match known {
            Some(process) => process::whole(self.boot(), process, self.container()),
            None => process::key_alone(self.boot(), key).with_some("container", self.container()),
        }
    }

    fn container(&self) -> Option<Object> {
        let known = self.container.as_deref().map(container::container);
        known.or_else(|| self.event.container.as_ref().map(container::id_alone))
    }

    fn boot(&self) -> Option<Uuid> {
        self.host.as_ref().map(|host| host.boot_id)
    }
}

/// The node, as far as it is known.
pub fn node(host: Option<&Host>, source: &Source<'_>) -> Object {
    match host {
        Some(host) => device::device(host),
        None => Object::new()
            .with("name", source.node.unwrap_or_default())
            .with("hostname", source.node.filter(|name| !name.is_empty()).unwrap_or("unknown"))
            .with_choice("type", (1, "Server")),
    }
}

/// A pod, as far as it is known.
pub fn pod_of(pod: &Pod) -> Object {
    Object::new()
        .with("pod", pod.name.clone())
        .with("pod_uid", pod.uid.as_str())
        .with("namespace", pod.namespace.clone())
        .with("service_account", pod.service_account.clone())
        .with("labels", resource::labels(&pod.labels))
}

/// What the schema has no place for of a process.
pub fn credentials(process: &Process) -> Object {
    let (credentials, executable) = (&process.credentials, &process.executable);
    Object::new()
        .with("effective_uid", credentials.euid)
        .with("effective_gid", credentials.egid)
        .with_some("login_uid", credentials.login_uid)
        .with("capabilities_effective", credentials.capabilities_effective)
        .with("program_written_since_start", executable.upper_layer)
        .with("program_in_memory", executable.memfd)
}

fn actor(acting: Object, known: Option<&Process>) -> Object {
    let user = known.map(crate::user::of_process);
    Object::new().with("process", acting).with_some("user", user)
}
