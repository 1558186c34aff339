//! Which program serves which kind of record by which hook of the kernel.

mod calls;
mod file;
mod network;
mod process;
mod system;

pub use calls::Call;

use crate::RecordKind;
use std::fmt;

/// How one kind of record is had: by the first of its hooks that the kernel offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The records that it sends.
    pub kind: RecordKind,
    /// The best hook first.
    pub hooks: &'static [Hook],
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
    /// The end of system calls.
    Calls {
        /// The program's name in the object: several kinds may share it.
        program: &'static str,
        /// Which calls.
        calls: &'static [Call],
    },
}

impl fmt::Display for Hook {
    /// As in coverage: `lsm/file_open`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tracepoint { tracepoint, .. } => write!(f, "tp_btf/{tracepoint}"),
            Self::Lsm { hook, .. } => write!(f, "lsm/{hook}"),
            Self::Function { function, .. } => write!(f, "fentry/{function}"),
            Self::Calls { calls, .. } => {
                let names: Vec<_> = calls.iter().map(|call| call.name).collect();
                write!(f, "sys_exit/{}", names.join("+"))
            }
        }
    }
}

/// All probes, in the order in which they are attached.
pub const PROBES: &[&[Probe]] = &[process::PROBES, file::PROBES, network::PROBES, system::PROBES];
