use super::calls::{self, Call};
use super::{CallShape, Hook, Probe, compat_entry, entry};
use crate::RecordKind;
use event_model::SystemAct;

/// Acts on processes, on the kernel, and on memory.
pub const PROBES: &[Probe] = &[
    probe(SystemAct::Setuid, &SETUID),
    probe(SystemAct::Setgid, &SETGID),
    probe(SystemAct::Capset, &CAPSET),
    probe(SystemAct::Setns, SETNS),
    probe(SystemAct::Unshare, UNSHARE),
    probe(SystemAct::Chroot, &CHROOT),
    probe(SystemAct::PivotRoot, &PIVOT_ROOT),
    probe(SystemAct::Ptrace, PTRACE),
    probe(SystemAct::ProcessVmReadv, &PROCESS_VM_READV),
    probe(SystemAct::ProcessVmWritev, &PROCESS_VM_WRITEV),
    probe(SystemAct::Prctl, PRCTL),
    probe(SystemAct::Kill, &[tracepoint("system_kill", "signal_generate")]),
    probe(SystemAct::Setsid, SETSID),
    probe(SystemAct::Dup, DUP),
    // After dup: at the end of calls its program serves both.
    probe(SystemAct::PidfdGetfd, &PIDFD_GETFD),
    probe(SystemAct::MemfdCreate, MEMFD_CREATE),
    probe(SystemAct::Mprotect, &MPROTECT),
    probe(SystemAct::Mmap, &MMAP),
    probe(SystemAct::Userfaultfd, USERFAULTFD),
    probe(SystemAct::ModuleLoad, MODULE_LOAD),
    probe(SystemAct::ModuleUnload, MODULE_UNLOAD),
    probe(SystemAct::Bpf, &BPF),
    probe(SystemAct::KexecLoad, KEXEC_LOAD),
    probe(SystemAct::Keyctl, KEYCTL),
    probe(SystemAct::PerfEventOpen, &PERF_EVENT_OPEN),
    probe(SystemAct::IoUringSetup, &[tracepoint("system_ring_made", "io_uring_create")]),
    probe(SystemAct::IoUring, IO_URING),
];

const SETUID: [Hook; 3] = security(
    ("system_setuid_lsm", "task_fix_setuid"),
    ("system_setuid_function", "security_task_fix_setuid"),
    credentials(&[
        calls::SETUID,
        calls::SETUID_16,
        calls::SETREUID,
        calls::SETREUID_16,
        calls::SETRESUID,
        calls::SETRESUID_16,
        calls::SETFSUID,
        calls::SETFSUID_16,
    ]),
);
const SETGID: [Hook; 3] = security(
    ("system_setgid_lsm", "task_fix_setgid"),
    ("system_setgid_function", "security_task_fix_setgid"),
    credentials(&[
        calls::SETGID,
        calls::SETGID_16,
        calls::SETREGID,
        calls::SETREGID_16,
        calls::SETRESGID,
        calls::SETRESGID_16,
        calls::SETFSGID,
        calls::SETFSGID_16,
    ]),
);
const CAPSET: [Hook; 3] = security(
    ("system_capset_lsm", "capset"),
    ("system_capset_function", "security_capset"),
    credentials(&[calls::CAPSET]),
);
const SETNS: &[Hook] =
    &[function("system_setns_function", "switch_task_namespaces"), namespaces(&[calls::SETNS])];
const UNSHARE: &[Hook] =
    &[returned("system_unshare_returned", "ksys_unshare"), namespaces(&[calls::UNSHARE])];
const CHROOT: [Hook; 3] = security(
    ("system_chroot_lsm", "path_chroot"),
    ("system_chroot_function", "security_path_chroot"),
    namespaces(&[calls::CHROOT]),
);
const PIVOT_ROOT: [Hook; 3] = security(
    ("system_pivot_root_lsm", "sb_pivotroot"),
    ("system_pivot_root_function", "security_sb_pivotroot"),
    namespaces(&[calls::PIVOT_ROOT]),
);

