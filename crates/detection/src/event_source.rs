//! What a rule is about: the key `source` of the language.

use std::fmt;

/// Where events come from. A rule is about the events of one source, and is never asked of another's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventSource {
    /// Acts of processes, as the kernel tells them. Rules that name no source are of it.
    #[default]
    Syscall,
    /// Requests to the API server of Kubernetes, as its audit log tells them.
    KubernetesAudit,
}

impl EventSource {
    /// All sources.
    pub const ALL: [Self; 2] = [Self::Syscall, Self::KubernetesAudit];

    /// As rules write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syscall => "syscall",
            Self::KubernetesAudit => "k8s_audit",
        }
    }

    /// What its events are, in words.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Syscall => "acts of processes",
            Self::KubernetesAudit => "audit events of Kubernetes",
        }
    }

    /// The source by its name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

impl fmt::Display for EventSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
