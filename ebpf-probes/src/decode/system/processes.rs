//! Acts on processes: who they are, where they are, what they do to others.

use super::{Arguments, Told, low};
use event_model::symbols::{Symbol, one, set};

/// setuid and its family, setgid and its family: `uid` or `gid` is put into the names. What the kernel gave, before and
/// after; where it is not known before, the process's own entity tells.
pub fn ids(told: &Told, id: &str) -> Arguments {
    let mut arguments = Arguments::default();
    for (place, age) in [(0, ""), (2, "old_")] {
        let names = [["", "e"], ["s", "fs"]];
        for (offset, [first, second]) in names.into_iter().enumerate() {
            if let Some((low, high)) = told.halves(place + offset) {
                arguments.text(&format!("{age}{first}{id}"), &low);
                arguments.text(&format!("{age}{second}{id}"), &high);
            }
        }
    }
    arguments
}

pub fn capset(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    let names = [
        "effective",
        "permitted",
        "inheritable",
        "old_effective",
        "old_permitted",
        "old_inheritable",
    ];
    for (place, name) in names.into_iter().enumerate() {
        arguments.add(name, told.value(place).map(capabilities));
    }
    arguments
}

/// `enum namespace_values`: each namespace, its bit and its place among the inode numbers.
const NAMESPACES: [(u64, &str); 8] = [
    (0x1000_0000, "user"),
    (0x0002_0000, "mnt"),
    (0x0400_0000, "uts"),
    (0x0800_0000, "ipc"),
    (0x4000_0000, "net"),
    (0x2000_0000, "pid"),
    (0x0200_0000, "cgroup"),
    (0x0000_0080, "time"),
];

pub fn setns(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    arguments.add("fd", told.signed(6)).add("flags", told.value(0).map(clone_flags));
    let Some(types) = told.value(1) else { return arguments };
    arguments.text("nstype", &clone_flags(types));
    for (place, (bit, name)) in NAMESPACES.into_iter().enumerate() {
        if let Some((first, second)) = told.halves(2 + place / 2)
            && types & bit != 0
        {
            arguments.text(name, if place % 2 == 0 { &first } else { &second });
        }
    }
    arguments
}

pub fn unshare(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    arguments.add("flags", told.value(0).map(clone_flags));
    arguments
}

pub fn chroot(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    arguments.add("path", Some(path(told.path.as_ref(), told.text.as_ref())));
    arguments
}

/// The kernel's path or, for want of it, the caller's. Neither is there where the kernel's is the root, which has no names.
fn path<'told>(kernels: Option<&'told String>, callers: Option<&'told String>) -> &'told str {
    kernels.or(callers).map_or("/", String::as_str)
}

pub fn pivot_root(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    arguments.add("new_root", Some(path(told.path.as_ref(), told.text.as_ref())));
    arguments.add("put_old", Some(path(told.other.as_ref(), told.other_text.as_ref())));
    arguments
}

pub fn ptrace(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    arguments
        .add("request", told.value(0).map(|request| one(request, PTRACE_REQUESTS)))
        .add("pid", told.signed(1))
        .hexadecimal("addr", told.value(2))
        .hexadecimal("data", told.value(3));
    arguments
}

/// process_vm_readv, process_vm_writev.
pub fn memory_access(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    arguments.add("pid", told.signed(0)).add("riovcnt", told.value(1));
    arguments
}

/// The call knows the process by a descriptor alone: `pid` is the host's number of it.
pub fn pidfd_getfd(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    arguments.add("pid", told.signed(0)).add("fd", told.signed(1));
    arguments
}

/// Those of its options whose first argument has names of its own.
const PR_SET_MM: u64 = 35;
const PR_CAP_AMBIENT: u64 = 47;
const PR_SET_SECUREBITS: u64 = 28;
const PR_SET_NAME: u64 = 15;

