//! The collector as API servers of Kubernetes see it: real TLS, real bodies, the real program between them and a real publisher's socket.

#![allow(clippy::unwrap_used)] // The lint knows only functions marked #[test] as tests.

mod alerts;
mod authority;
mod caller;
mod collector;
mod credentials;
mod delivery;
mod event_list;
mod hostile;
mod policy;
mod publisher;
mod rules;
mod slow;
