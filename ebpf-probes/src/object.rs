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
    /// The programs that handle system calls.
    pub const CALL_HANDLERS: &str = "call_handlers";
    /// The program that looks at the end of every system call, and its tracepoint.
    pub const CALL_DISPATCHER: (&str, &str) = ("call_ended", "sys_exit");
    /// One entry for each CPU number; the number of entries is to be set before loading.
    pub const EXEC_DRAFTS: &str = "exec_drafts";
    /// Read-only variable: how many waiting bytes (u64) wake user space.
    pub const WAKEUP_BYTES: &str = "wakeup_bytes";
}
