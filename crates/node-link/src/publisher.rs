//! The publisher's side: a socket, a check of who speaks, and envelopes handed on.

mod cgroup;
mod conversation;
mod greeting;
mod listen;
mod pace;
mod peer;
mod receiver;
mod refusal;
mod service;
mod socket;

pub use listen::{ListenConfig, Listener, ServeError, serve};
pub use receiver::{Held, ReceiveError, Receiver};
pub use socket::SocketError;
