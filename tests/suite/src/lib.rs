//! The whole suite on one machine: what `cargo xtask up`, the pipeline tests, the
//! crash test and the benchmarks share.
//!
//! It starts the real programs with real certificates ([`certificates`]), performs
//! harmless attacks in real containers ([`attack`], [`docker`], [`namespaces`]), and reads the
//! backend as any client does ([`api`]).

pub mod api;
pub mod attack;
pub mod certificates;
pub mod cgroup;
pub mod configuration;
pub mod deadline;
pub mod docker;
pub mod machine;
pub mod namespaces;
pub mod program;
mod root_folder;

pub use machine::{Machine, Options};
