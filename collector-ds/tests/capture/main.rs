//! Real acts on the running kernel, and what the sensor tells of them: each field against what user space knows.
//!
//! Needs root and a kernel with BTF, and fails without them. `tests/kernel-matrix` runs the same program on
//! other kernels.

mod acts;
mod arguments;
mod cgroups;
mod clones;
mod ends;
mod files;
mod identity;
mod loading;
mod loss;
mod opens;
mod recorder;
