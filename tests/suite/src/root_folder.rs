//! A container's root folder, made from files of this machine: nothing is pulled.

use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// Names that attacks call and that no image of ours would hold: here they are busybox,
/// which answers "applet not found". The exec is real; nothing is mined or installed.
const HARMLESS_STAND_INS: [&str; 3] = ["xmrig", "apk", "kubectl"];

/// Fills `root` with a static busybox, its applets, the program `acts`, and harmless stand-ins.
pub fn fill(root: &Path, acts: &Path) -> Result<()> {
    for folder in ["bin", "etc", "proc", "tmp", "usr/local/bin"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n")?;
    fs::copy("/bin/busybox", root.join("bin/busybox"))
        .context("copying /bin/busybox (Debian's package busybox-static has it)")?;
    fs::copy(acts, root.join("bin/acts")).with_context(|| format!("copying {}", acts.display()))?;
    let applets = Command::new("/bin/busybox").arg("--list").output()?.stdout;
    for name in String::from_utf8(applets)?.lines().chain(HARMLESS_STAND_INS) {
        if name != "busybox" {
            symlink("busybox", root.join("bin").join(name))?;
        }
    }
    Ok(())
}
