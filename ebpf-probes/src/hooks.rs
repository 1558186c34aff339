//! Which program serves which kind of record by which hook of the kernel.

mod calls;
mod file;
mod network;
mod process;
mod returns;
mod system;

pub use calls::{Call, CallShape};
pub use returns::CallReturn;

use crate::RecordKind;
use event_model::SystemAct;
use std::fmt;

/// The kernel's function for a system call.
macro_rules! entry {
    ($call:literal) => {
        if cfg!(target_arch = "x86_64") {
            concat!("__x64_sys_", $call)
        } else {
            concat!("__arm64_sys_", $call)
        }
    };
}
use entry;

/// The same for the calls of 32-bit programs that need a translation.
macro_rules! compat_entry {
    ($call:literal) => {
        if cfg!(target_arch = "x86_64") {
            concat!("__ia32_compat_sys_", $call)
        } else {
            concat!("__arm64_compat_sys_", $call)
        }
    };
}
use compat_entry;

/// How one kind of record is had: by the first of its hooks that the kernel offers. Some kinds have parts that are seen
/// in different places, such as connections of TCP and of Unix sockets: those have several probes. Probes may share programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The records that it sends.
    pub kind: RecordKind,
    /// The best hook first.
    pub hooks: &'static [Hook],
}

impl Probe {
    /// The returns of the calls that do such acts: of those that are looked at where there is nothing better. Acts on sockets
    /// and duplicates of descriptors have none: their hooks know the outcome, or have it told later.
    pub fn returns(&self) -> Vec<&'static CallReturn> {
        match self.kind {
            RecordKind::System(SystemAct::Dup) => return vec![],
            RecordKind::File(_) | RecordKind::System(_) => {}
            _ => return vec![],
        }
        let mut returns: Vec<&'static CallReturn> = vec![];
        for call in self.hooks.iter().flat_map(Hook::calls) {
            let found = returns::RETURNS.iter().find(|known| known.call == call);
            returns.extend(found.filter(|found| !returns.contains(found)));
        }
        returns
    }
}

/// A place in the kernel, and the program that is attached there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// A BTF tracepoint.
    Tracepoint {
        /// The program's name in the object.
        program: &'static str,
        /// The tracepoint's.
        tracepoint: &'static str,
    },
    /// A hook of the security modules; of use only where `bpf` is among the active ones.
    Lsm {
        /// The program's name in the object.
        program: &'static str,
        /// The hook's, without `bpf_lsm_`.
        hook: &'static str,
    },
    /// The beginning of a kernel function (fentry).
    Function {
        /// The program's name in the object.
        program: &'static str,
        /// The function's.
        function: &'static str,
    },
    /// The end of a kernel function (fexit): its outcome is known.
    Return {
        /// The program's name in the object.
        program: &'static str,
        /// The function's.
        function: &'static str,
    },
    /// The IP packets of all sockets, at the root of cgroup v2.
    Packets {
        /// The program's name in the object.
        program: &'static str,
        /// Packets that leave; else those that come in.
        egress: bool,
    },
    /// The end of system calls.
    Calls {
        /// The program's name in the object: several kinds may share it.
        program: &'static str,
        /// What it is told of their arguments.
        shape: CallShape,
        /// Which calls.
        calls: &'static [Call],
    },
    /// Several hooks, which only together see all: each has to be had.
    Together {
        /// The one that is the most likely to be refused first: what was attached before a refusal stays.
        hooks: &'static [Hook],
    },
}

impl Hook {
    /// The programs that serve it.
    pub fn programs(&self) -> Vec<&'static str> {
        match *self {
            Self::Tracepoint { program, .. }
            | Self::Lsm { program, .. }
            | Self::Function { program, .. }
            | Self::Return { program, .. }
            | Self::Packets { program, .. }
            | Self::Calls { program, .. } => vec![program],
            Self::Together { hooks } => hooks.iter().flat_map(Self::programs).collect(),
        }
    }

    /// Whether it tells of an act before the outcome is known: then the return of the system call has to tell it.
    pub fn speaks_before(&self) -> bool {
        match self {
            Self::Lsm { .. } | Self::Function { .. } | Self::Tracepoint { .. } => true,
            Self::Return { .. } | Self::Packets { .. } | Self::Calls { .. } => false,
            Self::Together { hooks } => hooks.iter().any(Self::speaks_before),
        }
    }

    /// The system calls at whose end it looks.
    pub fn calls(&self) -> Vec<Call> {
        match self {
            Self::Calls { calls, .. } => calls.to_vec(),
            Self::Together { hooks } => hooks.iter().flat_map(Self::calls).collect(),
            _ => vec![],
        }
    }
}

impl fmt::Display for Hook {
    /// As in coverage: `lsm/file_open`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tracepoint { tracepoint, .. } => write!(f, "tp_btf/{tracepoint}"),
            Self::Lsm { hook, .. } => write!(f, "lsm/{hook}"),
            Self::Function { function, .. } => write!(f, "fentry/{function}"),
            Self::Return { function, .. } => write!(f, "fexit/{function}"),
            Self::Packets { egress: true, .. } => f.write_str("cgroup_skb/egress"),
            Self::Packets { egress: false, .. } => f.write_str("cgroup_skb/ingress"),
            Self::Calls { calls, .. } => {
                let names: Vec<_> = calls.iter().map(|call| call.name).collect();
                write!(f, "sys_exit/{}", names.join("+"))
            }
            Self::Together { hooks } => {
                let names: Vec<_> = hooks.iter().map(Self::to_string).collect();
                f.write_str(&names.join(" "))
            }
        }
    }
}

/// All probes, in the order in which they are attached.
pub const PROBES: &[&[Probe]] = &[process::PROBES, file::PROBES, network::PROBES, system::PROBES];
