use super::{Call, calls, entry};

/// The return of a system call, at its own function: it completes acts that were seen inside of the call with its outcome, and costs other
/// calls nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallReturn {
    /// The program's name in the object.
    pub program: &'static str,
    /// The kernel's function.
    pub function: &'static str,
    /// The call. 32-bit programs on x86_64 enter by other functions: the outcome of theirs is not told.
    pub call: Call,
}

macro_rules! returns {
    ($($name:literal $call:ident;)*) => {
        /// All of them: those of `bpf/call_returns.bpf.c`.
        pub const RETURNS: &[CallReturn] = &[$(CallReturn {
            program: concat!($name, "_returned"),
            function: entry!($name),
            call: calls::$call,
        }),*];
    };
}

returns! {
    "rename" RENAME;
    "renameat" RENAMEAT;
    "renameat2" RENAMEAT2;
    "link" LINK;
    "linkat" LINKAT;
    "symlink" SYMLINK;
    "symlinkat" SYMLINKAT;
    "unlink" UNLINK;
    "unlinkat" UNLINKAT;
    "rmdir" RMDIR;
    "mkdir" MKDIR;
    "mkdirat" MKDIRAT;
    "mknod" MKNOD;
    "mknodat" MKNODAT;
    "truncate" TRUNCATE;
    "ftruncate" FTRUNCATE;
    "chmod" CHMOD;
    "fchmod" FCHMOD;
    "fchmodat" FCHMODAT;
    "fchmodat2" FCHMODAT2;
    "chown" CHOWN;
    "lchown" LCHOWN;
    "fchown" FCHOWN;
    "fchownat" FCHOWNAT;
    "mount" MOUNT;
    "umount" UMOUNT2;
    "move_mount" MOVE_MOUNT;
    "prctl" PRCTL;
    "memfd_create" MEMFD_CREATE;
    "mprotect" MPROTECT;
    "pkey_mprotect" PKEY_MPROTECT;
    "mmap" MMAP;
    "setuid" SETUID;
    "setreuid" SETREUID;
    "setresuid" SETRESUID;
    "setfsuid" SETFSUID;
    "setgid" SETGID;
    "setregid" SETREGID;
    "setresgid" SETRESGID;
    "setfsgid" SETFSGID;
    "capset" CAPSET;
    "setns" SETNS;
    "chroot" CHROOT;
    "pivot_root" PIVOT_ROOT;
    "ptrace" PTRACE;
    "process_vm_readv" PROCESS_VM_READV;
    "process_vm_writev" PROCESS_VM_WRITEV;
    "pidfd_getfd" PIDFD_GETFD;
    "init_module" INIT_MODULE;
    "finit_module" FINIT_MODULE;
    "delete_module" DELETE_MODULE;
    "bpf" BPF;
    "kexec_load" KEXEC_LOAD;
    "kexec_file_load" KEXEC_FILE_LOAD;
    "perf_event_open" PERF_EVENT_OPEN;
}
