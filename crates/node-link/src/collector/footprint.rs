use event_model::{
    Alert, AlertSubject, AuditEvent, AuditObject, AuditUser, Container, Event, Executable,
    HeldAlerts, HeldReason, Host, Inventory, InventoryItem, InventorySubject, KubernetesCensus,
    KubernetesEvent, KubernetesObject, Loss, ObjectReference, Pod, Process, Record, SensorStatus,
    SourceDescription,
};
use std::collections::BTreeMap;

/// What an entry of a tree map costs beside its key and value.
const MAP_ENTRY_BYTES: usize = 16;

/// Bytes of memory that a record holds while it waits, its own and those it points to: the measure of the
/// outbox's bound. Allocator overhead is left out.
#[must_use]
pub fn footprint(record: &Record) -> u64 {
    let heap = match record {
        Record::Alert(alert) => size_of::<Alert>() + of_alert(alert),
        Record::HeldAlerts(held) => size_of::<HeldAlerts>() + of_held(held),
        Record::Loss(loss) => of_loss(loss),
        Record::SensorStatus(status) => size_of::<SensorStatus>() + of_status(status),
        Record::Host(host) => of_host(host),
        Record::Container(container) => size_of::<Container>() + of_container(container),
        Record::Process(process) => size_of::<Process>() + of_process(process),
        Record::KubernetesObject(object) => size_of::<KubernetesObject>() + of_object(object),
        Record::Inventory(inventory) => size_of::<Inventory>() + of_inventory(inventory),
        Record::KubernetesCensus(census) => size_of::<KubernetesCensus>() + of_census(census),
        Record::Event(event) => of_event(event),
        Record::Audit(event) => size_of::<AuditEvent>() + of_audit(event),
        Record::KubernetesEvent(event) => size_of::<KubernetesEvent>() + of_note(event),
    };
    (size_of::<Record>() + heap) as u64
}

fn of_optional(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}

fn of_texts(texts: &[String]) -> usize {
    texts.iter().map(|text| size_of::<String>() + text.len()).sum()
}

fn of_map(map: &BTreeMap<String, String>) -> usize {
    let entry = 2 * size_of::<String>() + MAP_ENTRY_BYTES;
    map.iter().map(|(key, value)| entry + key.len() + value.len()).sum()
}

fn of_held(held: &HeldAlerts) -> usize {
    let reason = match &held.reason {
        HeldReason::Suppressed { suppression } => suppression.len(),
        HeldReason::Repeated { .. } | HeldReason::RateLimited { .. } => 0,
    };
    held.rule.len() + reason
}

fn of_loss(loss: &Loss) -> usize {
    loss.kind.len()
}

fn of_event(event: &Event) -> usize {
    // Container ids are shared between events; each is counted, so the estimate errs on the safe side.
    event.container.as_ref().map_or(0, |id| id.0.len())
}

fn of_host(host: &Host) -> usize {
    host.node.len()
        + host.hostname.len()
        + of_optional(host.machine_id.as_ref())
        + host.kernel.len()
        + host.operating_system.len()
        + host.architecture.len()
}

fn of_executable(executable: &Executable) -> usize {
    executable.path.len() + executable.invoked_as.len()
}

fn of_process(process: &Process) -> usize {
    process.name.len()
        + of_executable(&process.executable)
        + of_texts(&process.arguments)
        + process.working_directory.len()
        + of_optional(process.user_name.as_ref())
        + of_optional(process.terminal.as_ref())
        + process.container.as_ref().map_or(0, |id| id.0.len())
}

fn of_pod(pod: &Pod) -> usize {
    pod.uid.len()
        + of_optional(pod.name.as_ref())
        + of_optional(pod.namespace.as_ref())
        + of_map(&pod.labels)
        + of_optional(pod.service_account.as_ref())
}

fn of_container(container: &Container) -> usize {
    container.id.0.len()
        + of_optional(container.runtime.as_ref())
        + of_optional(container.name.as_ref())
        + of_optional(container.image.as_ref())
        + of_optional(container.image_digest.as_ref())
        + container.pod.as_ref().map_or(0, of_pod)
        + of_map(&container.labels)
        + container.cgroup_path.len()
}

fn of_object(object: &KubernetesObject) -> usize {
    let containers: usize = object
        .containers
        .iter()
        .map(|container| {
            size_of_val(container)
                + container.name.len()
                + container.image.len()
                + of_optional(container.image_id.as_ref())
                + of_optional(container.container_id.as_ref())
        })
        .sum();
    let owners: usize = object
        .owners
        .iter()
        .map(|owner| size_of_val(owner) + owner.kind.len() + owner.name.len() + owner.uid.len())
        .sum();
    object.api_version.len()
        + object.kind.len()
        + of_optional(object.namespace.as_ref())
        + object.name.len()
        + object.uid.len()
        + object.resource_version.len()
        + owners
        + of_optional(object.configuration.as_ref())
        + of_map(&object.labels)
        + of_optional(object.node.as_ref())
        + of_optional(object.service_account.as_ref())
        + containers
        + of_map(&object.attributes)
}

fn of_reference(object: &ObjectReference) -> usize {
    object.api_version.len()
        + object.kind.len()
        + of_optional(object.namespace.as_ref())
        + object.name.len()
        + object.uid.len()
}

fn of_note(event: &KubernetesEvent) -> usize {
    event.uid.len()
        + event.resource_version.len()
        + of_reference(&event.regarding)
        + event.reason.len()
        + event.message.len()
        + event.reporter.len()
        + of_optional(event.node.as_ref())
}

