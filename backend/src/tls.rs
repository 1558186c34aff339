//! Certificates and keys from PEM files, and their renewal while the backend runs.

mod files;
mod renewal;

pub use files::{TlsError, TlsFiles};
pub use renewal::Renewal;
