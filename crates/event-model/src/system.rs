use crate::ProcessRef;
use serde::{Deserialize, Serialize};

/// An act on a process, on the kernel, or on memory: a system call or what stands for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemEvent {
    /// What was done.
    pub act: SystemAct,
    /// The arguments by name, numbers as the symbols of the kernel's headers (`PTRACE_ATTACH`, `CLONE_NEWNS`).
    pub arguments: Vec<Argument>,
    /// The process that it was done to.
    pub target: Option<ProcessRef>,
    /// What the call returned: negative error numbers. None where it is not known.
    pub result: Option<i64>,
}

/// A named argument.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argument {
    /// As the manual page of the call names it.
    pub name: String,
    /// In text.
    pub value: String,
}

impl SystemEvent {
    /// The value of an argument.
    pub fn argument(&self, name: &str) -> Option<&str> {
        let found = self.arguments.iter().find(|argument| argument.name == name)?;
        Some(&found.value)
    }
}

macro_rules! acts {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What was done.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum SystemAct {
            #[default]
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl SystemAct {
            /// All acts.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The event's name in metrics, queries and JSON.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

acts! {
    /// The process took another user: setuid, setreuid, setresuid, setfsuid.
    Setuid = "setuid",
    /// Another group: setgid, setregid, setresgid, setfsgid.
    Setgid = "setgid",
    /// Other capabilities.
    Capset = "capset",
    /// It entered a namespace.
    Setns = "setns",
    /// It left namespaces for new ones.
    Unshare = "unshare",
    /// It took another root directory.
    Chroot = "chroot",
    /// The root of its mount namespace was exchanged.
    PivotRoot = "pivot_root",
    /// It traced another process.
    Ptrace = "ptrace",
    /// It read another process's memory.
    ProcessVmReadv = "process_vm_readv",
    /// It wrote to another process's memory.
    ProcessVmWritev = "process_vm_writev",
    /// It took a descriptor of another process for its own.
    PidfdGetfd = "pidfd_getfd",
    /// It hid or unlocked something of its own.
    Prctl = "prctl",
    /// It sent a signal that ends or stops another process.
    Kill = "kill",
    /// It began a session.
    Setsid = "setsid",
    /// It put a socket in the place of standard input, output or error.
    Dup = "dup",
    /// It made a file in memory.
    MemfdCreate = "memfd_create",
    /// Memory that was written became executable.
    Mprotect = "mprotect",
    /// Memory that is both writable and executable was mapped.
    Mmap = "mmap",
    /// A kernel module was loaded.
    ModuleLoad = "init_module",
    /// A kernel module was removed.
    ModuleUnload = "delete_module",
    /// A BPF program was loaded, or another command of bpf(2) was given.
    Bpf = "bpf",
    /// A kernel was loaded to be booted.
    KexecLoad = "kexec_load",
    /// Page faults are to be handled by user space.
    Userfaultfd = "userfaultfd",
    /// An io_uring was made.
    IoUringSetup = "io_uring_setup",
    /// An operation was given to an io_uring.
    IoUring = "io_uring",
    /// The kernel's keys were handled.
    Keyctl = "keyctl",
    /// A performance event was opened.
    PerfEventOpen = "perf_event_open",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_found_by_its_name() {
        let argument = Argument { name: "request".into(), value: "PTRACE_ATTACH".into() };
        let event = SystemEvent { arguments: vec![argument], ..SystemEvent::default() };
        assert_eq!(event.argument("request"), Some("PTRACE_ATTACH"));
        assert_eq!(event.argument("pid"), None);
    }

    #[test]
    fn json_and_metrics_name_an_act_alike() {
        for act in SystemAct::ALL {
            assert_eq!(serde_json::to_value(act).unwrap(), act.name());
        }
    }
}
