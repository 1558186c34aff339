//! What the assessment tells of objects.
#![allow(clippy::unwrap_used)] // The lint knows only functions marked #[test] as tests.

mod any_order;
mod cases;
mod cluster;
mod documentation;
mod exposure;
mod hostile;
mod pod_security;
mod posture;
mod reports;
mod rights;
