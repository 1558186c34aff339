//! What a container runtime and a kubelet do all day.

use crate::work::Ground;
use anyhow::Result;
use suite::attack::Target;

/// A short job, a container that is started, asked for its output, restarted and removed.
pub fn come_and_go(ground: &Ground<'_>) -> Result<()> {
    let docker = ground.docker;
    let job =
        "set -e; mkdir -p /tmp/job; date > /tmp/job/began; sort /etc/passwd | wc -l; sleep 0.1";
    docker.output(&["run", "--rm", "--network=none", &ground.image, "sh", "-c", job])?;
    let id = docker.output(&[
        "run",
        "--detach",
        "--network=none",
        &ground.image,
        "httpd",
        "-f",
        "-p",
        "8080",
    ])?;
    let id = id.trim();
    for arguments in [
        &["ps"] as &[&str],
        &["logs", id],
        &["inspect", id],
        &["stats", "--no-stream", id],
        &["restart", "--time", "0", id],
        &["rm", "--force", id],
        &["image", "ls"],
    ] {
        docker.output(arguments)?;
    }
    Ok(())
}

/// The commands of probes and of hooks at start and end, as they stand in charts.
pub fn probe(ground: &Ground<'_>) -> Result<()> {
    for command in [
        &["cat", "/etc/hostname"] as &[&str],
        &["sh", "-c", "test -e /etc/passwd"],
        &["sh", "-c", "ps | grep -v grep | grep -q sleep"],
        &["sh", "-c", "wget -q -T 1 -O- http://127.0.0.1:8080/healthz || true"],
        &["nc", "-z", "-w", "1", "127.0.0.1", "8080"],
        &["pgrep", "sleep"],
        &["sh", "-c", "df -P / | tail -1"],
    ] {
        ground.container.exec("root", command)?;
    }
    Ok(())
}
