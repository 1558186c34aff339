//! The node's sensor: what the programs of this node do, and the alerts that the rules make of it.
//!
//! A record goes from left to right:
//!
//! ```text
//! kernel/ ──▶ enrich/ (processes, containers) ──▶ detect ──▶ publish/ ──▶ publisher-ds
//! ```
//!
//! [`pipeline`] is that way, [`app`] the place where its parts are wired. All of it runs on one thread.

pub mod app;
pub mod config;
pub mod detect;
pub mod enrich;
pub mod kernel;
pub mod pipeline;
pub mod publish;

pub use app::run;