fn of_inventory(inventory: &Inventory) -> usize {
    let subject = match &inventory.subject {
        InventorySubject::Node | InventorySubject::Cluster => 0,
        InventorySubject::Image(key) => key.len(),
    };
    let items: usize = inventory.changed.iter().map(|item| size_of_val(item) + of_item(item)).sum();
    subject + items + size_of_val(inventory.removed.as_slice())
}

fn of_census(census: &KubernetesCensus) -> usize {
    census.group.len()
        + census.kind.len()
        + census.resource_version.len()
        + size_of_val(census.uids.as_slice())
}

fn of_item(item: &InventoryItem) -> usize {
    match item {
        InventoryItem::Package(package) => {
            package.name.len()
                + package.version.len()
                + of_optional(package.architecture.as_ref())
                + of_optional(package.source.as_ref())
                + of_optional(package.path.as_ref())
        }
        InventoryItem::Image(image) => {
            let ids: usize = image.containers.iter().map(|id| size_of_val(id) + id.0.len()).sum();
            image.key.len()
                + of_optional(image.digest.as_ref())
                + of_optional(image.reference.as_ref())
                + of_optional(image.operating_system.as_ref())
                + ids
        }
        InventoryItem::ListeningPort(port) => {
            of_optional(port.process_name.as_ref())
                + of_optional(port.executable.as_ref())
                + port.container.as_ref().map_or(0, |id| id.0.len())
        }
        InventoryItem::User(user) => {
            user.name.len() + user.home.len() + user.shell.len() + of_texts(&user.groups)
        }
        InventoryItem::Finding(finding) => {
            size_of_val(&**finding)
                + finding.policy.len()
                + finding.title.len()
                + of_reference(&finding.object)
                + finding.part.len()
                + finding.message.len()
                + of_texts(&finding.evidence)
                + of_texts(&finding.tags)
        }
        InventoryItem::Cluster(facts) => {
            facts.uid.len()
                + facts.version.len()
                + facts.distribution.len()
                + of_optional(facts.cloud.as_ref())
                + of_optional(facts.told_by.as_ref())
        }
    }
}

fn of_audit(event: &AuditEvent) -> usize {
    let texts = [
        &event.audit_id,
        &event.stage,
        &event.level,
        &event.verb,
        &event.request_uri,
        &event.user_agent,
    ];
    let optional = [
        &event.response_reason,
        &event.response_message,
        &event.response_name,
        &event.request_object,
    ];
    texts.into_iter().map(String::len).sum::<usize>()
        + optional.into_iter().map(|text| of_optional(text.as_ref())).sum::<usize>()
        + of_audit_user(&event.user)
        + event.impersonated_user.as_ref().map_or(0, of_audit_user)
        + of_texts(&event.source_ips)
        + event.object.as_ref().map_or(0, of_audit_object)
        + of_map(&event.annotations)
}

fn of_audit_user(user: &AuditUser) -> usize {
    user.name.len() + user.uid.len() + of_texts(&user.groups) + of_map(&user.extra)
}

fn of_audit_object(object: &AuditObject) -> usize {
    let optional = [
        &object.subresource,
        &object.namespace,
        &object.name,
        &object.uid,
        &object.api_group,
        &object.api_version,
    ];
    object.resource.len()
        + optional.into_iter().map(|text| of_optional(text.as_ref())).sum::<usize>()
}

fn of_alert(alert: &Alert) -> usize {
    let fields: usize = alert
        .matched_fields
        .iter()
        .map(|matched| size_of_val(matched) + matched.field.len() + matched.value.len())
        .sum();
    alert.rule.len()
        + alert.message.len()
        + of_texts(&alert.tags)
        + of_subject(&alert.subject)
        + of_host(&alert.host)
        + fields
}

fn of_subject(subject: &AlertSubject) -> usize {
    match subject {
        AlertSubject::Act { event, process_chain, container } => {
            let chain: usize = process_chain.iter().map(|p| size_of_val(p) + of_process(p)).sum();
            of_event(event) + chain + container.as_ref().map_or(0, of_container)
        }
        AlertSubject::Audit(event) => size_of_val(&**event) + of_audit(event),
    }
}

fn of_description(description: &SourceDescription) -> usize {
    description.version.len() + description.node.len()
}

fn of_status(status: &SensorStatus) -> usize {
    let probes: usize = status
        .probes
        .iter()
        .map(|probe| {
            size_of_val(probe)
                + probe.probe.len()
                + probe.hook.len()
                + of_optional(probe.reason.as_ref())
        })
        .sum();
    let blind: usize = status
        .blind_rules
        .iter()
        .map(|rule| size_of_val(rule) + rule.rule.len() + rule.reason.len())
        .sum();
    let counters: usize =
        status.counters.keys().map(|name| MAP_ENTRY_BYTES + size_of::<String>() + name.len()).sum();
    of_description(&status.description) + of_texts(&status.problems) + probes + blind + counters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_command_line_takes_more_room() {
        let short = Record::Process(Box::default());
        let long = Record::Process(Box::new(Process {
            arguments: vec!["x".repeat(4096)],
            ..Process::default()
        }));
        assert!(footprint(&long) >= footprint(&short) + 4096);
    }

    #[test]
    fn labels_are_counted() {
        let labels = BTreeMap::from([("app".to_string(), "y".repeat(1000))]);
        let plain = Record::Container(Box::default());
        let labelled = Record::Container(Box::new(Container { labels, ..Container::default() }));
        assert!(footprint(&labelled) >= footprint(&plain) + 1003);
    }
}
