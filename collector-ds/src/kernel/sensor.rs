use super::attached::Attached;
use super::drops::Drops;
use super::loader::{Loaded, RingSizes, load};
use super::outcomes::Outcomes;
use super::process_list::ProcessList;
use super::ring::Ring;
use super::snapshot::{Snapshot, snapshot_with};
use super::{Capabilities, FileFilter, NetworkFilter, OwnObjects, SensorError, WallClock};
use aya::maps::{Array, MapData, MapError, PerCpuArray};
use ebpf_probes::{ExecRecord, KernelRecord, RecordKind};
use event_model::ProbeCoverage;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// While records come, the kernel wakes us for many of them only: we look into the rings this often. It bounds what
/// reading adds to the time from an act to its alert. Once a look finds none, the next record wakes us.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Bounds of the ring's size, in bytes. The kernel wants a power of two.
const SMALLEST_RING: u64 = 64 << 10;
const LARGEST_RING: u64 = 1 << 30;

/// What can be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelConfig {
    /// Size of the ring for process and cgroup records: rounded up to a power of two, from 64 KiB to 1 GiB.
    pub ring_bytes: u64,
    /// The same of the ring for acts.
    pub act_ring_bytes: u64,
    /// The acts to report. Processes and cgroups always are.
    pub acts: BTreeSet<RecordKind>,
    /// Whether the end of every system call may be looked at for want of better hooks.
    pub end_of_calls: bool,
    /// Which acts on sockets are reported.
    pub network: NetworkFilter,
    /// Which files are told of.
    pub files: FileFilter,
    /// Whether the environment of programs is read as they begin.
    pub environment: bool,
}

impl KernelConfig {
    /// Rings of one size, and all acts.
    pub fn everything(ring_bytes: u64) -> Self {
        let acts = RecordKind::ALL.into_iter().filter(|kind| kind.is_act()).collect();
        let network = NetworkFilter::everything();
        let files = FileFilter::everything();
        Self {
            ring_bytes,
            act_ring_bytes: ring_bytes,
            acts,
            end_of_calls: true,
            network,
            files,
            environment: true,
        }
    }
}

/// The attached programs, and the rings that they write to. Dropping it detaches them.
pub struct Sensor {
    process_ring: Ring,
    act_ring: Ring,
    outcomes: Outcomes,
    drops: PerCpuArray<MapData, u64>,
    folded: PerCpuArray<MapData, u64>,
    asleep: Array<MapData, u32>,
    environment_wanted: Array<MapData, u32>,
    /// The last look found nothing, and nothing waits for its outcome.
    rests: bool,
    pub(super) attached: Attached,
    /// What the kernel is asked for now.
    pub(super) config: KernelConfig,
    /// How many nodes of wanted paths the kernel has room for.
    pub(super) path_room: usize,
    /// How often the wanted paths were changed.
    pub(super) path_changes: u64,
    verified: Vec<(String, u32)>,
    process_list: Option<ProcessList>,
    capabilities: Capabilities,
    pub(super) own_objects: OwnObjects,
    clock: WallClock,
}

impl Sensor {
    /// Loads and attaches each program by itself. One that is refused is told in the coverage, and the others
    /// go on; an error means that this kernel can run none, and says what it lacks.
    pub fn load(config: &KernelConfig) -> Result<(Self, Vec<ProbeCoverage>), SensorError> {
        let rings = RingSizes {
            process: ring_size(config.ring_bytes),
            act: ring_size(config.act_ring_bytes),
        };
        let wanted = |kind: RecordKind| !kind.is_act() || config.acts.contains(&kind);
        let loaded = load(rings, config, wanted)?;
        let Loaded { drops, folded, attached, verified, capabilities, .. } = loaded;
        let coverage = attached.coverage();
        let mut sensor = Self {
            process_ring: Ring::new(loaded.process_ring),
            act_ring: Ring::new(loaded.act_ring),
            outcomes: Outcomes::default(),
            drops,
            folded,
            asleep: loaded.asleep,
            environment_wanted: loaded.environment_wanted,
            rests: false,
            verified,
            attached,
            config: config.clone(),
            path_room: config.files.room(),
            path_changes: 1,
            process_list: loaded.process_list,
            capabilities,
            own_objects: loaded.own_objects,
            clock: WallClock::now(),
        };
        sensor.want_environment(config.environment)?;
        Ok((sensor, coverage))
    }

    /// Has the environment of programs read as they begin, or not.
    pub(super) fn want_environment(&mut self, wanted: bool) -> Result<(), SensorError> {
        self.config.environment = wanted;
        let name = ebpf_probes::maps::ENVIRONMENT_WANTED;
        let set = self.environment_wanted.set(0, u32::from(wanted), 0);
        set.map_err(|source| SensorError::Map { name, source })
    }

