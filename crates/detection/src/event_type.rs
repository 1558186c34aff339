//! The names that `evt.type` can have: Linux's system calls, and a few names of what is not a system call.

use event_model::{EventKind, FileAct, NetworkAct, SystemAct};
use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

/// A kind of event as rules ask for it. Calls that do the same are of one type: `openat` is another name of `open`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType(u16);

/// What an [`EventType`] is told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Exec,
    Fork,
    Exit,
    Dns,
    File(FileAct),
    Network(NetworkAct),
    System(SystemAct),
    /// No sensor of ours.
    Nothing,
}

/// Types that have no act of their own, in the order of their numbers.
const FIRST: [&str; 5] = ["execve", "clone", "procexit", "dns", "recvfrom"];
const FILE: usize = FIRST.len();
const NETWORK: usize = FILE + FileAct::ALL.len();
const SYSTEM: usize = NETWORK + NetworkAct::ALL.len();
const SEEN: usize = SYSTEM + SystemAct::ALL.len();

impl EventType {
    /// A process begins another program; execveat is told under this name too.
    pub const EXECVE: Self = Self(0);
    /// A process makes a child: fork, vfork, clone and clone3 alike.
    pub const CLONE: Self = Self(1);
    /// A process ends.
    pub const PROCEXIT: Self = Self(2);
    /// A question to the domain name system, or its answer. Known to this engine only.
    pub const DNS: Self = Self(3);
    /// Datagrams came from another end. Those that went there are a `sendto`.
    pub const RECVFROM: Self = Self(4);

    /// The types that an [`EventKind`] can have.
    pub fn seen() -> impl Iterator<Item = Self> + Clone {
        (0..SEEN).map(Self::numbered)
    }

    /// The type by one of its names, such as `openat`.
    pub fn named(name: &str) -> Option<Self> {
        TABLE.by_name.get(name).copied()
    }

    /// The name that stands for all names of the type.
    pub fn name(self) -> &'static str {
        self.names_of_type()[0]
    }

    /// Whether a sensor tells events of the type, on nodes whose kernel lets it.
    pub fn is_seen(self) -> bool {
        self.index() < SEEN
    }

    /// All names of the type.
    pub(crate) fn names_of_type(self) -> &'static [&'static str] {
        &TABLE.names[self.index()]
    }

    /// All types.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..TABLE.names.len()).map(Self::numbered)
    }

    /// A type that no event has.
    pub(crate) fn unseen() -> Self {
        Self::numbered(SEEN)
    }

    /// All names, for suggestions.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        TABLE.names.iter().flatten().copied()
    }

    /// Position among [`Self::seen`], and in tables indexed by it.
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    pub(crate) fn subject(self) -> Subject {
        match self.index() {
            0 => Subject::Exec,
            1 => Subject::Fork,
            2 => Subject::Exit,
            3 => Subject::Dns,
            4 => Subject::Network(NetworkAct::Datagram),
            file @ FILE..NETWORK => Subject::File(FileAct::ALL[file - FILE]),
            network @ NETWORK..SYSTEM => Subject::Network(NetworkAct::ALL[network - NETWORK]),
            system @ SYSTEM..SEEN => Subject::System(SystemAct::ALL[system - SYSTEM]),
            _ => Subject::Nothing,
        }
    }

    /// There are a few hundred types.
    fn numbered(index: usize) -> Self {
        Self(u16::try_from(index).unwrap_or(u16::MAX))
    }
}

impl From<FileAct> for EventType {
    fn from(act: FileAct) -> Self {
        Self::numbered(FILE + act as usize)
    }
}

impl From<NetworkAct> for EventType {
    /// Of datagrams, the type of those that went out.
    fn from(act: NetworkAct) -> Self {
        Self::numbered(NETWORK + act as usize)
    }
}

impl From<SystemAct> for EventType {
    fn from(act: SystemAct) -> Self {
        Self::numbered(SYSTEM + act as usize)
    }
}

impl From<&EventKind> for EventType {
    fn from(kind: &EventKind) -> Self {
        match kind {
            EventKind::Exec => Self::EXECVE,
            EventKind::Fork { .. } => Self::CLONE,
            EventKind::Exit(_) => Self::PROCEXIT,
            EventKind::Dns(_) => Self::DNS,
            EventKind::File(event) => event.act.into(),
            EventKind::Network(event) => {
                let came_in = event.flow.is_some_and(|flow| flow.inbound);
                match event.act {
                    NetworkAct::Datagram if came_in => Self::RECVFROM,
                    act => act.into(),
                }
            }
            EventKind::System(event) => event.act.into(),
        }
    }
}

/// A set of event types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventTypes {
    /// Every type: a condition that does not ask for `evt.type`, nor for what only some types tell.
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

