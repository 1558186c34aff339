/// An object file must lie aligned in memory to be read in place.
#[repr(align(32))]
struct Aligned<Bytes: ?Sized>(Bytes);

static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/probes.o")));

/// The kernel programs and their maps: an ELF object with BTF.
pub static OBJECT: &[u8] = &ALIGNED.0;

/// Names in [`OBJECT`] that user space reads or sets.
pub mod maps {
    /// The ring of process and cgroup records. Its size is to be set before loading.
    pub const PROCESS_RING: &str = "process_ring";
    /// Per CPU and [`RecordKind`](crate::RecordKind): records that did not fit into the ring.
    pub const DROPS: &str = "drops";
    /// The ring of acts. Its size is to be set before loading.
    pub const ACT_RING: &str = "act_ring";
    /// As [`EXEC_DRAFTS`], for acts.
    pub const ACT_DRAFTS: &str = "act_drafts";
    /// Which program handles which system call, and as what kind: `struct call_route`, by number.
    pub const CALL_ROUTES: &str = "call_routes";
    /// Which calls have a program at their return: not 0, by number as [`CALL_ROUTES`].
    pub const RETURNING_CALLS: &str = "returning_calls";
    /// Which paths are wanted: flags by hash, of `bpf/file_watch.h`. The number of entries is to be set before loading.
    pub const WATCHED_PATHS: &str = "watched_paths";
    /// Cgroups whose acts on files are not. As the former.
    pub const IGNORED_CGROUPS: &str = "ignored_cgroups";
    /// The section of the variable `watched`: what is to be known of [`WATCHED_PATHS`] besides its entries. One entry.
    pub const WATCHED: &str = ".data.watched";
    /// Read-only variable: whether [`IGNORED_CGROUPS`] has any (u32).
    pub const CGROUPS_ARE_IGNORED: &str = "cgroups_are_ignored";
    /// Read-only variable: for how long an open like one before it is counted only (u64, nanoseconds).
    pub const REPEAT_NANOSECONDS: &str = "repeat_nanoseconds";
    /// Which kinds of records are wanted: not 0, by number.
    pub const WANTED_KINDS: &str = "wanted_kinds";
    /// Which acts on sockets are wanted: `struct network_settings` of `bpf/network_filter.h`.
    pub const NETWORK_SETTINGS: &str = "network_settings";
    /// Other ends that are not: prefixes of addresses of IPv6.
    pub const IGNORED_NETWORKS: &str = "ignored_networks";
    /// What is special about a port: bits, by port.
    pub const NETWORK_PORTS: &str = "network_ports";
    /// Names of Unix sockets that are wanted.
    pub const UNIX_NAMES: &str = "unix_names";
    /// As [`DROPS`]: acts like others before them, which are counted only.
    pub const FOLDED: &str = "folded";
    /// Read-only variables: whose loads of BPF programs are the sensor's own, by its process id in its innermost pid
    /// namespace (u32), and that namespace's inode number (u32).
    pub const OWN_PID: &str = "own_pid";
    /// See [`OWN_PID`].
    pub const OWN_PID_NAMESPACE: &str = "own_pid_namespace";
    /// The ids of the sensor's own maps: what others change of them is told.
    pub const OWN_MAPS: &str = "own_maps";
    /// The programs that handle system calls.
    pub const CALL_HANDLERS: &str = "call_handlers";
    /// The program that looks at the end of every system call, and its tracepoint.
    pub const CALL_DISPATCHER: (&str, &str) = ("call_ended", "sys_exit");
    /// The program that lists the processes that run, as exec records ([`decode_next`](crate::decode_next)), and its iterator.
    pub const PROCESS_LIST: (&str, &str) = ("list_process", "task");
    /// One entry for each CPU number; the number of entries is to be set before loading.
    pub const EXEC_DRAFTS: &str = "exec_drafts";
    /// Whether user space sleeps until a record comes (u32), set by it and taken back by who wakes it. One entry.
    pub const ASLEEP: &str = "asleep";
    /// Read-only variable: how many waiting bytes (u64) wake user space.
    pub const WAKEUP_BYTES: &str = "wakeup_bytes";
    /// Array of one u32: 1 while the environment of programs is read.
    pub const ENVIRONMENT_WANTED: &str = "environment_wanted";
}
