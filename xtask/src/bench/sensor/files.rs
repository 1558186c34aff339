use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// More than the kernel's programs remember of one CPU: each opening is told anew.
const FILES: usize = 4096;

/// Empty files where openings to write are watched. Dropped, they are gone.
pub struct WatchedFiles {
    folder: PathBuf,
}

impl WatchedFiles {
    pub fn make() -> Result<Self> {
        let folder = PathBuf::from(format!("/etc/defender-bench-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
        let files = Self { folder };
        for number in 0..FILES {
            File::create(files.folder.join(number.to_string()))?;
        }
        Ok(files)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for WatchedFiles {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} stays behind: {error}", self.folder.display());
        }
    }
}