pub fn prctl(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    let Some(option) = told.value(0) else { return arguments };
    arguments.text("option", &one(option, PRCTL_OPTIONS));
    match (option, told.value(1)) {
        (PR_SET_NAME, _) => arguments.add("name", told.text.as_ref()),
        (PR_SET_MM, Some(field)) => arguments
            .add("arg2", Some(one(field, MEMORY_FIELDS)))
            .hexadecimal("arg3", told.value(2)),
        (PR_CAP_AMBIENT, _) => arguments
            .add("arg2", Some("PR_CAP_AMBIENT_RAISE"))
            .add("arg3", told.value(2).map(capability)),
        (PR_SET_SECUREBITS, Some(bits)) => arguments.add("arg2", Some(set(bits, SECURE_BITS))),
        (_, first) => arguments.add("arg2", first.map(signed)),
    };
    arguments
}

pub fn kill(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    arguments
        .add("sig", told.value(0).map(signal))
        .add("code", told.signed(1).map(signal_code))
        .add("thread", told.value(2).filter(|thread| *thread != 0).map(|_| "true"));
    arguments
}

pub fn dup(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    arguments.add("oldfd", told.signed(0)).add("newfd", told.signed(1));
    let Some(packed) = told.value(2) else { return arguments };
    let part = |place: u32| u16::try_from(packed >> (16 * place) & 0xffff).unwrap_or(0);
    let (family, remote_port, local_port) = (part(0), part(1), part(2));
    arguments
        .add("family", Some(one(u64::from(family), FAMILIES)))
        .add("remote", told.address(3, family, remote_port))
        .add("local", told.address(5, family, local_port));
    arguments
}

fn clone_flags(flags: u64) -> String {
    set(flags, CLONE_FLAGS)
}

/// A set of capabilities.
fn capabilities(bits: u64) -> String {
    if bits & ALL_CAPABILITIES == ALL_CAPABILITIES {
        return "ALL".to_owned();
    }
    let names: Vec<Symbol> =
        CAPABILITIES.iter().enumerate().map(|(bit, name)| (1 << bit, *name)).collect();
    set(bits, &names)
}

/// One capability by its number.
fn capability(number: u64) -> String {
    let name = usize::try_from(number).ok().and_then(|number| CAPABILITIES.get(number));
    name.map_or_else(|| number.to_string(), |name| (*name).to_owned())
}

fn signed(value: u64) -> String {
    value.cast_signed().to_string()
}

/// Real-time signals have numbers alone.
pub fn signal(number: u64) -> String {
    one(u64::from(low(number)), SIGNALS)
}

/// `include/uapi/asm-generic/siginfo.h`
fn signal_code(code: i32) -> String {
    match code {
        0 => "SI_USER".to_owned(),
        -1 => "SI_QUEUE".to_owned(),
        -6 => "SI_TKILL".to_owned(),
        other => other.to_string(),
    }
}

/// `include/uapi/linux/sched.h`
const CLONE_FLAGS: &[Symbol] = &[
    (0x80, "CLONE_NEWTIME"),
    (0x100, "CLONE_VM"),
    (0x200, "CLONE_FS"),
    (0x400, "CLONE_FILES"),
    (0x800, "CLONE_SIGHAND"),
    (0x1_0000, "CLONE_THREAD"),
    (0x2_0000, "CLONE_NEWNS"),
    (0x4_0000, "CLONE_SYSVSEM"),
    (0x200_0000, "CLONE_NEWCGROUP"),
    (0x400_0000, "CLONE_NEWUTS"),
    (0x800_0000, "CLONE_NEWIPC"),
    (0x1000_0000, "CLONE_NEWUSER"),
    (0x2000_0000, "CLONE_NEWPID"),
    (0x4000_0000, "CLONE_NEWNET"),
];

/// `include/uapi/linux/ptrace.h`, `arch/x86/include/uapi/asm/ptrace-abi.h`
const PTRACE_REQUESTS: &[Symbol] = &[
    (0, "PTRACE_TRACEME"),
    (4, "PTRACE_POKETEXT"),
    (5, "PTRACE_POKEDATA"),
    (6, "PTRACE_POKEUSR"),
    (8, "PTRACE_KILL"),
    (13, "PTRACE_SETREGS"),
    (15, "PTRACE_SETFPREGS"),
    (16, "PTRACE_ATTACH"),
    (0x4205, "PTRACE_SETREGSET"),
    (0x4206, "PTRACE_SEIZE"),
];

