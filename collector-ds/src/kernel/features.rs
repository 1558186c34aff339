//! What the kernel must offer before any program is loaded: asked, never guessed from a version.

use super::{Capabilities, SensorError};
use aya::maps::MapType;
use aya::sys::is_map_supported;
use aya::{Btf, BtfError};
use nix::errno::Errno;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use std::fs;
use std::io;

/// The kernel's types, once all else that the programs need is known to be there.
pub fn require() -> Result<(Btf, Capabilities), SensorError> {
    let capabilities = Capabilities::effective()
        .map_err(|source| SensorError::Probe { question: "for our capabilities", source })?;
    if !capabilities.may_load_programs() {
        return Err(SensorError::MissingCapability);
    }
    if fs::read_to_string("/sys/kernel/security/lockdown").is_ok_and(|text| is_confidential(&text))
    {
        return Err(SensorError::LockedDown);
    }
    require_ring_buffer(is_map_supported(MapType::RingBuf).map_err(|error| error.io_error))?;
    Ok((kernel_types()?, capabilities))
}

/// The kernel's types: several megabytes.
pub fn kernel_types() -> Result<Btf, SensorError> {
    Btf::from_sys_fs().map_err(btf_error)
}

/// "No" and "could not ask" are told apart.
fn require_ring_buffer(supported: io::Result<bool>) -> Result<(), SensorError> {
    match supported {
        Ok(true) => Ok(()),
        Ok(false) => Err(SensorError::NoRingBuffer),
        Err(source) => Err(SensorError::Probe { question: "for ring buffers", source }),
    }
}

fn btf_error(error: BtfError) -> SensorError {
    match error {
        BtfError::FileError { error, .. } if error.kind() == io::ErrorKind::NotFound => {
            SensorError::NoBtf
        }
        other => SensorError::UnreadableBtf(other),
    }
}

/// The file lists the modes, the one in force in brackets.
fn is_confidential(lockdown: &str) -> bool {
    lockdown.contains("[confidentiality]")
}

/// Lifts the limit on locked memory, which counts maps on kernels before 5.11. Newer ones charge them to
/// the cgroup, so a refusal may cost nothing: it is told as a hint if maps can't be made.
pub fn lift_memory_lock_limit() -> Result<(), Errno> {
    setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY)
}

/// What to say where the kernel refused to make a map.
pub fn memory_lock_hint() -> String {
    match getrlimit(Resource::RLIMIT_MEMLOCK) {
        Ok((soft, _)) if soft != RLIM_INFINITY => format!(
            ". Locked memory is limited to {soft} bytes, and the limit can't be raised without CAP_SYS_RESOURCE: add SYS_RESOURCE \
             to the container's capabilities, raise the limit (ulimit -l), or lower kernel.ring_bytes"
        ),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lockdown_mode_in_force_counts() {
        assert!(is_confidential("none integrity [confidentiality]\n"));
        assert!(!is_confidential("none [integrity] confidentiality\n"));
    }

    #[test]
    fn a_kernel_without_btf_is_told_what_it_needs() {
        let error = io::Error::from(io::ErrorKind::NotFound);
        let message =
            btf_error(BtfError::FileError { path: "/sys/kernel/btf/vmlinux".into(), error })
                .to_string();
        assert!(message.contains("CONFIG_DEBUG_INFO_BTF=y"), "{message}");
    }

    #[test]
    fn a_kernel_without_a_ring_buffer_is_told_apart_from_one_that_can_t_be_asked() {
        assert!(require_ring_buffer(Ok(true)).is_ok());
        let message = require_ring_buffer(Ok(false)).unwrap_err().to_string();
        assert!(message.contains("it needs Linux 5.8 or later"), "{message}");
        let refused = io::Error::from(io::ErrorKind::PermissionDenied);
        let message = require_ring_buffer(Err(refused)).unwrap_err().to_string();
        assert!(message.contains("for ring buffers"), "{message}");
    }

    #[test]
    fn a_btf_that_is_there_but_damaged_is_another_error() {
        let message = btf_error(BtfError::InvalidHeader).to_string();
        assert!(message.starts_with("the kernel's BTF can't be read"), "{message}");
    }
}
