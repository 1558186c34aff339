//! The collector between a Kubernetes API of the tests and a real publisher's socket.

#![allow(clippy::unwrap_used)] // The lint knows only functions marked #[test] as tests.

#[path = "../api_server/mod.rs"]
mod api_server;
mod harness;
mod process;
mod watch;
