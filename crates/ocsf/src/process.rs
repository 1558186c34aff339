use crate::object::Object;
use crate::{container, file, user};
use event_model::{Alert, Container, Process};
use serde_json::Value;

/// The process that acted, with its ancestors. None where the alert tells of none.
pub fn acting(alert: &Alert) -> Option<Object> {
    let [process, ancestors @ ..] = alert.process_chain() else { return None };
    let ancestry: Vec<Value> =
        ancestors.iter().map(|process| entity(alert, process).into()).collect();
    let parent = ancestors.first().map(|parent| whole(alert, parent, None));
    let of_event = alert.event().and_then(|event| event.container.as_ref());
    let container = alert.container().map(container::container);
    let container = container.or_else(|| of_event.map(container::id_alone));
    let process = whole(alert, process, container);
    Some(process.with_some("parent_process", parent).with("ancestry", ancestry))
}

/// All that is known of one process.
fn whole(alert: &Alert, process: &Process, container: Option<Object>) -> Object {
    let namespace_pid = container.as_ref().map(|_| process.namespace_pid).filter(|pid| *pid > 0);
    let session = process.terminal.as_deref().map(|name| Object::new().with("terminal", name));
    entity(alert, process)
        .with_some("file", file::of_executable(&process.executable))
        .with("user", user::of_process(process))
        .with("working_directory", process.working_directory.as_str())
        .with_some("session", session)
        .with_some("container", container)
        .with_some("namespace_pid", namespace_pid)
}

/// What the schema tells of an ancestor.
fn entity(alert: &Alert, process: &Process) -> Object {
    let key = process.reference.key;
    Object::new()
        .with("pid", key.pid)
        .with("uid", format!("{}:{key}", alert.host.boot_id))
        .with("name", process.name.as_str())
        .with("path", process.executable.path.as_str())
        .with("cmd_line", process.command_line())
        .with_time("created_time", process.started_at)
}

/// The words for a container of a process, for the profiles of a finding.
pub fn is_in_container(alert: &Alert) -> bool {
    let container: Option<&Container> = alert.container();
    container.is_some() || alert.event().is_some_and(|event| event.container.is_some())
}
