//! A container without a container runtime: fresh mount and pid namespaces, an overlay for its root, and a
//! cgroup with the path that a runtime would give it.

use crate::attack::Target;
use crate::cgroup::Cgroup;
use crate::root_folder;
use anyhow::{Context, Result, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is run in it: into the cgroup first, then into the namespaces.
const ENTER: &str = r#"for procs in $PROCS; do echo $$ > "$procs"; done; exec unshare --mount --pid --fork --mount-proc "$@""#;

/// The first process of the namespaces: acts come from a later one, as with an exec into a container that runs.
const FIRST_PROCESS: &str = r#""$@"; true"#;

/// The container. Dropped, its root and its cgroup are removed.
#[derive(Debug)]
pub struct Namespaces {
    id: String,
    folder: PathBuf,
    cgroup: Cgroup,
}

impl Namespaces {
    /// Makes its root below `directory` and its cgroup. Takes root's rights.
    pub fn create(directory: &Path, acts: &Path) -> Result<Self> {
        let id = random_id()?;
        let folder = directory.join(&id[..12]);
        let image = folder.join("image");
        fs::create_dir_all(&image)?;
        root_folder::fill(&image, acts)?;
        mount_overlay(&folder).context("mounting an overlay for the container's root")?;
        let cgroup = Cgroup::plain(&format!("docker/{id}"))?;
        Ok(Self { id, folder, cgroup })
    }

    fn root(&self) -> PathBuf {
        self.folder.join("root")
    }
}

/// 64 hexadecimal digits, as a runtime's id has.
fn random_id() -> Result<String> {
    let uuid = || Ok(fs::read_to_string("/proc/sys/kernel/random/uuid")?.trim().replace('-', ""));
    Ok(uuid()
        .and_then(|first: String| Ok(first + &uuid()?))
        .map_err(|error: std::io::Error| error)?)
}

/// `image` below, `upper` above, seen together at `root`. The upper layer lies on a tmpfs: an overlay can't
/// lie on another overlay, which is what a folder inside a container often is.
fn mount_overlay(folder: &Path) -> Result<()> {
    let writable = folder.join("writable");
    let root = folder.join("root");
    fs::create_dir_all(&writable)?;
    fs::create_dir_all(&root)?;
    mount(Some("tmpfs"), &writable, Some("tmpfs"), MsFlags::empty(), None::<&str>)?;
    let (upper, work) = (writable.join("upper"), writable.join("work"));
    fs::create_dir(&upper)?;
    fs::create_dir(&work)?;
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        folder.join("image").display(),
        upper.display(),
        work.display()
    );
    mount(Some("overlay"), &root, Some("overlay"), MsFlags::empty(), Some(options.as_str()))?;
    Ok(())
}

impl Target for Namespaces {
    fn id(&self) -> &str {
        &self.id
    }

    fn exec(&self, user: &str, command: &[&str]) -> Result<()> {
        let (program, arguments) = command.split_first().context("an empty command")?;
        let procs = self.cgroup.procs_files();
        let procs: Vec<_> = procs.iter().map(|file| file.to_string_lossy()).collect();
        let number = if user == "root" { "0" } else { "1000" };
        let output = Command::new("/bin/sh")
            .args(["-c", ENTER, "sh", "--root"])
            .arg(self.root())
            .args(["--setuid", number, "--setgid", number, "--"])
            .args(["sh", "-c", FIRST_PROCESS, "sh"])
            .arg(in_bin(program))
            .args(arguments)
            .env("PROCS", procs.join(" "))
            .env("PATH", "/bin:/usr/bin:/sbin:/usr/sbin")
            .stdin(Stdio::null())
            .output()?;
        let trouble = String::from_utf8_lossy(&output.stderr);
        ensure!(!trouble.starts_with("unshare:"), "{}", trouble.trim());
        Ok(())
    }
}

/// A program's file. By its name alone a busybox shell would run its own applet, under another task name.
fn in_bin(program: &str) -> String {
    if program.contains('/') { program.to_owned() } else { format!("/bin/{program}") }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        let _ = umount2(&self.root(), MntFlags::MNT_DETACH);
        let _ = umount2(&self.folder.join("writable"), MntFlags::MNT_DETACH);
        let _ = fs::remove_dir_all(&self.folder);
        let _ = self.cgroup.remove();
    }
}
