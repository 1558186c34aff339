//! Several replicas of the program at one Kubernetes API, each with a publisher of its own: one leads, and whatever
//! becomes of it, every state of every object arrives.

#![allow(clippy::unwrap_used)] // The lint knows only functions marked #[test] as tests.

mod changes;
mod hand_over;
mod kill;
mod lease;
mod poll;
mod publisher;
mod replica;
mod road;
mod site;
mod trouble;
