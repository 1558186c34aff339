//! Brings the programs into the kernel, each by itself.

use super::attach::Attacher;
use super::attached::Attached;
use super::features::{lift_memory_lock_limit, memory_lock_hint, require};
use super::process_list::ProcessList;
use super::shared_maps::SharedMaps;
use super::{Capabilities, FileFilter, KernelConfig, OwnObjects, SensorError};
use aya::maps::{Array, HashMap, MapData, MapError, PerCpuArray, RingBuf};
use aya::{Btf, Ebpf, EbpfError, EbpfLoader};
use ebpf_probes::{OBJECT, RecordKind, maps};
use std::fs;
use std::os::unix::fs::MetadataExt;

/// Wake user space when so much of the ring is full: the rest takes in what comes until it runs.
const WAKEUP_FRACTION: u64 = 16;

/// A multiple of any kernel's page.
const SMALLEST_RING: u32 = 64 << 10;

/// What stays once the programs run. Dropping it detaches them.
pub struct Loaded {
    pub process_ring: RingBuf<MapData>,
    pub act_ring: RingBuf<MapData>,
    pub drops: PerCpuArray<MapData, u64>,
    pub folded: PerCpuArray<MapData, u64>,
    pub asleep: Array<MapData, u32>,
    pub environment_wanted: Array<MapData, u32>,
    pub attached: Attached,
    pub verified: Vec<(String, u32)>,
    /// None where the kernel has no such iterator, or refuses it: `/proc` lists processes too.
    pub process_list: Option<ProcessList>,
    pub capabilities: Capabilities,
    pub own_objects: OwnObjects,
}

/// How large the rings are, in bytes: powers of two.
#[derive(Clone, Copy)]
pub struct RingSizes {
    pub process: u32,
    pub act: u32,
}

/// Loads and attaches all programs that this kernel takes, of those that are wanted. The kernel's types and the object,
/// several megabytes, are gone when it returns.
pub fn load(
    rings: RingSizes,
    config: &KernelConfig,
    wanted: impl Fn(RecordKind) -> bool,
) -> Result<Loaded, SensorError> {
    let (btf, capabilities) = require()?;
    if let Err(errno) = lift_memory_lock_limit() {
        tracing::debug!(%errno, "the limit on locked memory stays as it is");
    }
    let mut object = prepare(&btf, rings, &config.files)?;
    let mut shared = SharedMaps::of(&mut object).map_err(SensorError::Maps)?;
    config.network.apply(&mut shared, &wanted)?;
    config.files.apply(&mut shared, &wanted)?;
    let mut attached = Attached::new(shared, config.end_of_calls)?;
    let untried = attached.untried(wanted);
    let mut programs = Attacher::new(&mut attached, object, &btf);
    for place in untried {
        programs.attach_probe(place);
    }
    let process_list = programs
        .process_list()
        .inspect_err(|(_, reason)| tracing::info!(reason, "processes are listed from /proc alone"))
        .ok();
    programs.finish();
    let verified = programs.verified();
    drop(programs);
    let own_objects = attached.own_objects();
    let shared = &mut attached.maps;
    tell_own_maps(shared, &own_objects)
        .map_err(|source| SensorError::Map { name: maps::OWN_MAPS, source })?;
    Ok(Loaded {
        process_ring: shared.take(maps::PROCESS_RING)?,
        act_ring: shared.take(maps::ACT_RING)?,
        drops: shared.take(maps::DROPS)?,
        folded: shared.take(maps::FOLDED)?,
        asleep: shared.take(maps::ASLEEP)?,
        environment_wanted: shared.take(maps::ENVIRONMENT_WANTED)?,
        attached,
        verified,
        process_list,
        capabilities,
        own_objects,
    })
}

/// What others change of these maps is told.
fn tell_own_maps(shared: &mut SharedMaps, own: &OwnObjects) -> Result<(), MapError> {
    let missing = || MapError::InvalidName { name: maps::OWN_MAPS.to_owned() };
    let map = shared.map_mut(maps::OWN_MAPS).ok_or_else(missing)?;
    let mut map = HashMap::<_, u32, u32>::try_from(map)?;
    own.maps.iter().try_for_each(|id| map.insert(id, 1, 0))
}

/// The programs once more, to attach some of them that were not wanted before. They use the maps of those that run.
pub fn load_again(btf: &Btf, shared: &SharedMaps) -> Result<Ebpf, SensorError> {
    // Its own maps are gone before anything uses them.
    let rings = RingSizes { process: SMALLEST_RING, act: SMALLEST_RING };
    let object = prepare(btf, rings, &FileFilter::default())?;
    shared.lend_to(&object).map_err(SensorError::Maps)?;
    Ok(object)
}

fn prepare(btf: &Btf, rings: RingSizes, files: &FileFilter) -> Result<Ebpf, SensorError> {
    let wakeup_bytes = u64::from(rings.process.min(rings.act)) / WAKEUP_FRACTION;
    let (own_pid, own_pid_namespace) = (std::process::id(), pid_namespace());
    let mut loader = EbpfLoader::new();
    files.configure(&mut loader);
    loader
        .btf(Some(btf))
        .map_max_entries(maps::PROCESS_RING, rings.process)
        .map_max_entries(maps::ACT_RING, rings.act)
        .map_max_entries(maps::EXEC_DRAFTS, processor_numbers())
        .map_max_entries(maps::ACT_DRAFTS, processor_numbers())
        .override_global(maps::WAKEUP_BYTES, &wakeup_bytes, true)
        .override_global(maps::OWN_PID, &own_pid, true)
        .override_global(maps::OWN_PID_NAMESPACE, &own_pid_namespace, true)
        .load(OBJECT)
        .map_err(|source| {
            let hint = match source {
                EbpfError::MapError(_) => memory_lock_hint(),
                _ => String::new(),
            };
            SensorError::Prepare { source: Box::new(source), hint }
        })
}

/// The number of the pid namespace that this process is in; 0, which is none, where it can't be read.
fn pid_namespace() -> u32 {
    let inode = fs::metadata("/proc/self/ns/pid").map_or(0, |namespace| namespace.ino());
    u32::try_from(inode).unwrap_or(0)
}

/// One more than the highest number that a processor of this machine can ever have.
fn processor_numbers() -> u32 {
    fs::read_to_string("/sys/devices/system/cpu/possible")
        .ok()
        .and_then(|list| highest_processor(&list))
        .map_or(1, |highest| highest + 1)
}

/// The last number of a list such as `0-3,8-11`.
fn highest_processor(list: &str) -> Option<u32> {
    list.trim().rsplit([',', '-']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_processor_ends_the_list() {
        assert_eq!(highest_processor("0-3,8-11\n"), Some(11));
        assert_eq!(highest_processor("0\n"), Some(0));
        assert_eq!(highest_processor(""), None);
    }
}
