//! The collector between a Kubernetes API of the tests and a real publisher's socket.

#![allow(clippy::unwrap_used)] // The lint knows only functions marked #[test] as tests.

mod census;
mod harness;
mod hostile;
mod kinds;
mod process;
mod rights;
mod watch;
