use std::io;

/// Why no program at all can run on this kernel. A program that is refused while others run is
/// no error but coverage: [`event_model::ProbeCoverage`].
#[derive(Debug, thiserror::Error)]
pub enum SensorError {
    /// The process may not load programs.
    #[error(
        "CAP_SYS_ADMIN is missing: kernel programs can't be loaded. Run as root, or add SYS_ADMIN, SYS_RESOURCE and \
         SYS_PTRACE to the container's capabilities (securityContext.capabilities.add)"
    )]
    MissingCapability,
    /// The kernel does not describe its types.
    #[error(
        "this kernel has no BTF (/sys/kernel/btf/vmlinux is missing): it needs CONFIG_DEBUG_INFO_BTF=y, which distributions \
         set since Debian 11, Ubuntu 20.10, RHEL 8.2 and their like. Boot such a kernel; in a container, mount the host's /sys"
    )]
    NoBtf,
    /// The kernel's types can't be read.
    #[error("the kernel's BTF can't be read: {0}")]
    UnreadableBtf(#[source] aya::BtfError),
    /// The kernel is older than 5.8.
    #[error("this kernel has no BPF ring buffer: it needs Linux 5.8 or later")]
    NoRingBuffer,
    /// The kernel does not let programs read its memory.
    #[error(
        "the kernel is locked down (/sys/kernel/security/lockdown says confidentiality), which forbids programs to read kernel \
         memory: boot with lockdown=integrity"
    )]
    LockedDown,
    /// A question to the kernel had no clear answer.
    #[error("the kernel can't be asked {question}: {source}")]
    Probe {
        /// What was asked.
        question: &'static str,
        /// The answer.
        #[source]
        source: io::Error,
    },
    /// The maps can't be made, or the object does not fit the kernel.
    #[error("the kernel programs can't be prepared: {}{}", .source, .hint)]
    Prepare {
        /// What the loader says.
        #[source]
        source: Box<aya::EbpfError>,
        /// The way out, where one is known.
        hint: String,
    },
    /// Programs that are loaded later can't be given the maps of those that run.
    #[error("the maps of the kernel programs can't be shared: {0}")]
    Maps(#[source] io::Error),
    /// A map is not what it was built to be.
    #[error("the map {name} can't be used: {source}")]
    Map {
        /// The map.
        name: &'static str,
        /// Why.
        #[source]
        source: aya::maps::MapError,
    },
    /// Paths that were asked for later do not fit beside those before.
    #[error("the files to watch can't be changed: {0}")]
    Paths(#[from] super::PatternError),
    /// The object has no such map.
    #[error("the kernel programs were built without the map {0}")]
    NoMap(&'static str),
}