/// Names by type and types by name.
struct Table {
    /// For each type the name that stands for it, then the others.
    names: Vec<Vec<&'static str>>,
    by_name: HashMap<&'static str, EventType>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let network = NetworkAct::ALL.into_iter().map(|act| match act {
        NetworkAct::Datagram => "sendto",
        act => act.name(),
    });
    let seen = FIRST
        .into_iter()
        .chain(FileAct::ALL.map(FileAct::name))
        .chain(network)
        .chain(SystemAct::ALL.iter().map(|act| act.name()));
    let mut names: Vec<Vec<&str>> = seen.map(|name| vec![name]).collect();
    let known: BTreeSet<&str> = names.iter().map(|names| names[0]).collect();
    names.extend(UNSEEN.iter().filter(|name| !known.contains(*name)).map(|name| vec![*name]));
    for names in &mut names {
        let first = names[0];
        let others = ALIASES.iter().filter(|(name, _)| *name == first);
        names.extend(others.flat_map(|(_, others)| others.iter()));
    }
    let by_name = names.iter().enumerate().flat_map(|(index, names)| {
        names.iter().map(move |name| (*name, EventType::numbered(index)))
    });
    Table { by_name: by_name.collect(), names }
});

/// Calls that do what another one does.
#[rustfmt::skip]
static ALIASES: &[(&str, &[&str])] = &[
    ("execve", &["execveat"]),
    ("clone", &["clone3", "fork", "vfork"]),
    ("procexit", &["exit", "exit_group"]),
    ("recvfrom", &["recv", "recvmsg", "recvmmsg"]),
    ("open", &["openat", "openat2", "creat", "open_by_handle_at"]),
    ("rename", &["renameat", "renameat2"]),
    ("link", &["linkat"]),
    ("symlink", &["symlinkat"]),
    ("unlink", &["unlinkat"]),
    ("mkdir", &["mkdirat"]),
    ("mknod", &["mknodat"]),
    ("truncate", &["ftruncate"]),
    ("chmod", &["fchmod", "fchmodat", "fchmodat2"]),
    ("chown", &["fchown", "lchown", "fchownat"]),
    ("utimes", &["utime", "utimensat", "futimesat"]),
    ("setxattr", &["lsetxattr", "fsetxattr", "setxattrat"]),
    ("umount", &["umount2"]),
    ("accept", &["accept4"]),
    ("sendto", &["send", "sendmsg", "sendmmsg"]),
    ("setuid", &["setreuid", "setresuid", "setfsuid"]),
    ("setgid", &["setregid", "setresgid", "setfsgid"]),
    ("kill", &["tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"]),
    ("dup", &["dup2", "dup3"]),
    ("mprotect", &["pkey_mprotect"]),
    ("mmap", &["mmap2"]),
    ("init_module", &["finit_module"]),
    ("kexec_load", &["kexec_file_load"]),
    ("io_uring", &["io_uring_enter"]),
    ("keyctl", &["add_key", "request_key"]),
];

