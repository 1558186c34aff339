//! The names that `evt.type` can have: Linux's system calls, and a few names of what is not a system call.

use event_model::EventKind;
use std::collections::BTreeSet;

/// A kind of event by the name that rules use for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType(u16);

impl EventType {
    /// A process begins another program; execveat is told under this name too.
    pub const EXECVE: Self = Self(0);
    /// A process makes a child: fork, vfork, clone and clone3 alike.
    pub const CLONE: Self = Self(1);
    /// A process ends.
    pub const PROCEXIT: Self = Self(2);

    /// The types that an [`EventKind`] can have. The first entries of [`NAMES`], in this order.
    pub const SEEN: [Self; 3] = [Self::EXECVE, Self::CLONE, Self::PROCEXIT];

    /// The type by its name, such as `openat`.
    pub fn named(name: &str) -> Option<Self> {
        let index = NAMES.iter().position(|known| *known == name)?;
        u16::try_from(index).ok().map(Self)
    }

    /// The name that rules use.
    pub fn name(self) -> &'static str {
        NAMES[usize::from(self.0)]
    }

    /// All types.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..).zip(NAMES).map(|(index, _)| Self(index))
    }

    /// All names, for suggestions.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().copied()
    }

    /// Position among [`Self::SEEN`], and in tables indexed by it.
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl From<&EventKind> for EventType {
    fn from(kind: &EventKind) -> Self {
        match kind {
            EventKind::Exec => Self::EXECVE,
            EventKind::Fork { .. } => Self::CLONE,
            EventKind::Exit(_) => Self::PROCEXIT,
            other => Self::named(other.name()).unwrap_or(Self::PROCEXIT),
        }
    }
}

/// A set of event types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventTypes {
    /// Every type: a condition that does not ask for `evt.type`.
    All,
    /// These.
    Only(BTreeSet<EventType>),
}

impl EventTypes {
    /// The empty set.
    pub fn none() -> Self {
        Self::Only(BTreeSet::new())
    }

    /// Whether `event_type` is in the set.
    pub fn contains(&self, event_type: EventType) -> bool {
        match self {
            Self::All => true,
            Self::Only(types) => types.contains(&event_type),
        }
    }

    /// What is in either set.
    #[must_use]
    pub fn union(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Only(mut types), Self::Only(more)) => {
                types.extend(more);
                Self::Only(types)
            }
            _ => Self::All,
        }
    }
}

