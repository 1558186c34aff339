//! The real sensor on this node: real kernel programs, real containers, a publisher that keeps what it is sent.
//!
//! Needs root, a kernel with BTF, a Docker Engine (at the socket that `DEFENDER_TEST_DOCKER_SOCKET` names, else at
//! the usual one), containerd 1.6 or later, runc, and a static busybox.

mod containerd;
mod docker;
mod expect;
mod kubernetes;
mod publisher;
mod sensor;

mod acts;
mod attack_actions;
mod audit;
mod containers;
mod held_alerts;
mod inventory;
mod own;
mod processes;
mod recording;
mod reload;
mod remembering;
mod running;
mod runtimes;
mod short_lived;
