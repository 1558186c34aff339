use super::drops::Drops;
use super::loader::{Loaded, load};
use super::{Capabilities, SensorError, WallClock};
use aya::maps::{MapData, MapError, PerCpuArray, RingBuf};
use aya::programs::tp_btf::BtfTracePointLink;
use ebpf_probes::{KernelRecord, decode};
use event_model::ProbeCoverage;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The kernel does not wake us for single records: we look into the ring this often. It bounds what
/// reading adds to the time from an act to its alert.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Bounds of the ring's size, in bytes. The kernel wants a power of two.
const SMALLEST_RING: u64 = 64 << 10;
const LARGEST_RING: u64 = 1 << 30;

/// What can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelConfig {
    /// Size of the ring for process and cgroup records: rounded up to a power of two, from 64 KiB to 1 GiB.
    pub ring_bytes: u64,
}

/// The attached programs, and the ring that they write to. Dropping it detaches them.
pub struct Sensor {
    process_ring: RingBuf<MapData>,
    drops: PerCpuArray<MapData, u64>,
    _links: Vec<BtfTracePointLink>,
    capabilities: Capabilities,
    undecodable: u64,
    clock: WallClock,
    wakeups: Option<AsyncFd<OwnedFd>>,
}

impl Sensor {
    /// Loads and attaches each program by itself. One that is refused is told in the coverage, and the others
    /// go on; an error means that this kernel can run none, and says what it lacks.
    pub fn load(config: KernelConfig) -> Result<(Self, Vec<ProbeCoverage>), SensorError> {
        let Loaded { process_ring, drops, links, coverage, capabilities } =
            load(ring_size(config.ring_bytes))?;
        let sensor = Self {
            process_ring,
            drops,
            _links: links,
            capabilities,
            undecodable: 0,
            clock: WallClock::now(),
            wakeups: None,
        };
        Ok((sensor, coverage))
    }

    /// Waits until there may be records: at most 10 ms. Needs a tokio runtime with I/O and time.
    pub async fn wait(&mut self) -> io::Result<()> {
        if self.wakeups.is_none() {
            let ring = self.process_ring.as_fd().try_clone_to_owned()?;
            // SAFETY: an OwnedFd names one open file until it is dropped, which AsyncFd does after it has deregistered it.
            let wakeups = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE)? };
            self.wakeups = Some(wakeups);
        }
        if let Some(wakeups) = &mut self.wakeups
            && let Ok(woken) = tokio::time::timeout(LOOK_INTERVAL, wakeups.readable_mut()).await
        {
            woken?.clear_ready();
        }
        Ok(())
    }

    /// Hands up to `limit` records to `sink`, in the order of the ring, without waiting. Returns how many there were:
    /// fewer than `limit` means that the ring is empty.
    pub fn poll(&mut self, limit: usize, mut sink: impl FnMut(KernelRecord)) -> usize {
        self.clock = WallClock::now();
        for taken in 0..limit {
            let Some(item) = self.process_ring.next() else { return taken };
            let decoded = decode(&item);
            // Frees the record's place before the sink takes its time.
            drop(item);
            match decoded {
                Ok(record) => sink(record),
                Err(error) => {
                    self.undecodable += 1;
                    if self.undecodable == 1 {
                        tracing::error!(%error, "a record of the kernel's can't be decoded; further ones are only counted");
                    }
                }
            }
        }
        limit
    }

    /// How many records did not fit into the ring since the programs were loaded.
    pub fn drops(&self) -> Result<Drops, MapError> {
        Drops::read(|kind| {
            let counts = self.drops.get(&u32::from(kind.number()), 0)?;
            Ok(counts.iter().sum())
        })
    }

    /// How many records could not be decoded.
    pub const fn undecodable(&self) -> u64 {
        self.undecodable
    }

    /// The wall clock as it was at the last [`Self::poll`], for the times of its records.
    pub const fn clock(&self) -> WallClock {
        self.clock
    }

    /// What does not work although the programs run, with the way out.
    pub fn problems(&self) -> Vec<String> {
        self.capabilities.problems()
    }
}

fn ring_size(wanted: u64) -> u32 {
    let size = wanted.clamp(SMALLEST_RING, LARGEST_RING).next_power_of_two();
    u32::try_from(size).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_is_a_power_of_two_within_bounds() {
        assert_eq!(ring_size(0), 64 << 10);
        assert_eq!(ring_size(4 << 20), 4 << 20);
        assert_eq!(ring_size((4 << 20) + 1), 8 << 20);
        assert_eq!(ring_size(u64::MAX), 1 << 30);
    }
}