/// Tracing begins through the security hooks; what is done to the traced comes by these functions, the second where
/// 32-bit programs can run.
const PTRACE: &[Hook] = &[
    Hook::Together {
        hooks: &[
            lsm("system_ptrace_attach_lsm", "ptrace_access_check"),
            function("system_ptrace_compat_function", "compat_arch_ptrace"),
            lsm("system_ptrace_traceme_lsm", "ptrace_traceme"),
            function("system_ptrace_request_function", "arch_ptrace"),
        ],
    },
    Hook::Together {
        hooks: &[
            function("system_ptrace_compat_function", "compat_arch_ptrace"),
            function("system_ptrace_attach_function", "security_ptrace_access_check"),
            function("system_ptrace_traceme_function", "security_ptrace_traceme"),
            function("system_ptrace_request_function", "arch_ptrace"),
        ],
    },
    Hook::Together {
        hooks: &[
            function("system_ptrace_attach_function", "security_ptrace_access_check"),
            function("system_ptrace_traceme_function", "security_ptrace_traceme"),
            function("system_ptrace_request_function", "arch_ptrace"),
        ],
    },
    processes(&[calls::PTRACE]),
];
const PROCESS_VM_READV: [Hook; 3] = security(
    ("system_readv_lsm", "ptrace_access_check"),
    ("system_readv_function", "security_ptrace_access_check"),
    access(&[calls::PROCESS_VM_READV]),
);
const PROCESS_VM_WRITEV: [Hook; 3] = security(
    ("system_writev_lsm", "ptrace_access_check"),
    ("system_writev_function", "security_ptrace_access_check"),
    access(&[calls::PROCESS_VM_WRITEV]),
);
const PIDFD_GETFD: [Hook; 3] = security(
    ("system_getfd_lsm", "ptrace_access_check"),
    ("system_getfd_function", "security_ptrace_access_check"),
    access(&[calls::PIDFD_GETFD]),
);
/// The name that a process gives itself comes by the tracepoint, from the kernel's memory.
const PRCTL: &[Hook] = &[
    Hook::Together {
        hooks: &[lsm("system_prctl_lsm", "task_prctl"), tracepoint("system_rename", "task_rename")],
    },
    Hook::Together {
        hooks: &[
            function("system_prctl_function", "security_task_prctl"),
            tracepoint("system_rename", "task_rename"),
        ],
    },
    processes(&[calls::PRCTL]),
];
const SETSID: &[Hook] =
    &[returned("system_setsid_returned", "ksys_setsid"), processes(&[calls::SETSID])];
const DUP: &[Hook] = &[
    Hook::Together {
        hooks: &[
            returned("system_dup2_returned", "do_dup2"),
            function("system_dup_function", "fd_install"),
        ],
    },
    Hook::Calls {
        program: "system_dup_call",
        shape: CallShape::ByNumber,
        calls: &[
            calls::DUP,
            calls::DUP2,
            calls::DUP3,
            calls::FCNTL,
            calls::FCNTL64,
            calls::PIDFD_GETFD,
        ],
    },
];

/// Huge pages are a file system of their own, which a kernel may lack.
const MEMFD_CREATE: &[Hook] = &[
    Hook::Together {
        hooks: &[
            function("system_memfd_huge_function", "hugetlb_file_setup"),
            function("system_memfd_function", "shmem_file_setup"),
        ],
    },
    function("system_memfd_function", "shmem_file_setup"),
    memory(&[calls::MEMFD_CREATE]),
];
const MPROTECT: [Hook; 3] = security(
    ("system_mprotect_lsm", "file_mprotect"),
    ("system_mprotect_function", "security_file_mprotect"),
    memory(&[calls::MPROTECT, calls::PKEY_MPROTECT]),
);
const MMAP: [Hook; 3] = security(
    ("system_mmap_lsm", "mmap_file"),
    ("system_mmap_function", "security_mmap_file"),
    memory(&[calls::MMAP]),
);

