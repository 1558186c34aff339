use std::fs;
use std::io;

/// Capabilities belong to threads.
const STATUS_FILE: &str = "/proc/thread-self/status";

/// The capabilities that the node sensor uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Reading the memory and the magic links of other users' processes.
    SysPtrace,
    /// Loading programs, entering namespaces.
    SysAdmin,
    /// Raising resource limits.
    SysResource,
    /// Loading programs that observe the kernel, without CAP_SYS_ADMIN.
    Perfmon,
    /// Making maps and loading programs, without CAP_SYS_ADMIN.
    Bpf,
}

impl Capability {
    /// The number in `include/uapi/linux/capability.h`.
    const fn bit(self) -> u32 {
        match self {
            Self::SysPtrace => 19,
            Self::SysAdmin => 21,
            Self::SysResource => 24,
            Self::Perfmon => 38,
            Self::Bpf => 39,
        }
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities(pub u64);

impl Capabilities {
    /// The effective capabilities of this thread.
    pub fn effective() -> io::Result<Self> {
        let status = fs::read_to_string(STATUS_FILE)?;
        Self::from_status(&status).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the thread's status file has no CapEff line",
            )
        })
    }

    /// Reads the line `CapEff` of a `/proc/PID/status`.
    fn from_status(status: &str) -> Option<Self> {
        let digits = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
        u64::from_str_radix(digits.trim(), 16).ok().map(Self)
    }

    /// Whether the set holds `capability`.
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability.bit()) != 0
    }

    /// Whether programs of tracing type may be loaded.
    pub const fn may_load_programs(self) -> bool {
        self.has(Capability::SysAdmin) || self.has(Capability::Bpf) && self.has(Capability::Perfmon)
    }

    /// What will be missing from the picture, in words, for each capability that is not held.
    pub fn problems(self) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.has(Capability::SysResource) {
            problems.push(
                "CAP_SYS_RESOURCE is missing: the limit on locked memory can't be raised. The probes were loaded \
                 within it; on kernels before 5.11 larger rings may be refused. \
                 Add SYS_RESOURCE to the container's capabilities."
                    .to_owned(),
            );
        }
        if !self.has(Capability::SysPtrace) {
            problems.push(
                "CAP_SYS_PTRACE is missing: of processes that ran before the sensor started, the program's path and the \
                 working directory are unknown. Add SYS_PTRACE to the container's capabilities."
                    .to_owned(),
            );
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str =
        "Name:\tsh\nCapPrm:\t000001ffffffffff\nCapEff:\t000001fffeffffff\nCapBnd:\t0\n";

    #[test]
    fn effective_capabilities_are_read_from_the_status_file() {
        let capabilities = Capabilities::from_status(STATUS).unwrap();
        assert!(capabilities.has(Capability::SysAdmin));
        assert!(capabilities.has(Capability::SysPtrace));
        assert!(!capabilities.has(Capability::SysResource));
        assert_eq!(Capabilities::from_status("Name:\tsh\n"), None);
    }

    #[test]
    fn each_missing_capability_is_named_with_its_cost_and_the_way_out() {
        let problems = Capabilities(0).problems();
        assert_eq!(problems.len(), 2);
        assert!(problems[0].starts_with("CAP_SYS_RESOURCE is missing: the limit on locked memory"));
        assert!(problems[1].contains("Add SYS_PTRACE to the container's capabilities"));
        assert!(Capabilities(u64::MAX).problems().is_empty());
    }

    #[test]
    fn programs_are_loaded_with_sys_admin_or_with_its_two_parts() {
        assert!(Capabilities(1 << 21).may_load_programs());
        assert!(Capabilities(1 << 38 | 1 << 39).may_load_programs());
        assert!(!Capabilities(1 << 39).may_load_programs());
    }
}