    /// Waits until there may be records: 10 ms where the last [`Self::poll`] found some, else until one comes. Needs a tokio
    /// runtime with I/O and time.
    pub async fn wait(&mut self) -> io::Result<()> {
        if !self.rests {
            return tokio::time::timeout(LOOK_INTERVAL, self.woken()).await.unwrap_or(Ok(()));
        }
        self.asleep.set(0, 1, 0).map_err(io::Error::other)?;
        // What came before the kernel could know that we sleep has woken nobody.
        if self.ring_of_the_oldest().is_some() {
            return Ok(());
        }
        self.woken().await
    }

    /// Waits until the kernel wakes us.
    async fn woken(&mut self) -> io::Result<()> {
        let Self { process_ring, act_ring, .. } = self;
        tokio::select! {
            woken = process_ring.woken() => woken,
            woken = act_ring.woken() => woken,
        }
    }

    /// Hands up to `limit` records to `sink` without waiting. Returns how many there were: fewer than `limit` means that
    /// the rings are empty.
    ///
    /// The records of a thread come in the order in which it made them, whichever ring they are in. An act that was told
    /// before it was done comes when its call has returned, after what other threads did meanwhile; at the latest after a second.
    pub fn poll(&mut self, limit: usize, mut sink: impl FnMut(KernelRecord)) -> usize {
        let now = Instant::now();
        self.clock = WallClock::now();
        let mut taken = 0;
        while taken < limit
            && let Some(ring) = self.ring_of_the_oldest()
        {
            if let Some(record) = ring.take() {
                self.outcomes.take(record, now, &mut sink);
            }
            taken += 1;
        }
        self.outcomes.give_up(now, &mut sink);
        self.rests = taken == 0 && self.outcomes.is_empty();
        taken
    }

    /// Hands on the acts whose outcome has not come: for the end, when the rings are empty.
    pub fn give_up_waiting(&mut self, mut sink: impl FnMut(KernelRecord)) {
        self.outcomes.give_up_all(&mut sink);
    }

    /// Each ring is in order. Whatever a thread wrote before the record that we see in one ring is in sight in
    /// the other, provided that we look there afterwards.
    fn ring_of_the_oldest(&mut self) -> Option<&mut Ring> {
        let act = self.act_ring.head().map(KernelRecord::time);
        let process = self.process_ring.head().map(KernelRecord::time);
        let act = act.or_else(|| self.act_ring.head().map(KernelRecord::time));
        match (act, process) {
            (None, None) => None,
            (Some(act), Some(process)) if process <= act => Some(&mut self.process_ring),
            (Some(_), _) => Some(&mut self.act_ring),
            (None, Some(_)) => Some(&mut self.process_ring),
        }
    }

    /// Lists what runs now, as [`snapshot()`](super::snapshot()) does, with what the kernel itself tells of processes where it does.
    /// Blocks as that does.
    pub fn snapshot(&mut self, proc_root: &Path) -> Snapshot {
        snapshot_with(proc_root, self.list_processes())
    }

    /// The processes that run now as the kernel lists them, without their arguments. Empty where it does not.
    pub fn list_processes(&mut self) -> Vec<ExecRecord> {
        let listed = self.process_list.as_mut().map_or(Ok(vec![]), ProcessList::read);
        listed.unwrap_or_else(|error| {
            tracing::warn!(%error, "processes are listed from /proc alone");
            vec![]
        })
    }

    /// How many records did not fit into the ring since the programs were loaded.
    pub fn drops(&self) -> Result<Drops, MapError> {
        Drops::read(|kind| {
            let counts = self.drops.get(&u32::from(kind.number()), 0)?;
            Ok(counts.iter().sum())
        })
    }

    /// How many acts of each kind are told in no record, since they were like others before them ([`NetworkFilter::limit`],
    /// [`FileFilter::counting_repeats`]).
    pub fn folded(&self) -> Result<Drops, MapError> {
        Drops::read(|kind| {
            let counts = self.folded.get(&u32::from(kind.number()), 0)?;
            Ok(counts.iter().sum())
        })
    }

    /// How many records could not be decoded.
    pub const fn undecodable(&self) -> u64 {
        self.process_ring.undecodable() + self.act_ring.undecodable()
    }

    /// The wall clock as it was at the last [`Self::poll`], for the times of its records.
    pub const fn clock(&self) -> WallClock {
        self.clock
    }

    /// How many instructions the verifier went through for each loaded program: what a program costs when it is loaded.
    pub fn verified_instructions(&self) -> &[(String, u32)] {
        &self.verified
    }

    /// The programs, maps and links that it has in the kernel.
    pub const fn own_objects(&self) -> &OwnObjects {
        &self.own_objects
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
