//! Records what the rules are asked, and the alerts that they make of it, in a file that replays to the same alerts
//! ([`capture`]).
//!
//! ```text
//! pipeline ─┐
//!           ├─ Recorder (encodes; chunks) ──▶ file (writes, on a thread of its own)
//! audit ────┘
//! ```
//!
//! The sensor comes first: where the file can't be made or written, the disk is slower than what happens, or the bound is
//! reached, the recording ends, says why, and the sensor goes on.

mod config;
mod file;
mod recorder;
#[cfg(test)]
mod tests;

pub use config::{FLAGS, RecordConfig};
pub use recorder::Recorder;
