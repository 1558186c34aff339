use super::{Hook, Probe};
use crate::RecordKind;

/// Processes and cgroups, at no cost to any system call. Ends before beginnings, so that none
/// that was seen to begin can end unseen.
pub const PROBES: &[Probe] = &[
    probe(RecordKind::Exit, &[tracepoint("process_exit", "sched_process_exit")]),
    probe(RecordKind::Exec, &[tracepoint("process_exec", "sched_process_exec")]),
    probe(RecordKind::Fork, &[tracepoint("process_fork", "sched_process_fork")]),
    probe(RecordKind::CgroupRemoved, &[tracepoint("cgroup_removed", "cgroup_rmdir")]),
    probe(RecordKind::CgroupMade, &[tracepoint("cgroup_made", "cgroup_mkdir")]),
];

const fn probe(kind: RecordKind, hooks: &'static [Hook]) -> Probe {
    Probe { kind, hooks }
}

const fn tracepoint(program: &'static str, tracepoint: &'static str) -> Hook {
    Hook::Tracepoint { program, tracepoint }
}
