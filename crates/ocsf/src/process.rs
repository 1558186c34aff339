use crate::object::Object;
use crate::{container, file, user};
use event_model::{Alert, Container, Process, ProcessKey};
use serde_json::Value;
use uuid::Uuid;

/// The process that acted, with its ancestors. None where the alert tells of none.
pub fn acting(alert: &Alert) -> Option<Object> {
    let [process, ancestors @ ..] = alert.process_chain() else { return None };
    let boot = Some(alert.host.boot_id);
    let ancestry: Vec<Value> =
        ancestors.iter().map(|process| entity(boot, process).into()).collect();
    let parent = ancestors.first().map(|parent| whole(boot, parent, None));
    let of_event = alert.event().and_then(|event| event.container.as_ref());
    let container = alert.container().map(container::container);
    let container = container.or_else(|| of_event.map(container::id_alone));
    let process = whole(boot, process, container);
    Some(process.with_some("parent_process", parent).with("ancestry", ancestry))
}

/// All that is known of one process.
pub fn whole(boot: Option<Uuid>, process: &Process, container: Option<Object>) -> Object {
    let namespace_pid = container.as_ref().map(|_| process.namespace_pid).filter(|pid| *pid > 0);
    let session = process.terminal.as_deref().map(|name| Object::new().with("terminal", name));
    entity(boot, process)
        .with_some("file", file::of_executable(&process.executable))
        .with("user", user::of_process(process))
        .with("working_directory", process.working_directory.as_str())
        .with_some("session", session)
        .with_some("container", container)
        .with_some("namespace_pid", namespace_pid)
}

/// What the schema tells of an ancestor.
fn entity(boot: Option<Uuid>, process: &Process) -> Object {
    key_alone(boot, process.reference.key)
        .with("name", process.name.as_str())
        .with("path", process.executable.path.as_str())
        .with("cmd_line", process.command_line())
        .with_time("created_time", process.started_at)
}

/// A process of which no more is known than which one it is.
pub fn key_alone(boot: Option<Uuid>, key: ProcessKey) -> Object {
    Object::new().with("pid", key.pid).with("uid", uid(boot, key))
}

/// Which process: the boot's id, where it is known, the process's and when it began.
pub fn uid(boot: Option<Uuid>, key: ProcessKey) -> String {
    boot.map_or_else(|| key.to_string(), |boot| format!("{boot}:{key}"))
}

/// The words for a container of a process, for the profiles of a finding.
pub fn is_in_container(alert: &Alert) -> bool {
    let container: Option<&Container> = alert.container();
    container.is_some() || alert.event().is_some_and(|event| event.container.is_some())
}
