use event_model::{AuditEvent, Container, Event, Host, Process};

/// Something that happened, with all that is known of who did it and where: what rules look at.
#[derive(Clone, Copy, Debug)]
pub struct Act<'a> {
    /// What happened.
    pub event: &'a Event,
    /// The process that [`Event::process`] refers to; after an exec, the new program.
    pub process: &'a Process,
    /// The parent, then its parent, and so on, as far as they are known.
    pub ancestors: &'a [&'a Process],
    /// The container. None on the host, and as long as nothing but the id in the event is known of it.
    pub container: Option<&'a Container>,
    /// The node.
    pub host: &'a Host,
    /// The name by which the domain name system told the address of the other end, where it did.
    pub remote_name: Option<&'a str>,
    /// It was done to the sensor itself: to its process, its files or its programs in the kernel.
    pub is_on_sensor: bool,
    /// Of the start of a program: its environment, variables as `NAME=value` with a NUL between them. None where nobody read it.
    pub environment: Option<&'a str>,
    /// The name of who logged in, on the host. None where nobody did, and where it is not known.
    pub login_name: Option<&'a str>,
    /// The name of the process's real group, on the host.
    pub group_name: Option<&'a str>,
}

/// A request to the API server of Kubernetes: what rules of the source `k8s_audit` look at.
#[derive(Clone, Copy, Debug)]
pub struct AuditAct<'a> {
    /// The request, as the server noted it.
    pub event: &'a AuditEvent,
    /// The node on which the server's audit log was read.
    pub host: &'a Host,
}
