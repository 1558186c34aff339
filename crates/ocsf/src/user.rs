use crate::object::Object;
use event_model::{AuditUser, Process};
use serde_json::Value;

/// Whom a process acts for.
pub fn of_process(process: &Process) -> Object {
    let credentials = &process.credentials;
    let kind = if credentials.uid == 0 { (2, "Admin") } else { (0, "Unknown") };
    Object::new()
        .with("uid", credentials.uid.to_string())
        .with_some("name", process.user_name.clone())
        .with_choice("type", kind)
}

/// A user as the API server of Kubernetes knows it.
pub fn of_request(user: &AuditUser) -> Object {
    let kind = if user.name.starts_with("system:serviceaccount:") {
        (4, "Service")
    } else if user.name.starts_with("system:") {
        (3, "System")
    } else {
        (0, "Unknown")
    };
    let group = |name: &String| Value::from(Object::new().with("name", name.as_str()));
    let groups: Vec<Value> =
        user.groups.iter().filter(|name| !name.is_empty()).map(group).collect();
    Object::new()
        .with("name", user.name.as_str())
        .with("uid", user.uid.as_str())
        .with("groups", groups)
        .with_choice("type", kind)
}

/// Whether it names anybody.
pub fn is_known(user: &AuditUser) -> bool {
    !(user.name.is_empty() && user.uid.is_empty())
}
