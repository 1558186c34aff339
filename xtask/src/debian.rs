//! Debian packages that a command needs: installed where they are missing and we may.

use anyhow::{Result, bail};
use nix::unistd::Uid;
use std::path::Path;
use std::process::{Command, Stdio};

/// A package, and a file of it that shows that it is there.
type Package = (&'static str, &'static str);

/// What the build needs.
pub const BUILD: [Package; 2] = [("clang", "/usr/bin/clang"), ("gcc", "/usr/bin/cc")];

/// What the attack needs: a container runtime and something to put into a container.
pub const CONTAINERS: [Package; 4] = [
    ("docker.io", "/usr/sbin/dockerd"),
    ("containerd", "/usr/bin/containerd"),
    ("iptables", "/usr/sbin/iptables"),
    ("busybox-static", "/bin/busybox"),
];

/// What the tests need besides.
pub const TESTS: [Package; 22] = [
    ("containerd", "/usr/bin/containerd"),
    ("runc", "/usr/sbin/runc"),
    ("docker-compose", "/usr/bin/docker-compose"),
    ("qemu-system-x86", "/usr/bin/qemu-system-x86_64"),
    ("cpio", "/usr/bin/cpio"),
    ("xz-utils", "/usr/bin/xz"),
    ("zstd", "/usr/bin/zstd"),
    ("prometheus", "/usr/bin/prometheus"),
    ("iproute2", "/usr/sbin/ip"),
    ("procps", "/usr/bin/pgrep"),
    ("python3-venv", "/usr/share/doc/python3-venv"),
    ("nodejs", "/usr/bin/node"),
    ("npm", "/usr/bin/npm"),
    ("chromium", "/usr/bin/chromium"),
    ("chromium-driver", "/usr/bin/chromedriver"),
    ("curl", "/usr/bin/curl"),
    ("openssh-server", "/usr/sbin/sshd"),
    ("logrotate", "/usr/sbin/logrotate"),
    ("libfaketime", "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"),
    ("squid-openssl", "/usr/sbin/squid"),
    ("tinyproxy", "/usr/bin/tinyproxy"),
    ("openssl", "/usr/bin/openssl"),
];

/// Installs those of `packages` that are missing. Without root or apt-get it says what to install.
pub fn install(packages: &[Package]) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .filter(|(_, witness)| !Path::new(witness).exists())
        .map(|(package, _)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !Uid::effective().is_root() || !Path::new("/usr/bin/apt-get").exists() {
        bail!("missing: {names}. On Debian, as root: apt-get install {names}");
    }
    println!("installing {names}");
    apt(&["update", "--quiet"])?;
    let mut arguments = vec!["install", "--quiet", "--yes", "--no-install-recommends"];
    arguments.extend(&missing);
    apt(&arguments)
}

fn apt(arguments: &[&str]) -> Result<()> {
    let output = Command::new("apt-get")
        // Another may be at work: it is waited for.
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // The services among them are not started.
        .env("RUNLEVEL", "1")
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    bail!("apt-get {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim())
}
