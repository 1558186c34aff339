//! Fields of requests to the API server of Kubernetes.

use crate::field::access::Access;
use crate::field::audit::{AuditField, AuditPart, ObjectPath, Shown, TargetField};
use crate::field::{Argument, Field, Kind, Provider};

impl Field {
    fn of_audit(name: &'static str, field: AuditField, meaning: &'static str) -> Self {
        let access = Access::Audit(field, AuditPart::Whole);
        Self::new(name, Kind::Text, Provider::KubernetesAudit, access, meaning)
    }

    fn of_object(
        name: &'static str,
        names: &'static [&'static str],
        meaning: &'static str,
    ) -> Self {
        Self::of_audit(name, AuditField::Object(ObjectPath { names, shown: Shown::Whole }), meaning)
    }

    /// Of which one can be chosen.
    fn list(self) -> Self {
        Self { argument: Argument::Place, ..self }
    }

    fn of_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }
}

/// Fields of events of the source `k8s_audit`.
pub(super) fn fields() -> Vec<Field> {
    let mut fields = of_request();
    fields.extend(of_roles_and_services());
    fields.extend(of_pods());
    fields.extend(of_containers());
    fields.extend(of_workloads());
    fields
}

#[rustfmt::skip]
fn of_request() -> Vec<Field> {
    use AuditField as A;
    let new = Field::of_audit;
    let target = |name, field, meaning| new(name, A::Target(field), meaning);
    vec![
        // The event.
        new("jevt.value", A::Pointed,
            "A part of the audit event by a JSON pointer, such as `/stage` or `/requestObject/metadata/name`. Of the response's object only `/responseObject/metadata/name` is kept.").with_pointer(),
        new("jevt.obj", A::Document,
            "The audit event as JSON, as far as it is kept."),
        new("jevt.rawtime", A::RawTime,
            "When the request came to this stage.").of_kind(Kind::Time),
        new("jevt.time", A::Time,
            "When the request came to this stage, in RFC 3339."),
        new("jevt.time.iso8601", A::Time,
            "When the request came to this stage, in RFC 3339."),
        new("ka.auditid", A::Id,
            "The request's id, the same at all stages."),
        new("ka.stage", A::Stage,
            "`RequestReceived`, `ResponseStarted`, `ResponseComplete` or `Panic`."),
        new("ka.level", A::Level,
            "How much the server notes of such a request: `Metadata`, `Request` or `RequestResponse`.").own(),
        // Who asked, and from where.
        new("ka.user.name", A::UserName,
            "Who asked, such as `system:serviceaccount:shop:web`."),
        new("ka.user.uid", A::UserUid,
            "The user's uid, where it has one.").own(),
        new("ka.user.groups", A::UserGroups,
            "The user's groups.").list(),
        new("ka.impuser.name", A::ImpersonatedUser,
            "As whom the user acts, where it impersonates another."),
        new("ka.sourceips", A::SourceTexts,
            "Where the request came from: the client, then proxies.").list(),
        new("ka.source.addresses", A::SourceAddresses,
            "As `ka.sourceips`, compared with addresses and networks.").list().of_kind(Kind::Address).own(),
        new("ka.useragent", A::UserAgent,
            "What the client calls itself."),
        new("ka.auth.decision", A::Annotation("authorization.k8s.io/decision"),
            "`allow` or `forbid`."),
        new("ka.auth.reason", A::Annotation("authorization.k8s.io/reason"),
            "By which binding it was allowed."),
        // What was asked.
        new("ka.verb", A::Verb,
            "Such as `create`; `get` of `pods/exec` and `create` of it begin the same thing."),
        new("ka.uri", A::Uri,
            "Path and query."),
        new("ka.uri.param", A::UriParameter,
            "The values of a parameter of the query, such as `command`.").with_key(),
        target("ka.target.name", TargetField::Name,
            "The object's name; missing for lists, and where the server makes the name."),
        target("ka.target.namespace", TargetField::Namespace,
            "The object's namespace."),
        target("ka.target.resource", TargetField::Resource,
            "The kind of object, such as `pods`."),
        target("ka.target.subresource", TargetField::Subresource,
            "The part of the object, such as `exec`."),
        target("ka.target.group", TargetField::ApiGroup,
            "The object's API group; missing for the core group.").own(),
        target("ka.target.pod.name", TargetField::Pod,
            "The object's name, where it is a pod."),
        // What was answered.
        new("ka.response.code", A::ResponseCode,
            "The HTTP status, as text; missing before the response."),
        new("ka.response.reason", A::ResponseReason,
            "Why the request failed, in a word, such as `Forbidden`."),
        new("ka.resp.name", A::ResponseName,
            "The name of the object in the response: the server's own where the request asked for `generateName`."),
        new("ka.req.dropped", A::ObjectDropped,
            "The request had an object, and it was too large to be kept: no `ka.req` field is told of it.").of_kind(Kind::Boolean).own(),
    ]
}

