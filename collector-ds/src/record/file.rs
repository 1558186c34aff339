//! The file, on a thread of its own: a disk that waits keeps nothing else waiting.

use metrics::counter;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

/// Chunks that may wait for the disk: with their size, 4 MiB.
const WAITING_CHUNKS: usize = 64;

/// The way to the file. The file ends when this is dropped.
pub(super) struct Chunks {
    to_disk: SyncSender<Vec<u8>>,
    /// Ends with the thread.
    done: Receiver<()>,
}

/// Why a chunk was not taken.
pub(super) enum Refused {
    /// The disk is slower than what is recorded.
    TooSlow,
    /// Writing failed: the reason was told.
    Failed,
}

impl Chunks {
    /// Takes a chunk, without waiting for the disk.
    pub fn send(&self, chunk: Vec<u8>) -> Result<(), Refused> {
        self.to_disk.try_send(chunk).map_err(|error| match error {
            TrySendError::Full(_) => Refused::TooSlow,
            TrySendError::Disconnected(_) => Refused::Failed,
        })
    }

    /// Ends the file; waits until all is written, but not longer than this.
    pub fn finish(self, patience: Duration) {
        let Self { to_disk, done } = self;
        drop(to_disk);
        // Nothing is ever sent: what comes is the thread's end, or that it takes too long.
        let _ = done.recv_timeout(patience);
    }
}

/// Makes the file: readable by its owner alone, and never one that is there already.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Starts the thread. Where writing fails, `problem` is told.
pub(super) fn start(
    file: File,
    path: PathBuf,
    problem: Arc<OnceLock<String>>,
) -> io::Result<Chunks> {
    let (to_disk, chunks) = sync_channel(WAITING_CHUNKS);
    let (ends_with_thread, done) = sync_channel(0);
    thread::Builder::new().name("recording".to_owned()).spawn(move || {
        if let Err(error) = write(file, &chunks) {
            let words = format!("the recording ended: cannot write {}: {error}", path.display());
            tracing::error!("{words}");
            let _ = problem.set(words);
        }
        drop(ends_with_thread);
    })?;
    Ok(Chunks { to_disk, done })
}

/// Writes chunk after chunk; of one that fails nothing stays, as far as the disk lets it go.
fn write(mut file: File, chunks: &Receiver<Vec<u8>>) -> io::Result<()> {
    let written = counter!("defender_recorded_bytes_total");
    let mut whole = 0;
    for chunk in chunks {
        if let Err(error) = file.write_all(&chunk) {
            let _ = file.set_len(whole);
            return Err(error);
        }
        whole += chunk.len() as u64;
        written.increment(chunk.len() as u64);
    }
    Ok(())
}
