use aya::maps::{MapData, RingBuf};
use ebpf_probes::{KernelRecord, decode};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A ring of the kernel's, with its first record in sight.
pub struct Ring {
    records: RingBuf<MapData>,
    /// Taken from the ring, and not yet from us.
    head: Option<KernelRecord>,
    undecodable: u64,
    wakeups: Option<AsyncFd<OwnedFd>>,
}

impl Ring {
    pub const fn new(records: RingBuf<MapData>) -> Self {
        Self { records, head: None, undecodable: 0, wakeups: None }
    }

    /// The oldest record. Those that can't be decoded are skipped, counted.
    pub fn head(&mut self) -> Option<&KernelRecord> {
        while self.head.is_none() {
            let item = self.records.next()?;
            match decode(&item) {
                Ok(record) => self.head = Some(record),
                Err(error) => {
                    self.undecodable += 1;
                    if self.undecodable == 1 {
                        tracing::error!(%error, "a record of the kernel's can't be decoded; further ones are only counted");
                    }
                }
            }
        }
        self.head.as_ref()
    }

    /// Takes the record that [`Self::head`] showed.
    pub const fn take(&mut self) -> Option<KernelRecord> {
        self.head.take()
    }

    /// How many records could not be decoded.
    pub const fn undecodable(&self) -> u64 {
        self.undecodable
    }

    /// Waits until the kernel wakes us, which it does when much is waiting.
    pub async fn woken(&mut self) -> io::Result<()> {
        if self.wakeups.is_none() {
            let ring = self.records.as_fd().try_clone_to_owned()?;
            // SAFETY: an OwnedFd names one open file until it is dropped, which AsyncFd does after it has deregistered it.
            let wakeups = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE)? };
            self.wakeups = Some(wakeups);
        }
        if let Some(wakeups) = &mut self.wakeups {
            wakeups.readable_mut().await?.clear_ready();
        }
        Ok(())
    }
}
