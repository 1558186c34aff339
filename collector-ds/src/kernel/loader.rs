//! Brings the programs into the kernel, each by itself.

use super::features::{lift_memory_lock_limit, memory_lock_hint, require};
use super::refusal::explain;
use super::{Capabilities, SensorError};
use aya::maps::{Map, MapData, PerCpuArray, RingBuf};
use aya::programs::tp_btf::BtfTracePointLink;
use aya::programs::{BtfTracePoint, ProgramError};
use aya::{Btf, Ebpf, EbpfError, EbpfLoader};
use ebpf_probes::{OBJECT, PROBES, Probe, maps};
use event_model::{ProbeCoverage, ProbeState};
use std::fs;

/// Wake user space when so much of the ring is full: the rest takes in what comes until it runs.
const WAKEUP_FRACTION: u64 = 16;

/// What stays once the programs run. Dropping it detaches them.
pub struct Loaded {
    pub process_ring: RingBuf<MapData>,
    pub drops: PerCpuArray<MapData, u64>,
    pub links: Vec<BtfTracePointLink>,
    pub coverage: Vec<ProbeCoverage>,
    pub capabilities: Capabilities,
}

/// Loads and attaches all programs that this kernel takes. The kernel's types and the object, several megabytes,
/// are gone when it returns.
pub fn load(ring_bytes: u32) -> Result<Loaded, SensorError> {
    let (btf, capabilities) = require()?;
    if let Err(errno) = lift_memory_lock_limit() {
        tracing::debug!(%errno, "the limit on locked memory stays as it is");
    }
    let mut object = prepare(&btf, ring_bytes)?;
    let mut links = Vec::new();
    let mut coverage = Vec::new();
    for probe in PROBES {
        let attached = attach(&mut object, probe, &btf);
        coverage.push(cover(probe, attached.as_ref().err()));
        links.extend(attached.ok());
    }
    Ok(Loaded {
        process_ring: take(&mut object, maps::PROCESS_RING)?,
        drops: take(&mut object, maps::DROPS)?,
        links,
        coverage,
        capabilities,
    })
}

fn prepare(btf: &Btf, ring_bytes: u32) -> Result<Ebpf, SensorError> {
    let wakeup_bytes = u64::from(ring_bytes) / WAKEUP_FRACTION;
    EbpfLoader::new()
        .btf(Some(btf))
        .map_max_entries(maps::PROCESS_RING, ring_bytes)
        .map_max_entries(maps::EXEC_DRAFTS, processor_numbers())
        .override_global(maps::WAKEUP_BYTES, &wakeup_bytes, true)
        .load(OBJECT)
        .map_err(|source| {
            let hint = match source {
                EbpfError::MapError(_) => memory_lock_hint(),
                _ => String::new(),
            };
            SensorError::Prepare { source: Box::new(source), hint }
        })
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

fn attach(object: &mut Ebpf, probe: Probe, btf: &Btf) -> Result<BtfTracePointLink, ProgramError> {
    let program: &mut BtfTracePoint =
        object.program_mut(probe.program).ok_or(ProgramError::UnexpectedProgramType)?.try_into()?;
    program.load(probe.tracepoint, btf)?;
    let link = program.attach()?;
    program.take_link(link)
}

fn cover(probe: Probe, error: Option<&ProgramError>) -> ProbeCoverage {
    let (state, reason) = match error.map(explain) {
        None => (ProbeState::Active, None),
        Some((state, reason)) => (state, Some(reason)),
    };
    ProbeCoverage {
        probe: probe.kind.name().to_owned(),
        hook: format!("tp_btf/{}", probe.tracepoint),
        state,
        reason,
    }
}

fn take<T: TryFrom<Map, Error = aya::maps::MapError>>(
    object: &mut Ebpf,
    name: &'static str,
) -> Result<T, SensorError> {
    let map = object.take_map(name).ok_or(SensorError::NoMap(name))?;
    T::try_from(map).map_err(|source| SensorError::Map { name, source })
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