#[rustfmt::skip]
fn of_roles_and_services() -> Vec<Field> {
    let object = Field::of_object;
    vec![
        object("ka.req.name", &["metadata", "name"],
            "The name in the request's object.").own(),
        object("ka.req.binding.role", &["roleRef", "name"],
            "Of a binding: the role."),
        object("ka.req.binding.subjects", &["subjects", "*"],
            "Of a binding: to whom, each as JSON.").list(),
        object("ka.req.binding.subjects.kind", &["subjects", "*", "kind"],
            "Of a binding: `User`, `Group` or `ServiceAccount`.").list().own(),
        object("ka.req.binding.subjects.name", &["subjects", "*", "name"],
            "Of a binding: the names of those it binds to.").list().own(),
        object("ka.req.configmap.name", &["metadata", "name"],
            "Of a config map: its name."),
        object("ka.req.configmap.obj", &["data"],
            "Of a config map: its data as JSON."),
        object("ka.req.role.rules", &["rules", "*"],
            "Of a role: its rules, each as JSON.").list(),
        object("ka.req.role.rules.apiGroups", &["rules", "*", "apiGroups", "*"],
            "Of a role: the API groups of all of its rules.").list(),
        object("ka.req.role.rules.nonResourceURLs", &["rules", "*", "nonResourceURLs", "*"],
            "Of a role: the paths of all of its rules.").list(),
        object("ka.req.role.rules.resources", &["rules", "*", "resources", "*"],
            "Of a role: the resources of all of its rules.").list(),
        object("ka.req.role.rules.verbs", &["rules", "*", "verbs", "*"],
            "Of a role: the verbs of all of its rules.").list(),
        object("ka.req.service.type", &["spec", "type"],
            "Of a service: such as `NodePort`."),
        object("ka.req.service.ports", &["spec", "ports", "*"],
            "Of a service: its ports, each as JSON.").list(),
        object("ka.req.service.ports.port", &["spec", "ports", "*", "port"],
            "Of a service: the numbers of its ports, as text.").list().own(),
        object("ka.req.ingress.services", &["spec", "rules", "*", "http", "paths", "*", "backend", "service", "name"],
            "Of an ingress: the services that its paths lead to.").list().own(),
    ]
}

