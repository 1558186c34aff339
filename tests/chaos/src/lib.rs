//! A road between two network namespaces whose weather a test makes: delay, loss, a cut, a narrow place.
//!
//! Many kernels lack the queueing discipline for it (netem), so packets pass through this process: a TUN device at each
//! end, the kernel's own TCP on both sides.

mod conditions;
mod road;

pub use conditions::Conditions;
pub use road::Road;
