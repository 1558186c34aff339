//! Acts on the kernel.

use super::{Arguments, Told};
use event_model::symbols::{Symbol, one, set};

pub fn module_load(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    arguments
        .add("name", told.text.as_ref())
        .add("fd", told.signed(1))
        .add("path", told.path.as_ref())
        .add("flags", told.value(0).map(|flags| set(flags, MODULE_FLAGS)));
    arguments
}

pub fn module_unload(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    arguments
        .add("name", told.text.as_ref())
        .add("flags", told.value(0).map(|flags| set(flags, UNLOAD_FLAGS)));
    arguments
}

const BPF_MAP_CREATE: u64 = 0;

pub fn bpf(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    let Some(command) = told.value(0) else { return arguments };
    arguments.text("cmd", &indexed(command, "BPF_", BPF_COMMANDS));
    if command == BPF_MAP_CREATE {
        arguments.add("map_type", told.value(1));
    } else {
        arguments.add(
            "prog_type",
            told.value(1).map(|kind| indexed(kind, "BPF_PROG_TYPE_", PROGRAM_TYPES)),
        );
    }
    arguments.add("name", told.text.as_ref().filter(|name| !name.is_empty()));
    arguments.add(bpf_object(command), told.value(2));
    arguments
}

/// What the id is of that a command is told with.
const fn bpf_object(command: u64) -> &'static str {
    match command {
        9 | 13 => "prog_id",       // PROG_DETACH, PROG_GET_FD_BY_ID
        29 | 30 | 34 => "link_id", // LINK_UPDATE, LINK_GET_FD_BY_ID, LINK_DETACH
        _ => "map_id",
    }
}

pub fn kexec_load(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    arguments
        .add("path", told.path.as_ref())
        .add("nr_segments", told.value(1))
        .hexadecimal("flags", told.value(0));
    arguments
}

pub fn keyctl(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    arguments
        .add(
            "operation",
            told.value(0).map(|operation| indexed(operation, "KEYCTL_", KEY_OPERATIONS)),
        )
        .add("arg2", told.value(1).map(u64::cast_signed))
        .add("arg3", told.value(2).map(u64::cast_signed));
    arguments
}

pub fn perf_event_open(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    arguments
        .add("type", told.value(0).map(|kind| one(kind, EVENT_TYPES)))
        .hexadecimal("config", told.value(1))
        .add("pid", told.signed(2))
        .add("cpu", told.signed(3))
        .add("flags", told.value(4).map(|flags| set(flags, EVENT_FLAGS)));
    arguments
}

/// The name at a number's place, after what all of them begin with; else the number.
fn indexed(number: u64, prefix: &str, names: &[&str]) -> String {
    let name = usize::try_from(number).ok().and_then(|number| names.get(number));
    name.map_or_else(|| number.to_string(), |name| format!("{prefix}{name}"))
}

/// `include/uapi/linux/module.h`
const MODULE_FLAGS: &[Symbol] = &[
    (1, "MODULE_INIT_IGNORE_MODVERSIONS"),
    (2, "MODULE_INIT_IGNORE_VERMAGIC"),
    (4, "MODULE_INIT_COMPRESSED_FILE"),
];

const UNLOAD_FLAGS: &[Symbol] = &[(0o1000, "O_TRUNC"), (0o4000, "O_NONBLOCK")];

/// `include/uapi/linux/perf_event.h`
const EVENT_TYPES: &[Symbol] = &[
    (0, "PERF_TYPE_HARDWARE"),
    (1, "PERF_TYPE_SOFTWARE"),
    (2, "PERF_TYPE_TRACEPOINT"),
    (3, "PERF_TYPE_HW_CACHE"),
    (4, "PERF_TYPE_RAW"),
    (5, "PERF_TYPE_BREAKPOINT"),
];

const EVENT_FLAGS: &[Symbol] = &[
    (1, "PERF_FLAG_FD_NO_GROUP"),
    (2, "PERF_FLAG_FD_OUTPUT"),
    (4, "PERF_FLAG_PID_CGROUP"),
    (8, "PERF_FLAG_FD_CLOEXEC"),
];

