use super::Probe;

/// Acts on sockets, and the domain name system.
pub const PROBES: &[Probe] = &[];