/// `include/uapi/linux/prctl.h`
const PRCTL_OPTIONS: &[Symbol] = &[
    (4, "PR_SET_DUMPABLE"),
    (8, "PR_SET_KEEPCAPS"),
    (PR_SET_NAME, "PR_SET_NAME"),
    (PR_SET_SECUREBITS, "PR_SET_SECUREBITS"),
    (31, "PR_TASK_PERF_EVENTS_DISABLE"),
    (PR_SET_MM, "PR_SET_MM"),
    (PR_CAP_AMBIENT, "PR_CAP_AMBIENT"),
    (59, "PR_SET_SYSCALL_USER_DISPATCH"),
    (0x5961_6d61, "PR_SET_PTRACER"),
];

/// `include/uapi/linux/prctl.h`
const MEMORY_FIELDS: &[Symbol] = &[
    (1, "PR_SET_MM_START_CODE"),
    (2, "PR_SET_MM_END_CODE"),
    (3, "PR_SET_MM_START_DATA"),
    (4, "PR_SET_MM_END_DATA"),
    (5, "PR_SET_MM_START_STACK"),
    (6, "PR_SET_MM_START_BRK"),
    (7, "PR_SET_MM_BRK"),
    (8, "PR_SET_MM_ARG_START"),
    (9, "PR_SET_MM_ARG_END"),
    (10, "PR_SET_MM_ENV_START"),
    (11, "PR_SET_MM_ENV_END"),
    (12, "PR_SET_MM_AUXV"),
    (13, "PR_SET_MM_EXE_FILE"),
    (14, "PR_SET_MM_MAP"),
    (15, "PR_SET_MM_MAP_SIZE"),
];

/// `include/uapi/linux/securebits.h`
const SECURE_BITS: &[Symbol] = &[
    (1, "SECBIT_NOROOT"),
    (2, "SECBIT_NOROOT_LOCKED"),
    (4, "SECBIT_NO_SETUID_FIXUP"),
    (8, "SECBIT_NO_SETUID_FIXUP_LOCKED"),
    (16, "SECBIT_KEEP_CAPS"),
    (32, "SECBIT_KEEP_CAPS_LOCKED"),
    (64, "SECBIT_NO_CAP_AMBIENT_RAISE"),
    (128, "SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED"),
];

/// `include/uapi/asm-generic/signal.h`
const SIGNALS: &[Symbol] = &[
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (4, "SIGILL"),
    (5, "SIGTRAP"),
    (6, "SIGABRT"),
    (7, "SIGBUS"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (10, "SIGUSR1"),
    (11, "SIGSEGV"),
    (12, "SIGUSR2"),
    (13, "SIGPIPE"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
    (16, "SIGSTKFLT"),
    (19, "SIGSTOP"),
    (20, "SIGTSTP"),
    (21, "SIGTTIN"),
    (22, "SIGTTOU"),
    (24, "SIGXCPU"),
    (25, "SIGXFSZ"),
    (26, "SIGVTALRM"),
    (27, "SIGPROF"),
    (29, "SIGIO"),
    (30, "SIGPWR"),
    (31, "SIGSYS"),
];

/// `include/linux/socket.h`
const FAMILIES: &[Symbol] = &[
    (2, "AF_INET"),
    (10, "AF_INET6"),
    (16, "AF_NETLINK"),
    (17, "AF_PACKET"),
    (30, "AF_TIPC"),
    (31, "AF_BLUETOOTH"),
    (38, "AF_ALG"),
    (40, "AF_VSOCK"),
    (44, "AF_XDP"),
];

/// All that Linux 5.9 and later know.
const ALL_CAPABILITIES: u64 = (1 << 41) - 1;

/// `include/uapi/linux/capability.h`, from number 0 on.
const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];
