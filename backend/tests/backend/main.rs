//! The real binary: real TLS, real HTTP, real files, real signals.

#![allow(clippy::unwrap_used)] // Test code outside of #[test] functions.

mod access;
mod api;
mod audit_alerts;
mod authority;
mod browser;
mod console;
mod damage;
mod disk;
mod enrolment;
mod exactly_once;
mod held_alerts;
mod ingest;
mod inventory;
mod kubernetes;
mod load;
mod night;
mod ocsf;
mod page;
mod publisher;
mod records;
mod running;
mod stream;
mod tokens;
