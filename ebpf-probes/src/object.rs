use crate::RecordKind;

/// An object file must lie aligned in memory to be read in place.
#[repr(align(32))]
struct Aligned<Bytes: ?Sized>(Bytes);

static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/probes.o")));

/// The kernel programs and their maps: an ELF object with BTF.
pub static OBJECT: &[u8] = &ALIGNED.0;

/// A program in [`OBJECT`]. Each is loaded and attached by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The records that it sends.
    pub kind: RecordKind,
    /// The program's name in the object.
    pub program: &'static str,
    /// The BTF tracepoint that it is attached to.
    pub tracepoint: &'static str,
}

/// All programs, in the order in which they are attached: ends before beginnings, so that none
/// that was seen to begin can end unseen.
pub const PROBES: [Probe; 5] = [
    Probe { kind: RecordKind::Exit, program: "process_exit", tracepoint: "sched_process_exit" },
    Probe { kind: RecordKind::Exec, program: "process_exec", tracepoint: "sched_process_exec" },
    Probe { kind: RecordKind::Fork, program: "process_fork", tracepoint: "sched_process_fork" },
    Probe {
        kind: RecordKind::CgroupRemoved,
        program: "cgroup_removed",
        tracepoint: "cgroup_rmdir",
    },
    Probe { kind: RecordKind::CgroupMade, program: "cgroup_made", tracepoint: "cgroup_mkdir" },
];

/// Names in [`OBJECT`] that user space reads or sets.
pub mod maps {
    /// The ring of process and cgroup records. Its size is to be set before loading.
    pub const PROCESS_RING: &str = "process_ring";
    /// Per CPU and [`RecordKind`](crate::RecordKind): records that did not fit into the ring.
    pub const DROPS: &str = "drops";
    /// One entry for each CPU number; the number of entries is to be set before loading.
    pub const EXEC_DRAFTS: &str = "exec_drafts";
    /// Read-only variable: how many waiting bytes (u64) wake user space.
    pub const WAKEUP_BYTES: &str = "wakeup_bytes";
}
