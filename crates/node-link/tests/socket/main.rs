//! Collector and publisher sides of the link, over real Unix sockets.
#![allow(missing_docs, clippy::unwrap_used)] // Test code outside of #[test] functions.

mod delivery;
mod foreign;
mod limits;
mod refusals;
mod support;
mod versions;
