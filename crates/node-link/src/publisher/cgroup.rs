//! In which cgroup a peer runs.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{getsockopt, sockopt};
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use tokio::net::UnixStream;

/// Why nothing can be said of a peer's cgroup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CgroupError {
    #[error("its process is not in this process's PID namespace: run the publisher in the node's")]
    OtherNamespace,
    #[error("its process has ended")]
    Ended,
    #[error("/proc tells no cgroup of its process: {0}")]
    Unreadable(String),
}

/// The cgroup of the process that connected, as this process's cgroup namespace names it.
pub(crate) fn of_peer(stream: &UnixStream) -> Result<PathBuf, CgroupError> {
    let pid = stream.peer_cred().ok().and_then(|peer| peer.pid()).filter(|pid| *pid > 0);
    let pid = pid.ok_or(CgroupError::OtherNamespace)?;
    // Where the kernel has no such option (before 6.5), a process that ended may have left its number to another.
    let process: Option<OwnedFd> = getsockopt(stream, sockopt::PeerPidfd).ok();
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).map_err(|error| sort_out(&error));
    if process.is_some_and(|process| has_ended(&process)) {
        return Err(CgroupError::Ended);
    }
    parse(&text?).ok_or_else(|| CgroupError::Unreadable("no line that is known".into()))
}

fn sort_out(error: &io::Error) -> CgroupError {
    match error.kind() {
        io::ErrorKind::NotFound => CgroupError::Ended,
        _ => CgroupError::Unreadable(error.to_string()),
    }
}

/// A pidfd can be read once its process has ended: pidfd_open(2).
fn has_ended(process: &OwnedFd) -> bool {
    let mut asked = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    poll(&mut asked, PollTimeout::ZERO) != Ok(0)
}

/// The unified hierarchy's line, or systemd's own on nodes without: cgroups(7), `/proc/[pid]/cgroup`.
fn parse(text: &str) -> Option<PathBuf> {
    let of = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
    let systemd = || text.lines().find_map(|line| line.split_once(":name=systemd:").map(|it| it.1));
    let unified = of("0::").filter(|path| *path != "/");
    unified.or_else(systemd).or(of("0::")).map(PathBuf::from)
}

/// Whether a cgroup is one of these, or lies below.
pub(crate) fn is_allowed(cgroup: &Path, allowed: &[PathBuf]) -> bool {
    allowed.iter().any(|allowed| cgroup.starts_with(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unified_hierarchy_counts_and_systemd_s_where_there_is_none() {
        let unified = "0::/system.slice/collector.service\n";
        assert_eq!(parse(unified).unwrap(), Path::new("/system.slice/collector.service"));
        let hybrid = "4:memory:/m\n1:name=systemd:/system.slice/a.service\n0::/\n";
        assert_eq!(parse(hybrid).unwrap(), Path::new("/system.slice/a.service"));
        assert_eq!(parse("0::/\n").unwrap(), Path::new("/"));
        assert_eq!(parse("garbage"), None);
    }

    #[test]
    fn a_cgroup_is_allowed_by_whole_names_only() {
        let allowed = [PathBuf::from("/system.slice/collector.service")];
        assert!(is_allowed(Path::new("/system.slice/collector.service"), &allowed));
        assert!(is_allowed(Path::new("/system.slice/collector.service/child"), &allowed));
        assert!(!is_allowed(Path::new("/system.slice/collector.service-2"), &allowed));
        assert!(!is_allowed(Path::new("/system.slice"), &allowed));
    }
}