/// `enum bpf_cmd` of `include/uapi/linux/bpf.h`, without `BPF_`.
const BPF_COMMANDS: &[&str] = &[
    "MAP_CREATE",
    "MAP_LOOKUP_ELEM",
    "MAP_UPDATE_ELEM",
    "MAP_DELETE_ELEM",
    "MAP_GET_NEXT_KEY",
    "PROG_LOAD",
    "OBJ_PIN",
    "OBJ_GET",
    "PROG_ATTACH",
    "PROG_DETACH",
    "PROG_TEST_RUN",
    "PROG_GET_NEXT_ID",
    "MAP_GET_NEXT_ID",
    "PROG_GET_FD_BY_ID",
    "MAP_GET_FD_BY_ID",
    "OBJ_GET_INFO_BY_FD",
    "PROG_QUERY",
    "RAW_TRACEPOINT_OPEN",
    "BTF_LOAD",
    "BTF_GET_FD_BY_ID",
    "TASK_FD_QUERY",
    "MAP_LOOKUP_AND_DELETE_ELEM",
    "MAP_FREEZE",
    "BTF_GET_NEXT_ID",
    "MAP_LOOKUP_BATCH",
    "MAP_LOOKUP_AND_DELETE_BATCH",
    "MAP_UPDATE_BATCH",
    "MAP_DELETE_BATCH",
    "LINK_CREATE",
    "LINK_UPDATE",
    "LINK_GET_FD_BY_ID",
    "LINK_GET_NEXT_ID",
    "ENABLE_STATS",
    "ITER_CREATE",
    "LINK_DETACH",
    "PROG_BIND_MAP",
    "TOKEN_CREATE",
];

/// `enum bpf_prog_type`, without `BPF_PROG_TYPE_`.
const PROGRAM_TYPES: &[&str] = &[
    "UNSPEC",
    "SOCKET_FILTER",
    "KPROBE",
    "SCHED_CLS",
    "SCHED_ACT",
    "TRACEPOINT",
    "XDP",
    "PERF_EVENT",
    "CGROUP_SKB",
    "CGROUP_SOCK",
    "LWT_IN",
    "LWT_OUT",
    "LWT_XMIT",
    "SOCK_OPS",
    "SK_SKB",
    "CGROUP_DEVICE",
    "SK_MSG",
    "RAW_TRACEPOINT",
    "CGROUP_SOCK_ADDR",
    "LWT_SEG6LOCAL",
    "LIRC_MODE2",
    "SK_REUSEPORT",
    "FLOW_DISSECTOR",
    "CGROUP_SYSCTL",
    "RAW_TRACEPOINT_WRITABLE",
    "CGROUP_SOCKOPT",
    "TRACING",
    "STRUCT_OPS",
    "EXT",
    "LSM",
    "SK_LOOKUP",
    "SYSCALL",
    "NETFILTER",
];

/// `include/uapi/linux/keyctl.h`, without `KEYCTL_`.
const KEY_OPERATIONS: &[&str] = &[
    "GET_KEYRING_ID",
    "JOIN_SESSION_KEYRING",
    "UPDATE",
    "REVOKE",
    "CHOWN",
    "SETPERM",
    "DESCRIBE",
    "CLEAR",
    "LINK",
    "UNLINK",
    "SEARCH",
    "READ",
    "INSTANTIATE",
    "NEGATE",
    "SET_REQKEY_KEYRING",
    "SET_TIMEOUT",
    "ASSUME_AUTHORITY",
    "GET_SECURITY",
    "SESSION_TO_PARENT",
    "REJECT",
    "INSTANTIATE_IOV",
    "INVALIDATE",
    "GET_PERSISTENT",
    "DH_COMPUTE",
    "PKEY_QUERY",
    "PKEY_ENCRYPT",
    "PKEY_DECRYPT",
    "PKEY_SIGN",
    "PKEY_VERIFY",
    "RESTRICT_KEYRING",
    "MOVE",
    "CAPABILITIES",
    "WATCH_KEY",
];
