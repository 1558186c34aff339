//! Each of the things that happen to a network, to a backend and to certificates, in a stream of numbered events: when it
//! is over, all is delivered without a person, once.
#![allow(missing_docs, clippy::unwrap_used)] // Test code outside of #[test] functions.

mod backend;
mod certificate;
mod network;
mod site;
