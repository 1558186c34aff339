//! The node's sensor: what the programs of this node do, and the alerts that the rules make of it.
//!
//! A record goes from left to right:
//!
//! ```text
//! kernel/ ──▶ enrich/ (processes, containers) ──▶ detect ──▶ alert_gate ──▶ publish/ ──▶ publisher-ds
//! ```
//!
//! [`pipeline`] is that way, [`app`] the place where its parts are wired. All of it runs on one thread. Beside it, on
//! threads of their own, [`inventory`] tells what is there, and [`audit`] what a Kubernetes API server was asked; [`reload`] reads
//! rules anew. What the rules were asked, [`mod@record`] writes to a file where it is told to.

pub mod app;
pub mod audit;
pub mod config;
pub mod detect;
pub mod enrich;
pub mod inventory;
pub mod kernel;
pub mod own;
pub mod pipeline;
pub mod publish;
pub mod record;

pub use app::run;
