//! The files that are watched unless the configuration names others.

use super::WatchedPaths;

/// Secrets, and what tells an attacker where he is. Programs that read such files by the thousand are few: the configuration can
/// take them out. `/etc/ld.so.preload` is not among them, for every program reads it where it exists.
const READ: &[&str] = &[
    // Passwords and who may become whom.
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/sudoers.d/",
    // Keys of users and of the host, wherever they lie.
    "/root/.ssh/",
    "/home/*/.ssh/",
    "**/id_rsa",
    "**/id_dsa",
    "**/id_ecdsa",
    "**/id_ed25519",
    "**/authorized_keys",
    "**/ssh_host_rsa_key",
    "**/ssh_host_ecdsa_key",
    "**/ssh_host_ed25519_key",
    // Identities of pods.
    "/run/secrets/",
    "/var/run/secrets/",
    "/var/lib/kubelet/pods/*/volumes/kubernetes.io~projected/",
    "/var/lib/kubelet/pods/*/volumes/kubernetes.io~secret/",
    // Identities of nodes and administrators of Kubernetes.
    "/etc/kubernetes/admin.conf",
    "/etc/kubernetes/super-admin.conf",
    "/etc/kubernetes/kubelet.conf",
    "/etc/kubernetes/controller-manager.conf",
    "/etc/kubernetes/scheduler.conf",
    "/etc/kubernetes/pki/",
    "/etc/rancher/k3s/k3s.yaml",
    "/var/lib/kubelet/kubeconfig",
    "/var/lib/kubelet/pki/",
    "/root/.kube/config",
    "/home/*/.kube/config",
    "**/kubeconfig",
    // Identities in clouds and registries.
    "/root/.aws/credentials",
    "/home/*/.aws/credentials",
    "/root/.azure/",
    "/home/*/.azure/",
    "/root/.config/gcloud/",
    "/home/*/.config/gcloud/",
    "/root/.docker/config.json",
    "/home/*/.docker/config.json",
    "**/.dockercfg",
    "**/.git-credentials",
    "**/.netrc",
    "**/.pgpass",
    // The kernel's memory, its addresses, and other processes'.
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/*/mem",
    "/proc/*/environ",
    "/dev/mem",
    "/dev/kmem",
    "/dev/port",
    "/sys/kernel/tracing/",
    "/sys/kernel/debug/",
    // Ways out of a container.
    "**/core_pattern",
    "**/release_agent",
    "**/uevent_helper",
];

/// Programs, configuration, what runs by itself, what opens the kernel, and traces.
const WRITE: &[&str] = &[
    "/etc/",
    "/root/",
    "/home/",
    "/bin/",
    "/sbin/",
    "/lib/",
    "/lib64/",
    "/usr/bin/",
    "/usr/sbin/",
    "/usr/lib/",
    "/usr/lib64/",
    "/usr/libexec/",
    "/usr/local/bin/",
    "/usr/local/sbin/",
    "/usr/local/lib/",
    "/boot/",
    "/var/spool/cron/",
    "/var/spool/at/",
    "/run/systemd/system/",
    // Identities and configuration of the node.
    "/run/secrets/",
    "/var/run/secrets/",
    "/var/lib/kubelet/config.yaml",
    "/var/lib/kubelet/kubeconfig",
    "/var/lib/kubelet/pki/",
    // Sockets that give the node away.
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/k3s/containerd/containerd.sock",
    // The kernel.
    "/proc/sys/",
    "/proc/sysrq-trigger",
    "/proc/*/mem",
    "/dev/mem",
    "/dev/kmem",
    "/dev/port",
    "/sys/kernel/",
    "/sys/module/",
    "/sys/fs/bpf/",
    "**/core_pattern",
    "**/release_agent",
    "**/uevent_helper",
    "**/authorized_keys",
    // Traces.
    "/var/log/wtmp",
    "/var/log/btmp",
    "/var/log/lastlog",
    "/var/log/auth.log",
    "/var/log/secure",
    "/var/log/syslog",
    "/var/log/messages",
    "/var/log/audit/",
    "**/.bash_history",
    "**/.zsh_history",
];

/// The files that are watched unless the configuration names others.
pub fn watched_by_default() -> WatchedPaths {
    let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
    WatchedPaths { read: owned(READ), write: owned(WRITE) }
}
