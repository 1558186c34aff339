use super::Probe;

/// Acts on processes, on the kernel, and on memory.
pub const PROBES: &[Probe] = &[];
