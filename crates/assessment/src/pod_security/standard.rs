use crate::kind::Kind;
use crate::object::{entries, items, text, texts};
use crate::offences::template;
use serde_json::Value;

/// The levels, the most permissive first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // The names are the standards'.
pub(crate) enum Level {
    Privileged,
    Baseline,
    Restricted,
}

impl Level {
    /// As in labels.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }

    /// Of a label. Admission takes what is no level for the strictest.
    pub(crate) fn of(label: &str) -> Self {
        match label {
            "privileged" => Self::Privileged,
            "baseline" => Self::Baseline,
            _ => Self::Restricted,
        }
    }
}

/// What of the standards a pod does not meet: a bit for each control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Violations(u32);

/// The controls by their bits, named as in the standards. The first twelve are of the level baseline.
pub(crate) const CONTROLS: [&str; 18] = [
    "HostProcess",
    "host namespaces",
    "privileged containers",
    "capabilities beyond the default",
    "HostPath volumes",
    "host ports",
    "host of probes and hooks",
    "AppArmor",
    "SELinux",
    "/proc mount type",
    "seccomp unconfined",
    "sysctls",
    "volume types",
    "privilege escalation",
    "running as non-root",
    "running as non-root user",
    "seccomp profile",
    "capabilities not dropped",
];
const BASELINE_CONTROLS: u32 = 12;

/// Capabilities that baseline lets containers add.
const BASELINE_CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
/// Sysctls that baseline lets pods set.
const SAFE_SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];
const SELINUX_TYPES: [&str; 5] =
    ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];
/// Kinds of volumes that restricted allows.
const RESTRICTED_VOLUMES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];
const APPARMOR_ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

impl Violations {
    /// Of a pod, or of the template of a workload.
    pub(crate) fn of(kind: Kind, object: &Value) -> Self {
        let template = template(kind, object);
        Pod::new(template).violations()
    }

    /// The strictest level that is met.
    pub(crate) const fn level(self) -> Level {
        if self.0 & ((1 << BASELINE_CONTROLS) - 1) != 0 {
            Level::Privileged
        } else if self.0 != 0 {
            Level::Baseline
        } else {
            Level::Restricted
        }
    }

    /// What is not met of the controls of a level and those below it.
    pub(crate) fn names(self, level: Level) -> impl Iterator<Item = &'static str> {
        let of_level = match level {
            Level::Privileged => 0,
            Level::Baseline => BASELINE_CONTROLS,
            Level::Restricted => 32,
        };
        let bits = (0..).zip(CONTROLS);
        bits.filter(move |(bit, _)| *bit < of_level && self.0 & (1 << bit) != 0)
            .map(|(_, name)| name)
    }
}

/// What the controls look at.
struct Pod<'p> {
    spec: &'p Value,
    security: &'p Value,
    annotations: &'p Value,
    containers: Vec<&'p Value>,
    is_windows: bool,
}

impl<'p> Pod<'p> {
    fn new(template: &'p Value) -> Self {
        let spec = &template["spec"];
        let lists = ["containers", "initContainers", "ephemeralContainers"];
        Self {
            spec,
            security: &spec["securityContext"],
            annotations: &template["metadata"]["annotations"],
            containers: lists.iter().flat_map(|list| items(spec, list)).collect(),
            is_windows: text(&spec["os"], "name") == "windows",
        }
    }