/// System calls of x86_64 and a few of 32-bit programs that no sensor of ours tells, then names of what is not a
/// system call.
#[rustfmt::skip]
static UNSEEN: &[&str] = &[
    "_llseek", "_newselect", "_sysctl", "access", "acct", "adjtimex", "afs_syscall", "alarm", "arch_prctl",
    "asyncevent", "brk", "cachestat", "capget", "chdir", "clock_adjtime", "clock_getres", "clock_gettime",
    "clock_nanosleep", "clock_settime", "close_range", "container", "copy_file_range", "cpu_hotplug",
    "create_module", "drop", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait",
    "epoll_pwait2", "epoll_wait", "epoll_wait_old", "eventfd", "eventfd2", "faccessat", "faccessat2",
    "fadvise64", "fallocate", "fanotify_init", "fanotify_mark", "fchdir", "fcntl", "fcntl64", "fdatasync",
    "fgetxattr", "file_getattr", "file_setattr", "flistxattr", "flock", "fremovexattr", "fsconfig", "fsmount",
    "fsopen", "fspick", "fstat", "fstat64", "fstatfs", "fsync", "futex", "futex_requeue", "futex_wait",
    "futex_waitv", "futex_wake", "generic", "get_kernel_syms", "get_mempolicy", "get_robust_list",
    "get_thread_area", "getcpu", "getcwd", "getdents", "getdents64", "getegid", "geteuid", "getgid",
    "getgroups", "getitimer", "getpeername", "getpgid", "getpgrp", "getpid", "getpmsg", "getppid",
    "getpriority", "getrandom", "getresgid", "getresuid", "getrlimit", "getrusage", "getsid", "getsockname",
    "getsockopt", "gettid", "gettimeofday", "getuid", "getxattr", "getxattrat", "group_added",
    "group_deleted", "infra", "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch",
    "io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit", "io_uring_register",
    "ioctl", "ioperm", "iopl", "ioprio_get", "ioprio_set", "k8s", "kcmp", "landlock_add_rule",
    "landlock_create_ruleset", "landlock_restrict_self", "lgetxattr", "listmount", "listxattr", "listxattrat",
    "llistxattr", "lookup_dcookie", "lremovexattr", "lseek", "lsm_get_self_attr", "lsm_list_modules",
    "lsm_set_self_attr", "lstat", "lstat64", "madvise", "map_shadow_stack", "mbind", "membarrier",
    "memfd_secret", "mesos", "migrate_pages", "mincore", "mlock", "mlock2", "mlockall", "modify_ldt",
    "mount_setattr", "move_pages", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend",
    "mq_unlink", "mremap", "mseal", "msgctl", "msgget", "msgrcv", "msgsnd", "msync", "munlock", "munlockall",
    "munmap", "name_to_handle_at", "nanosleep", "newfstatat", "nfsservctl", "notification", "open_tree",
    "open_tree_attr", "page_fault", "pause", "personality", "pidfd_open", "pipe", "pipe2",
    "pkey_alloc", "pkey_free", "pluginevent", "poll", "ppoll", "pread64", "preadv", "preadv2", "prlimit",
    "prlimit64", "process_madvise", "process_mrelease", "procinfo", "pselect6", "putpmsg",
    "pwrite64", "pwritev", "pwritev2", "query_module", "quotactl", "quotactl_fd", "read", "readahead",
    "readlink", "readlinkat", "readv", "reboot", "remap_file_pages", "removexattr", "removexattrat",
    "restart_syscall", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn",
    "rt_sigsuspend", "rt_sigtimedwait", "scapevent", "sched_get_priority_max", "sched_get_priority_min",
    "sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler", "sched_rr_get_interval",
    "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield", "seccomp",
    "security", "select", "semctl", "semget", "semop", "semtimedop", "sendfile", "set_mempolicy",
    "set_mempolicy_home_node", "set_robust_list", "set_thread_area", "set_tid_address", "setdomainname",
    "setgroups", "sethostname", "setitimer", "setpgid", "setpriority", "setrlimit", "setsockopt",
    "settimeofday", "shmat", "shmctl", "shmdt", "shmget", "shutdown", "sigaltstack", "signaldeliver",
    "signalfd", "signalfd4", "sigreturn", "socketcall", "socketpair", "splice", "stat", "stat64", "statfs",
    "statmount", "statx", "swapoff", "swapon", "switch", "sync", "sync_file_range", "syncfs", "syscall",
    "sysfs", "sysinfo", "syslog", "tee", "time", "timer_create", "timer_delete", "timer_getoverrun",
    "timer_gettime", "timer_settime", "timerfd_create", "timerfd_gettime", "timerfd_settime", "times",
    "tracer", "tuxcall", "ugetrlimit", "umask", "uname", "uretprobe", "uselib", "user_added", "user_deleted",
    "ustat", "vhangup", "vmsplice", "vserver", "wait4", "waitid", "waitpid", "write", "writev",
];

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::{Flow, NetworkEvent, SystemEvent};

    #[test]
    fn an_act_has_the_type_of_its_name() {
        let named = |name: &str| EventType::named(name).unwrap();
        for act in FileAct::ALL {
            assert_eq!(EventType::from(act), named(act.name()));
            assert_eq!(EventType::from(act).subject(), Subject::File(act));
        }
        for act in NetworkAct::ALL {
            let name = if act == NetworkAct::Datagram { "sendto" } else { act.name() };
            assert_eq!(EventType::from(act), named(name));
            assert_eq!(EventType::from(act).subject(), Subject::Network(act));
        }
        for act in SystemAct::ALL {
            let event = SystemEvent { act: *act, ..SystemEvent::default() };
            let kind = EventKind::System(Box::new(event));
            assert_eq!(EventType::from(&kind), named(act.name()));
            assert_eq!(EventType::from(*act).subject(), Subject::System(*act));
        }
        assert_eq!(
            [named("execve"), named("clone"), named("procexit")].map(EventType::index),
            [0, 1, 2]
        );
        assert!(!EventType::unseen().is_seen());
        assert_eq!(EventType::unseen().subject(), Subject::Nothing);
    }

    #[test]
    fn calls_that_do_the_same_are_one_type() {
        for (name, others) in ALIASES {
            let event_type = EventType::named(name).unwrap();
            assert!(event_type.is_seen(), "{name}");
            for other in *others {
                assert_eq!(EventType::named(other), Some(event_type), "{other}");
            }
        }
        assert_eq!(EventType::named("openat2").unwrap().name(), "open");
    }

    #[test]
    fn datagrams_have_a_type_by_their_direction() {
        let datagram = |inbound| {
            let flow = Some(Flow { inbound, ..Flow::default() });
            let event = NetworkEvent { act: NetworkAct::Datagram, flow, ..NetworkEvent::default() };
            EventType::from(&EventKind::Network(Box::new(event))).name()
        };
        assert_eq!([datagram(false), datagram(true)], ["sendto", "recvfrom"]);
    }

    #[test]
    fn no_name_stands_twice() {
        assert_eq!(TABLE.by_name.len(), EventType::names().count());
    }
}
