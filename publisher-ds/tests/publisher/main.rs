//! The real publisher binary between a collector and a backend that speak the real protocols: Unix socket on one
//! side, mutual TLS on the other.
#![allow(missing_docs, clippy::unwrap_used)] // Test code outside of #[test] functions.

mod backend;
mod certificates;
mod collector;
mod corruption;
mod crash;
mod delivery;
mod disk;
mod process;
mod trust;
mod waiting;