#[rustfmt::skip]
fn of_pods() -> Vec<Field> {
    let object = Field::of_object;
    let shown = |name, names, shown, meaning| {
        Field::of_audit(name, AuditField::Object(ObjectPath { names, shown }), meaning)
    };
    vec![
        object("ka.req.pod.host_ipc", &["spec", "hostIPC"],
            "Of a pod: `true` where it shares the node's IPC namespace."),
        object("ka.req.pod.host_network", &["spec", "hostNetwork"],
            "Of a pod: `true` where it shares the node's network."),
        object("ka.req.container.host_network", &["spec", "hostNetwork"],
            "An older name of `ka.req.pod.host_network`."),
        object("ka.req.pod.host_pid", &["spec", "hostPID"],
            "Of a pod: `true` where it shares the node's process ids."),
        object("ka.req.pod.service_account", &["spec", "serviceAccountName"],
            "Of a pod: the service account that it runs as.").own(),
        object("ka.req.pod.run_as_user", &["spec", "securityContext", "runAsUser"],
            "Of a pod: the user id that its containers run as unless they say otherwise."),
        object("ka.req.pod.run_as_group", &["spec", "securityContext", "runAsGroup"],
            "Of a pod: the group id that its containers run as unless they say otherwise."),
        object("ka.req.pod.fs_group", &["spec", "securityContext", "fsGroup"],
            "Of a pod: the group that owns its volumes."),
        object("ka.req.pod.supplemental_groups", &["spec", "securityContext", "supplementalGroups", "*"],
            "Of a pod: further groups of its containers.").list(),
        object("ka.req.pod.volumes.hostpath", &["spec", "volumes", "*", "hostPath", "path"],
            "Of a pod: the paths of the node that its volumes are.").list(),
        object("ka.req.volume.hostpath", &["spec", "volumes", "*", "hostPath", "path"],
            "An older name of `ka.req.pod.volumes.hostpath`.").list(),
        object("ka.req.pod.volumes.flexvolume_driver", &["spec", "volumes", "*", "flexVolume", "driver"],
            "Of a pod: the drivers of its flex volumes.").list(),
        shown("ka.req.pod.volumes.volume_type", &["spec", "volumes", "*"], Shown::Kind,
            "Of a pod: the kinds of its volumes, such as `hostPath`.").list(),
    ]
}

#[rustfmt::skip]
fn of_containers() -> Vec<Field> {
    let object = Field::of_object;
    let repository = |name, names, meaning| {
        Field::of_audit(name, AuditField::Object(ObjectPath { names, shown: Shown::Repository }), meaning)
    };
    vec![
        object("ka.req.pod.containers.name", &["spec", "containers", "*", "name"],
            "Of a pod: the names of its containers.").list().own(),
        object("ka.req.pod.containers.image", &["spec", "containers", "*", "image"],
            "Of a pod: the images of its containers.").list(),
        object("ka.req.container.image", &["spec", "containers", "*", "image"],
            "An older name of `ka.req.pod.containers.image`.").list(),
        repository("ka.req.pod.containers.image.repository", &["spec", "containers", "*", "image"],
            "Of a pod: the images of its containers without tag and digest.").list(),
        repository("ka.req.container.image.repository", &["spec", "containers", "*", "image"],
            "An older name of `ka.req.pod.containers.image.repository`.").list(),
        object("ka.req.pod.containers.command", &["spec", "containers", "*", "command", "*"],
            "Of a pod: the words of its containers' commands.").list().own(),
        object("ka.req.pod.containers.args", &["spec", "containers", "*", "args", "*"],
            "Of a pod: the words of its containers' arguments.").list().own(),
        object("ka.req.pod.containers.privileged", &["spec", "containers", "*", "securityContext", "privileged"],
            "Of a pod: `true` or `false` of each container that says so.").list(),
        object("ka.req.container.privileged", &["spec", "containers", "*", "securityContext", "privileged"],
            "An older name of `ka.req.pod.containers.privileged`.").list(),
        object("ka.req.pod.containers.allow_privilege_escalation", &["spec", "containers", "*", "securityContext", "allowPrivilegeEscalation"],
            "Of a pod: `true` or `false` of each container that says so.").list(),
        object("ka.req.pod.containers.read_only_fs", &["spec", "containers", "*", "securityContext", "readOnlyRootFilesystem"],
            "Of a pod: `true` or `false` of each container that says so.").list(),
        object("ka.req.pod.containers.run_as_user", &["spec", "containers", "*", "securityContext", "runAsUser"],
            "Of a pod: the user ids of the containers that say so.").list(),
        object("ka.req.pod.containers.run_as_group", &["spec", "containers", "*", "securityContext", "runAsGroup"],
            "Of a pod: the group ids of the containers that say so.").list(),
        object("ka.req.pod.containers.proc_mount", &["spec", "containers", "*", "securityContext", "procMount"],
            "Of a pod: how `/proc` is mounted in the containers that say so.").list(),
        object("ka.req.pod.containers.add_capabilities", &["spec", "containers", "*", "securityContext", "capabilities", "add", "*"],
            "Of a pod: the capabilities that are added to its containers' own.").list(),
        object("ka.req.pod.containers.host_port", &["spec", "containers", "*", "ports", "*", "hostPort"],
            "Of a pod: the node's ports that lead to its containers.").list(),
        object("ka.req.pod.initContainers.image", &["spec", "initContainers", "*", "image"],
            "Of a pod: the images of its init containers.").list(),
        repository("ka.req.pod.initContainers.image.repository", &["spec", "initContainers", "*", "image"],
            "Of a pod: the images of its init containers without tag and digest.").list(),
        object("ka.req.pod.initContainers.privileged", &["spec", "initContainers", "*", "securityContext", "privileged"],
            "Of a pod: `true` or `false` of each init container that says so.").list(),
        object("ka.req.pod.ephemeralContainers.image", &["spec", "ephemeralContainers", "*", "image"],
            "Of a pod: the images of its ephemeral containers.").list(),
        repository("ka.req.pod.ephemeralContainers.image.repository", &["spec", "ephemeralContainers", "*", "image"],
            "Of a pod: the images of its ephemeral containers without tag and digest.").list(),
        object("ka.req.pod.ephemeralContainers.privileged", &["spec", "ephemeralContainers", "*", "securityContext", "privileged"],
            "Of a pod: `true` or `false` of each ephemeral container that says so.").list(),
    ]
}