/// System calls of x86_64 and a few of 32-bit programs, then names of what is not a system call.
#[rustfmt::skip]
static NAMES: &[&str] = &[
    "execve", "clone", "procexit", "_llseek", "_newselect", "_sysctl", "accept", "accept4", "access", "acct",
    "add_key", "adjtimex", "afs_syscall", "alarm", "arch_prctl", "asyncevent", "bind", "bpf", "brk",
    "cachestat", "capget", "capset", "chdir", "chmod", "chown", "chroot", "clock_adjtime", "clock_getres",
    "clock_gettime", "clock_nanosleep", "clock_settime", "clone3", "close", "close_range", "connect",
    "container", "copy_file_range", "cpu_hotplug", "creat", "create_module", "delete_module", "drop", "dup",
    "dup2", "dup3", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait",
    "epoll_pwait2", "epoll_wait", "epoll_wait_old", "eventfd", "eventfd2", "execveat", "exit", "exit_group",
    "faccessat", "faccessat2", "fadvise64", "fallocate", "fanotify_init", "fanotify_mark", "fchdir",
    "fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat", "fcntl", "fcntl64", "fdatasync", "fgetxattr",
    "file_getattr", "file_setattr", "finit_module", "flistxattr", "flock", "fork", "fremovexattr",
    "fsconfig", "fsetxattr", "fsmount", "fsopen", "fspick", "fstat", "fstat64", "fstatfs", "fsync",
    "ftruncate", "futex", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake", "futimesat", "generic",
    "get_kernel_syms", "get_mempolicy", "get_robust_list", "get_thread_area", "getcpu", "getcwd", "getdents",
    "getdents64", "getegid", "geteuid", "getgid", "getgroups", "getitimer", "getpeername", "getpgid",
    "getpgrp", "getpid", "getpmsg", "getppid", "getpriority", "getrandom", "getresgid", "getresuid",
    "getrlimit", "getrusage", "getsid", "getsockname", "getsockopt", "gettid", "gettimeofday", "getuid",
    "getxattr", "getxattrat", "group_added", "group_deleted", "infra", "init_module", "inotify_add_watch",
    "inotify_init", "inotify_init1", "inotify_rm_watch", "io_cancel", "io_destroy", "io_getevents",
    "io_pgetevents", "io_setup", "io_submit", "io_uring_enter", "io_uring_register", "io_uring_setup",
    "ioctl", "ioperm", "iopl", "ioprio_get", "ioprio_set", "k8s", "kcmp", "kexec_file_load", "kexec_load",
    "keyctl", "kill", "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "lchown",
    "lgetxattr", "link", "linkat", "listen", "listmount", "listxattr", "listxattrat", "llistxattr",
    "lookup_dcookie", "lremovexattr", "lseek", "lsetxattr", "lsm_get_self_attr", "lsm_list_modules",
    "lsm_set_self_attr", "lstat", "lstat64", "madvise", "map_shadow_stack", "mbind", "membarrier",
    "memfd_create", "memfd_secret", "mesos", "migrate_pages", "mincore", "mkdir", "mkdirat", "mknod",
    "mknodat", "mlock", "mlock2", "mlockall", "mmap", "mmap2", "modify_ldt", "mount", "mount_setattr",
    "move_mount", "move_pages", "mprotect", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive",
    "mq_timedsend", "mq_unlink", "mremap", "mseal", "msgctl", "msgget", "msgrcv", "msgsnd", "msync",
    "munlock", "munlockall", "munmap", "name_to_handle_at", "nanosleep", "newfstatat", "nfsservctl",
    "notification", "open", "open_by_handle_at", "open_tree", "open_tree_attr", "openat", "openat2",
    "page_fault", "pause", "perf_event_open", "personality", "pidfd_getfd", "pidfd_open",
    "pidfd_send_signal", "pipe", "pipe2", "pivot_root", "pkey_alloc", "pkey_free", "pkey_mprotect",
    "pluginevent", "poll", "ppoll", "prctl", "pread64", "preadv", "preadv2", "prlimit", "prlimit64",
    "process_madvise", "process_mrelease", "process_vm_readv", "process_vm_writev", "procinfo", "pselect6",
    "ptrace", "putpmsg", "pwrite64", "pwritev", "pwritev2", "query_module", "quotactl", "quotactl_fd",
    "read", "readahead", "readlink", "readlinkat", "readv", "reboot", "recv", "recvfrom", "recvmmsg",
    "recvmsg", "remap_file_pages", "removexattr", "removexattrat", "rename", "renameat", "renameat2",
    "request_key", "restart_syscall", "rmdir", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
    "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "scapevent",
    "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getattr",
    "sched_getparam", "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_setattr",
    "sched_setparam", "sched_setscheduler", "sched_yield", "seccomp", "security", "select", "semctl",
    "semget", "semop", "semtimedop", "send", "sendfile", "sendmmsg", "sendmsg", "sendto", "set_mempolicy",
    "set_mempolicy_home_node", "set_robust_list", "set_thread_area", "set_tid_address", "setdomainname",
    "setfsgid", "setfsuid", "setgid", "setgroups", "sethostname", "setitimer", "setns", "setpgid",
    "setpriority", "setregid", "setresgid", "setresuid", "setreuid", "setrlimit", "setsid", "setsockopt",
    "settimeofday", "setuid", "setxattr", "setxattrat", "shmat", "shmctl", "shmdt", "shmget", "shutdown",
    "sigaltstack", "signaldeliver", "signalfd", "signalfd4", "sigreturn", "socket", "socketcall",
    "socketpair", "splice", "stat", "stat64", "statfs", "statmount", "statx", "swapoff", "swapon", "switch",
    "symlink", "symlinkat", "sync", "sync_file_range", "syncfs", "syscall", "sysfs", "sysinfo", "syslog",
    "tee", "tgkill", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime",
    "timer_settime", "timerfd_create", "timerfd_gettime", "timerfd_settime", "times", "tkill", "tracer",
    "truncate", "tuxcall", "ugetrlimit", "umask", "umount", "umount2", "uname", "unlink", "unlinkat",
    "unshare", "uretprobe", "uselib", "user_added", "user_deleted", "userfaultfd", "ustat", "utime",
    "utimensat", "utimes", "vfork", "vhangup", "vmsplice", "vserver", "wait4", "waitid", "waitpid", "write",
    "writev",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seen_types_have_the_names_that_rules_use() {
        let names: Vec<&str> = EventType::SEEN.iter().map(|seen| seen.name()).collect();
        assert_eq!(names, ["execve", "clone", "procexit"]);
        for (place, seen) in EventType::SEEN.into_iter().enumerate() {
            assert_eq!(seen.index(), place);
            assert_eq!(EventType::named(seen.name()), Some(seen));
        }
    }

    #[test]
    fn no_name_stands_twice() {
        let distinct: BTreeSet<&str> = EventType::names().collect();
        assert_eq!(distinct.len(), NAMES.len());
    }
}
