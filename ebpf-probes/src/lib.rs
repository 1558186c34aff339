//! The programs that run in the kernel, and the records they send to user space.
//!
//! `bpf/` holds the programs: C with CO-RE, one file per subject, compiled by `build.rs` into
//! [`OBJECT`]. `bpf/record.h` defines the records, [`decode`] reads them with every length checked.
//! Nothing here loads programs or does any other I/O: that is the node sensor's part.

mod decode;
#[cfg(test)]
mod encode;
mod fields;
mod hooks;
mod kind;
mod layout;
mod object;
mod record;
#[cfg(test)]
mod tests;

pub use decode::{DecodeError, decode, decode_next};
pub use hooks::{Call, CallReturn, CallShape, Hook, PROBES, Probe};
pub use kind::RecordKind;
pub use object::{OBJECT, maps};
pub use record::{
    ActRecord, BootTime, CgroupKey, CgroupRecord, ExecRecord, ExitRecord, ForkRecord, Identity,
    KernelRecord, OutcomeRecord, process_key,
};