/// The call's own function, and the one for 32-bit programs where there are any.
const USERFAULTFD: &[Hook] = &[
    Hook::Together {
        hooks: &[
            returned("system_userfaultfd_compat_returned", "__ia32_sys_userfaultfd"),
            returned("system_userfaultfd_returned", entry!("userfaultfd")),
        ],
    },
    returned("system_userfaultfd_returned", entry!("userfaultfd")),
    memory(&[calls::USERFAULTFD]),
];
const KEYCTL: &[Hook] = &[
    Hook::Together {
        hooks: &[
            returned("system_keyctl_compat_returned", compat_entry!("keyctl")),
            returned("system_keyctl_returned", entry!("keyctl")),
        ],
    },
    returned("system_keyctl_returned", entry!("keyctl")),
    kernel(&[calls::KEYCTL]),
];
const MODULE_LOAD: &[Hook] = &[
    tracepoint("system_module_load", "module_load"),
    kernel(&[calls::INIT_MODULE, calls::FINIT_MODULE]),
];
const MODULE_UNLOAD: &[Hook] =
    &[tracepoint("system_module_unload", "module_free"), kernel(&[calls::DELETE_MODULE])];
const BPF: [Hook; 3] = security(
    ("system_bpf_lsm", "bpf"),
    ("system_bpf_function", "security_bpf"),
    kernel(&[calls::BPF]),
);
const KEXEC_LOAD: &[Hook] = &[
    Hook::Together {
        hooks: &[
            lsm("system_kexec_lsm", "kernel_load_data"),
            lsm("system_kexec_file_lsm", "kernel_read_file"),
        ],
    },
    Hook::Together {
        hooks: &[
            function("system_kexec_function", "security_kernel_load_data"),
            function("system_kexec_file_function", "security_kernel_read_file"),
        ],
    },
    kernel(&[calls::KEXEC_LOAD, calls::KEXEC_FILE_LOAD]),
];
const PERF_EVENT_OPEN: [Hook; 3] = security(
    ("system_perf_lsm", "perf_event_alloc"),
    ("system_perf_function", "security_perf_event_alloc"),
    kernel(&[calls::PERF_EVENT_OPEN]),
);

/// The second up to 6.2.
const IO_URING: &[Hook] = &[
    tracepoint("system_operation_request", "io_uring_submit_req"),
    tracepoint("system_operation_entry", "io_uring_submit_sqe"),
];

const fn probe(act: SystemAct, hooks: &'static [Hook]) -> Probe {
    Probe { kind: RecordKind::System(act), hooks }
}

/// A security hook in both ways, and the end of calls.
const fn security(
    (lsm_program, hook): (&'static str, &'static str),
    (function_program, kernel_function): (&'static str, &'static str),
    calls: Hook,
) -> [Hook; 3] {
    [lsm(lsm_program, hook), function(function_program, kernel_function), calls]
}

const fn lsm(program: &'static str, hook: &'static str) -> Hook {
    Hook::Lsm { program, hook }
}

const fn function(program: &'static str, function: &'static str) -> Hook {
    Hook::Function { program, function }
}

const fn returned(program: &'static str, function: &'static str) -> Hook {
    Hook::Return { program, function }
}

const fn tracepoint(program: &'static str, tracepoint: &'static str) -> Hook {
    Hook::Tracepoint { program, tracepoint }
}

const fn credentials(calls: &'static [Call]) -> Hook {
    Hook::Calls { program: "system_credentials_call", shape: CallShape::ByNumber, calls }
}

const fn namespaces(calls: &'static [Call]) -> Hook {
    Hook::Calls { program: "system_namespaces_call", shape: CallShape::ByNumber, calls }
}

const fn processes(calls: &'static [Call]) -> Hook {
    Hook::Calls { program: "system_processes_call", shape: CallShape::ByNumber, calls }
}

const fn access(calls: &'static [Call]) -> Hook {
    Hook::Calls { program: "system_access_call", shape: CallShape::ByNumber, calls }
}

const fn memory(calls: &'static [Call]) -> Hook {
    Hook::Calls { program: "system_memory_call", shape: CallShape::ByNumber, calls }
}

const fn kernel(calls: &'static [Call]) -> Hook {
    Hook::Calls { program: "system_kernel_call", shape: CallShape::ByNumber, calls }
}