#[rustfmt::skip]
fn of_workloads() -> Vec<Field> {
    let object = |name, names, meaning| Field::of_object(name, names, meaning).own();
    let repository = ObjectPath { names: &["@pod", "@containers", "image"], shown: Shown::Repository };
    vec![
        object("ka.req.workload.host_network", &["@pod", "hostNetwork"],
            "Of a pod, or of what makes pods by a template (a deployment, a cron job): `true` where they share the node's network."),
        object("ka.req.workload.host_pid", &["@pod", "hostPID"],
            "Of the same: `true` where they share the node's process ids."),
        object("ka.req.workload.host_ipc", &["@pod", "hostIPC"],
            "Of the same: `true` where they share the node's IPC namespace."),
        object("ka.req.workload.service_account", &["@pod", "serviceAccountName"],
            "Of the same: the service account that they run as."),
        object("ka.req.workload.volumes.hostpath", &["@pod", "volumes", "*", "hostPath", "path"],
            "Of the same: the paths of the node that their volumes are.").list(),
        object("ka.req.workload.containers.image", &["@pod", "@containers", "image"],
            "Of the same: the images of all containers, init containers and ephemeral containers among them.").list(),
        Field::of_audit("ka.req.workload.containers.image.repository", AuditField::Object(repository),
            "Of the same: the images of all containers without tag and digest.").list().own(),
        object("ka.req.workload.containers.command", &["@pod", "@containers", "command", "*"],
            "Of the same: the words of the commands of all containers.").list(),
        object("ka.req.workload.containers.args", &["@pod", "@containers", "args", "*"],
            "Of the same: the words of the arguments of all containers.").list(),
        object("ka.req.workload.containers.privileged", &["@pod", "@containers", "securityContext", "privileged"],
            "Of the same: `true` or `false` of each container that says so.").list(),
        object("ka.req.workload.containers.add_capabilities", &["@pod", "@containers", "securityContext", "capabilities", "add", "*"],
            "Of the same: the capabilities that are added to the containers' own.").list(),
    ]
}

impl Field {
    fn with_pointer(self) -> Self {
        Self { argument: Argument::Pointer, ..self }
    }
}