    fn violations(&self) -> Violations {
        let controls = [
            self.is_host_process(),
            ["hostNetwork", "hostPID", "hostIPC"].iter().any(|field| self.spec[*field] == true),
            self.any(|container| container["securityContext"]["privileged"] == true),
            self.any(|container| {
                adds(container).any(|added| !BASELINE_CAPABILITIES.contains(&added))
            }),
            items(self.spec, "volumes").iter().any(|volume| volume["hostPath"].is_object()),
            self.any(|container| items(container, "ports").iter().any(takes_host_port)),
            self.any(names_host),
            self.has_bad_apparmor(),
            self.any_context(|context| is_bad_selinux(&context["seLinuxOptions"])),
            self.any(|container| {
                !["", "Default"].contains(&text(&container["securityContext"], "procMount"))
            }),
            self.any_context(|context| text(&context["seccompProfile"], "type") == "Unconfined"),
            items(self.security, "sysctls")
                .iter()
                .any(|sysctl| !SAFE_SYSCTLS.contains(&text(sysctl, "name"))),
            items(self.spec, "volumes").iter().any(is_of_other_kind),
            !self.is_windows
                && self.any(|container| {
                    container["securityContext"]["allowPrivilegeEscalation"] != false
                }),
            self.any(|container| *self.inherited(container, "runAsNonRoot") != true),
            self.any_context(|context| context["runAsUser"] == 0),
            !self.is_windows && self.any(|container| !self.has_seccomp(container)),
            !self.is_windows
                && self.any(|container| {
                    !drops_all(container)
                        || adds(container).any(|added| added != "NET_BIND_SERVICE")
                }),
        ];
        let bits = (0..).zip(controls).filter(|(_, violated)| *violated);
        Violations(bits.fold(0, |all, (bit, _)| all | 1_u32 << bit))
    }

    fn any(&self, is_bad: impl FnMut(&Value) -> bool) -> bool {
        self.containers.iter().copied().any(is_bad)
    }

    /// The pod's security context or any container's.
    fn any_context(&self, is_bad: impl Fn(&Value) -> bool) -> bool {
        is_bad(self.security) || self.any(|container| is_bad(&container["securityContext"]))
    }

    /// What a container sets, or else its pod.
    fn inherited<'v>(&'v self, container: &'v Value, field: &str) -> &'v Value {
        let own = &container["securityContext"][field];
        if own.is_null() { &self.security[field] } else { own }
    }

    fn is_host_process(&self) -> bool {
        self.any_context(|context| context["windowsOptions"]["hostProcess"] == true)
    }

    fn has_bad_apparmor(&self) -> bool {
        let profile = |context: &Value| {
            !["", "RuntimeDefault", "Localhost"]
                .contains(&text(&context["appArmorProfile"], "type"))
        };
        self.any_context(profile)
            || entries(self.annotations).any(|(key, value)| {
                key.starts_with(APPARMOR_ANNOTATION)
                    && !["", "runtime/default"].contains(&value)
                    && !value.starts_with("localhost/")
            })
    }

    fn has_seccomp(&self, container: &Value) -> bool {
        let profile = self.inherited(container, "seccompProfile");
        ["RuntimeDefault", "Localhost"].contains(&text(profile, "type"))
    }
}

fn adds(container: &Value) -> impl Iterator<Item = &str> {
    texts(&container["securityContext"]["capabilities"], "add")
}

fn drops_all(container: &Value) -> bool {
    texts(&container["securityContext"]["capabilities"], "drop").any(|dropped| dropped == "ALL")
}

fn takes_host_port(port: &Value) -> bool {
    port["hostPort"].as_i64().is_some_and(|port| port != 0)
}

/// A probe or a hook that calls another host than the pod.
fn names_host(container: &Value) -> bool {
    let (hooks, probes) =
        (&container["lifecycle"], ["livenessProbe", "readinessProbe", "startupProbe"]);
    let handlers = probes.map(|probe| &container[probe]).into_iter();
    handlers.chain([&hooks["postStart"], &hooks["preStop"]]).any(|handler| {
        ["httpGet", "tcpSocket"].iter().any(|action| !text(&handler[*action], "host").is_empty())
    })
}

fn is_bad_selinux(options: &Value) -> bool {
    !SELINUX_TYPES.contains(&text(options, "type"))
        || !text(options, "user").is_empty()
        || !text(options, "role").is_empty()
}

fn is_of_other_kind(volume: &Value) -> bool {
    let kinds = volume.as_object().into_iter().flatten();
    kinds
        .filter(|(key, value)| *key != "name" && !value.is_null())
        .any(|(key, _)| !RESTRICTED_VOLUMES.contains(&key.as_str()))
}
