use crate::object::Object;
use event_model::Host;

/// The node.
pub fn device(host: &Host) -> Object {
    let name =
        if host.operating_system.is_empty() { "Linux" } else { host.operating_system.as_str() };
    let os = Object::new()
        .with("name", name)
        .with_choice("type", (200, "Linux"))
        .with("kernel_release", host.kernel.as_str());
    let boot = host.boot_id.to_string();
    let uid = host.machine_id.clone().unwrap_or_else(|| boot.clone());
    Object::new()
        .with("uid", uid)
        .with("name", host.node.as_str())
        .with("hostname", host.hostname.as_str())
        .with_choice("type", (1, "Server"))
        .with("boot_uid", boot)
        .with("os", os)
        .with_some(
            "hw_info",
            Object::new().with("cpu_architecture", host.architecture.as_str()).unless_empty(),
        )
}
