//! The Pod Security Standards: what namespaces ask of pods, and what their pods need.
//!
//! <https://kubernetes.io/docs/concepts/security/pod-security-standards/>

mod namespace;
mod standard;

pub(crate) use namespace::{Namespace, findings};
pub(crate) use standard::Violations;
