//! What administrators and their timers do on a node.

use crate::work::{Ground, run};
use anyhow::Result;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The lists of packages, which a machine may not have had for a while, and what is rotated.
pub fn prepare(folder: &Path) -> Result<()> {
    run(Command::new("apt-get").args(["update", "--quiet"]))?;
    fs::write(folder.join("application.log"), "a line\n".repeat(1000))?;
    let rotation = format!(
        "{}/application.log {{\n    rotate 3\n    compress\n    missingok\n    su root root\n    create 0640 root root\n}}\n",
        folder.display()
    );
    fs::write(folder.join("logrotate.conf"), rotation)?;
    Ok(())
}

/// A package is installed again, with its files replaced and its scripts run.
pub fn update_packages(_: &Ground<'_>) -> Result<()> {
    let install = ["install", "--reinstall", "--quiet", "--yes", "--no-install-recommends", "cpio"];
    run(Command::new("apt-get").args(install).env("DEBIAN_FRONTEND", "noninteractive"))?;
    run(Command::new("apt-get").args(["--simulate", "upgrade"]))?;
    run(Command::new("dpkg").args(["--verify", "cpio"]))
}

/// All of `/etc`, with the password hashes and the keys in it.
pub fn back_up(ground: &Ground<'_>) -> Result<()> {
    let archive = ground.folder().join("backup.tar.gz");
    run(Command::new("tar").arg("-czf").arg(&archive).args([
        "-C",
        "/",
        "etc",
        "var/lib/dpkg/status",
    ]))?;
    run(Command::new("tar").arg("-tzf").arg(&archive))
}

pub fn rotate_logs(ground: &Ground<'_>) -> Result<()> {
    let state = ground.folder().join("logrotate.status");
    let configuration = ground.folder().join("logrotate.conf");
    run(Command::new("logrotate").arg("--force").arg("--state").arg(state).arg(configuration))
}

/// What monitors and people ask.
pub fn look_around(_: &Ground<'_>) -> Result<()> {
    for command in [
        &["ps", "aux"] as &[&str],
        &["df", "-h"],
        &["ip", "address"],
        &["ss", "-tln"],
        &["uname", "-a"],
        &["id"],
        &["du", "-sh", "/var/log"],
        &["cat", "/proc/loadavg", "/proc/meminfo", "/etc/resolv.conf"],
        &["find", "/var/log", "-name", "*.log", "-mtime", "+30"],
        &["run-parts", "--test", "/etc/cron.daily"],
    ] {
        run(Command::new(command[0]).args(&command[1..]))?;
    }
    Ok(())
}
