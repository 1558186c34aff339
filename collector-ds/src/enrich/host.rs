//! What the node is: its name, its boot, its operating system.

use anyhow::Context;
use event_model::Host;
use service_runtime::NodeConfig;
use std::path::Path;

/// Gathers what is known of the node whose root is mounted at `host_root`.
pub fn gather(host_root: &Path, node: &NodeConfig) -> anyhow::Result<Host> {
    let kernel = nix::sys::utsname::uname().context("asking the kernel for its name (uname)")?;
    let hostname = first_line(&host_root.join("etc/hostname"))
        .unwrap_or_else(|| kernel.nodename().to_string_lossy().into_owned());
    Ok(Host {
        boot_id: service_runtime::boot_id()?,
        node: node.resolve_with_host_name(&hostname),
        machine_id: first_line(&host_root.join("etc/machine-id")),
        kernel: kernel.release().to_string_lossy().into_owned(),
        operating_system: operating_system(host_root).unwrap_or_default(),
        architecture: kernel.machine().to_string_lossy().into_owned(),
        hostname,
    })
}

fn first_line(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// PRETTY_NAME of `os-release(5)`.
fn operating_system(host_root: &Path) -> Option<String> {
    let text = ["etc/os-release", "usr/lib/os-release"]
        .into_iter()
        .find_map(|path| std::fs::read_to_string(host_root.join(path)).ok())?;
    let value = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim().trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_is_described_from_its_own_files() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(root.path().join("usr/lib")).expect("usr/lib");
        std::fs::create_dir_all(root.path().join("etc")).expect("etc");
        std::fs::write(root.path().join("etc/hostname"), "worker-3\n").expect("hostname");
        std::fs::write(root.path().join("etc/machine-id"), "abc\n").expect("machine-id");
        let release = "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        std::fs::write(root.path().join("usr/lib/os-release"), release).expect("os-release");
        let host = gather(root.path(), &NodeConfig { name: "node-3".into() }).expect("a host");
        assert_eq!((host.node.as_str(), host.hostname.as_str()), ("node-3", "worker-3"));
        assert_eq!(host.machine_id.as_deref(), Some("abc"));
        assert_eq!(host.operating_system, "Debian GNU/Linux 12 (bookworm)");
        assert!(!host.boot_id.is_nil() && !host.kernel.is_empty());
    }

    #[test]
    fn a_node_without_files_is_known_by_its_kernel() {
        let root = tempfile::tempdir().expect("a directory");
        let host = gather(root.path(), &NodeConfig::default()).expect("a host");
        assert!(!host.hostname.is_empty() && !host.node.is_empty());
        assert_eq!(host.machine_id, None);
    }
}
