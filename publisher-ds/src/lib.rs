//! The node's way out.
//!
//! Collectors hand batches over a Unix socket (`receive`), `spool/` keeps them on disk until the backend has them,
//! and `egress/` carries them there over mutual TLS. The publisher reads nothing of a batch but its envelope.
//! It is itself a source (`report`): of what it lost, and of how it is.

pub mod app;
pub mod config;
pub mod egress;
pub mod identity;
pub mod receive;
pub mod report;
pub mod spool;
