//! What is the same in every binary: command line, configuration, logs,
//! metrics, the admin server, readiness, and an orderly end.
//!
//! A binary's `main.rs` is one call of [`run`]; its `app.rs` gets the checked
//! configuration and a [`Service`], starts its parts, and returns.
//!
//! In the order in which a start goes through them:
//! `arguments` → `config/` → `logs` → `metrics` → `signals` → `admin` → the
//! application, under `service`.

mod about;
mod admin;
mod arguments;
mod bounded_file;
mod config;
mod flag;
mod logs;
mod metrics;
mod node;
mod panics;
mod process;
mod readiness;
mod run;
mod service;
mod shutdown;
mod signals;
mod tool;

pub use about::About;
pub use admin::AdminConfig;
pub use bounded_file::{read_bounded, read_bounded_text};
pub use config::{Bytes, ConfigProblem, ServiceConfig, SharedConfig};
pub use flag::Flag;
pub use logs::{LogConfig, LogFormat};
pub use node::{NodeConfig, boot_id};
pub use readiness::Part;
pub use run::{Runtime, load_config, run, run_with_tools};
pub use service::Service;
pub use shutdown::ShutdownConfig;
pub use tool::Tool;
