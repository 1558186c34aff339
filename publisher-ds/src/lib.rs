//! The node's way out.
//!
//! Collectors hand batches over a Unix socket (`receive`), `spool/` keeps them on disk until the backend has them,
//! and `egress/` carries them there over TLS, with a certificate that `enrolment/` may have got for the node. The
//! publisher reads nothing of a batch but its envelope, unless it is to go to receivers of OpenTelemetry logs too (`otlp/`).
//! It is itself a source (`report`): of what it lost, and of how it is.

pub mod app;
mod checked_status;
pub mod config;
mod dial;
pub mod egress;
pub mod enrolment;
mod files;
pub mod identity;
pub mod otlp;
mod problem;
pub mod receive;
pub mod report;
pub mod spool;
mod tls_client;
