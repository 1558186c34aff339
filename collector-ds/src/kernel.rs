//! What the kernel tells: its records as they happen, and what stood before the first of them.
//!
//! [`Sensor::load`] attaches the programs of `ebpf-probes`. Then [`Sensor::snapshot`] lists what already runs.
//! Apply the snapshot first and the sensor's records after it: the programs were attached before
//! the snapshot was taken, so whatever changed meanwhile waits in the ring and has the last word.

mod attach;
mod capabilities;
mod clock;
mod drops;
mod error;
mod features;
mod loader;
mod network_filter;
mod outcomes;
mod own_objects;
mod own_process;
mod process_list;
mod refusal;
mod reprogram;
mod ring;
mod sensor;
mod shared_maps;
mod snapshot;
mod watched_paths;

pub use capabilities::{Capabilities, Capability};
pub use clock::WallClock;
pub use drops::Drops;
pub use ebpf_probes::{
    ActRecord, BootTime, CgroupKey, CgroupRecord, ExecRecord, ExitRecord, ForkRecord, Identity,
    KernelRecord, RecordKind, process_key,
};
pub use error::SensorError;
pub use network_filter::{NetworkFilter, UnixSockets};
pub use own_objects::OwnObjects;
pub use own_process::OwnProcess;
pub use process_list::ProcessListError;
pub use sensor::{KernelConfig, Sensor};
pub use snapshot::{Membership, Mount, Snapshot, Stat, Status, cgroups_at, snapshot};
pub use watched_paths::{FileFilter, PatternError, WatchedPaths, watched_by_default};
