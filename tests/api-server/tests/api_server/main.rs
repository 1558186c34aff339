//! The server before kube's own client, which is written against the real one.

#![allow(clippy::unwrap_used)] // The lint knows only functions marked #[test] as tests.

mod audit;
mod client;
mod lists;
mod objects;
mod rights;
mod trouble;
mod types;
mod watches;
