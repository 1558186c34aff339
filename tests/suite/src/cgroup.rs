//! Cgroups of our own, on cgroup v1 and v2.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The period of the CPU quota, as kubelet sets it: 100 ms.
const PERIOD_MICROSECONDS: u64 = 100_000;

const ROOT: &str = "/sys/fs/cgroup";

/// A cgroup. Its directories (one with v2, one a controller with v1) stay until [`Cgroup::remove`].
#[derive(Clone, Debug)]
pub struct Cgroup {
    directories: Vec<PathBuf>,
}

impl Cgroup {
    /// A cgroup without limits, at a path such as `docker/ID`.
    pub fn plain(path: &str) -> Result<Self> {
        let controllers: &[&str] = if is_v2() { &[""] } else { &["memory", "pids"] };
        let directories: Vec<PathBuf> = controllers
            .iter()
            .map(|controller| Path::new(ROOT).join(controller).join(path))
            .collect();
        directories.iter().try_for_each(fs::create_dir_all)?;
        Ok(Self { directories })
    }

    /// A cgroup with the limits of a workload: `millicores` of CPU, `bytes` of memory.
    pub fn limited(name: &str, millicores: u64, bytes: u64) -> Result<Self> {
        let root = Path::new(ROOT);
        if is_v2() {
            Self::create_v2(&root.join(name), millicores, bytes)
        } else {
            Self::create_v1(root, name, millicores, bytes)
        }
    }

    /// The files that a process writes its id into to move in.
    pub fn procs_files(&self) -> Vec<PathBuf> {
        self.directories.iter().map(|directory| directory.join("cgroup.procs")).collect()
    }

    fn create_v2(directory: &Path, millicores: u64, bytes: u64) -> Result<Self> {
        // Fails with "busy" where the controllers are already on: then nothing is to be done.
        let _ = fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+cpu +memory");
        fs::create_dir_all(directory)?;
        let quota = millicores * PERIOD_MICROSECONDS / 1000;
        set(directory, "cpu.max", &format!("{quota} {PERIOD_MICROSECONDS}"))?;
        set(directory, "memory.max", &bytes.to_string())?;
        Ok(Self { directories: vec![directory.to_owned()] })
    }

    fn create_v1(root: &Path, name: &str, millicores: u64, bytes: u64) -> Result<Self> {
        let cpu = root.join("cpu").join(name);
        let memory = root.join("memory").join(name);
        fs::create_dir_all(&cpu)?;
        fs::create_dir_all(&memory)?;
        set(&cpu, "cpu.cfs_period_us", &PERIOD_MICROSECONDS.to_string())?;
        set(&cpu, "cpu.cfs_quota_us", &(millicores * PERIOD_MICROSECONDS / 1000).to_string())?;
        set(&memory, "memory.limit_in_bytes", &bytes.to_string())?;
        Ok(Self { directories: vec![cpu, memory] })
    }

    /// Moves a process in, with all its threads.
    pub fn add(&self, pid: u32) -> Result<()> {
        self.directories
            .iter()
            .try_for_each(|directory| set(directory, "cgroup.procs", &pid.to_string()))
    }

    /// The most memory that was ever charged to it, in MiB: that of its processes, and files that they were the first to read.
    #[allow(clippy::cast_precision_loss)] // Fewer bytes than 2^53.
    pub fn peak_mib(&self) -> Result<f64> {
        let file = if is_v2() { "memory.peak" } else { "memory.max_usage_in_bytes" };
        let mut files = self.directories.iter().map(|directory| directory.join(file));
        let file = files.find(|file| file.exists()).with_context(|| format!("no {file}"))?;
        let text = fs::read_to_string(&file)?;
        let bytes: u64 = text.trim_end().parse().with_context(|| file.display().to_string())?;
        Ok(bytes as f64 / f64::from(1 << 20))
    }

    /// Removes it, once it is empty.
    pub fn remove(&self) -> Result<()> {
        self.directories.iter().try_for_each(|directory| Ok(fs::remove_dir(directory)?))
    }
}

fn is_v2() -> bool {
    Path::new(ROOT).join("cgroup.controllers").exists()
}

fn set(directory: &Path, file: &str, value: &str) -> Result<()> {
    let path = directory.join(file);
    fs::write(&path, value).with_context(|| format!("writing {value:?} to {}", path.display()))
}
