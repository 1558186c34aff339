//! The real publisher binary between a collector and a backend that speak the real protocols: Unix socket on one
//! side, mutual TLS on the other.
#![allow(missing_docs, clippy::unwrap_used)] // Test code outside of #[test] functions.

mod addresses;
mod backend;
mod certificates;
mod clock;
mod collector;
mod corruption;
mod crash;
mod delivery;
mod disk;
mod enrolment;
mod inspection;
mod otlp;
mod outage;
mod process;
mod proxied;
mod proxy;
mod real_backend;
mod receiver;
mod rotation;
mod sink;
mod trust;
mod waiting;
