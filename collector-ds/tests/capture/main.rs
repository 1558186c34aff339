//! Real acts on the running kernel, and what the sensor tells of them: each field against what user space knows.
//!
//! Needs root and a kernel with BTF, and fails without them. `tests/kernel-matrix` runs the same program on
//! other kernels.
#![allow(clippy::unwrap_used)] // A test that can't go on ends, in its helpers too.

mod acts;
mod address_races;
mod arguments;
mod cgroups;
mod change_races;
mod clones;
mod descriptor_races;
mod dns;
mod ends;
mod file_acts;
mod file_filter;
mod file_mounts;
mod file_places;
mod file_races;
mod file_ring;
mod files;
mod filtered;
mod flood;
mod identity;
mod io_uring;
mod kernel_acts;
mod loading;
mod loopback;
mod loss;
mod memory;
mod mount_races;
mod network;
mod network_filter;
mod network_races;
mod opens;
mod outcomes;
mod path_races;
mod process_access;
mod process_list;
mod processes;
mod races;
mod recorder;
mod repeats;
mod reprogram;
mod ring_races;
mod system_races;
