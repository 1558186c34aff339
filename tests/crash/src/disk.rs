//! A disk that forgets, when its power is cut, what nobody synced.

use crate::file_system::FileSystem;
use crate::image::{Forgotten, Image};
use anyhow::{Context, Result};
use fastrand::Rng;
use fuser::{BackgroundSession, Config, MountOption, SessionACL};
use nix::mount::{MntFlags, umount2};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use suite::deadline::wait_for;

/// A killed process may be closing its files still.
const UNMOUNTED_WITHIN: Duration = Duration::from_mins(2);

/// A sync must not keep others from reading.
const THREADS: usize = 4;

/// What the disk holds, and how it is.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) image: Image,
    /// What every change is answered with, as errno(3) numbers it. None: it is made.
    pub(crate) refusal: Option<i32>,
    /// How often the power was cut.
    pub(crate) cuts: u64,
}

/// A mounted disk. Dropped, it is unmounted and all it held is gone.
pub struct Disk {
    folder: PathBuf,
    state: Arc<Mutex<State>>,
    session: Option<BackgroundSession>,
}

impl Disk {
    /// An empty disk at `folder`, which is made. Needs the rights to mount.
    pub fn mount(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let mut disk = Self { folder: folder.into(), state: Arc::default(), session: None };
        disk.attach()?;
        Ok(disk)
    }

    fn attach(&mut self) -> Result<()> {
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("forgetful".into())];
        config.acl = SessionACL::All;
        config.n_threads = Some(THREADS);
        let files = FileSystem { state: Arc::clone(&self.state) };
        let session = fuser::spawn_mount(files, &self.folder, &config);
        let session = session.with_context(|| {
            format!("mounting a file system of FUSE at {}", self.folder.display())
        })?;
        self.session = Some(session);
        Ok(())
    }

    fn detach(&mut self) -> Result<()> {
        wait_for("the disk unmounted", UNMOUNTED_WITHIN, || {
            nix::mount::umount(&self.folder).context("umount(2)")
        })?;
        if let Some(session) = self.session.take() {
            // It ends with an error where the kernel hung up first, as here.
            let _ = session.umount_and_join();
        }
        Ok(())
    }

    /// Cuts the power, once the programs that used the disk are dead, and gives it again.
    pub fn cut_power(&mut self, random: &mut Rng) -> Result<Forgotten> {
        self.detach()?;
        let forgotten = {
            let mut state = self.state();
            state.cuts += 1;
            state.image.cut_power(random)
        };
        self.attach()?;
        Ok(forgotten)
    }

    /// From now on each change fails with an error, as errno(3) numbers it; with None they are made again.
    pub fn refuse(&self, error: Option<i32>) {
        self.state().refusal = error;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Disk {
    /// After a test that failed, programs may still be using it: it goes when they do.
    fn drop(&mut self) {
        if let Err(error) = umount2(&self.folder, MntFlags::MNT_DETACH) {
            eprintln!("{}: {error}", self.folder.display());
        }
    }
}
