//! What is attached, and what is not any more.

use super::call_routes::{CallRoute, CallRoutes};
use super::shared_maps::SharedMaps;
use super::{OwnObjects, SensorError};
use aya::maps::{Array, MapData, MapError, ProgramArray};
use aya::programs::cgroup_skb::CgroupSkbLink;
use aya::programs::fentry::FEntryLink;
use aya::programs::fexit::FExitLink;
use aya::programs::lsm::LsmLink;
use aya::programs::tp_btf::BtfTracePointLink;
use ebpf_probes::{Call, CallReturn, CallShape, Hook, PROBES, Probe, RecordKind, maps};
use event_model::{ProbeCoverage, ProbeState};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Keeps a program attached until it is dropped.
#[allow(dead_code)] // Held, never read.
pub enum Link {
    Tracepoint(BtfTracePointLink),
    Lsm(LsmLink),
    Function(FEntryLink),
    Return(FExitLink),
    Packets(CgroupSkbLink),
}

/// Why a hook does not serve, in the states of coverage.
pub type Refusal = (ProbeState, String);

/// The programs that are attached, with their maps. Dropping it detaches them.
pub struct Attached {
    pub maps: SharedMaps,
    /// By their programs.
    pub links: BTreeMap<&'static str, Link>,
    pub routes: CallRoutes,
    /// The kernel empties it when it is closed.
    pub handlers: ProgramArray<MapData>,
    pub returning: Array<MapData, u32>,
    /// What became of the programs that were tried: probes may share one.
    pub tried: BTreeMap<&'static str, Result<(), Refusal>>,
    /// The places of programs in `handlers`, or why they have none. Several kinds may share one.
    pub placed: BTreeMap<&'static str, Result<u16, Refusal>>,
    /// The ids of those programs.
    pub handler_ids: Vec<u32>,
    /// Which hook serves which probe.
    pub serving: Vec<Serving>,
    /// Of the probes that were tried, by their places among all.
    pub coverage: BTreeMap<usize, ProbeCoverage>,
    pub bpf_is_security_module: bool,
    pub end_of_calls: bool,
    pub functions_are_closed: bool,
}

/// A probe that works.
pub struct Serving {
    pub kind: RecordKind,
    pub hook: &'static Hook,
    /// What tells the outcome of its acts.
    pub returns: Vec<&'static CallReturn>,
}

impl Serving {
    fn programs(&self) -> impl Iterator<Item = &'static str> {
        let returns = self.returns.iter().map(|returned| returned.program);
        self.hook.programs().into_iter().chain(returns)
    }
}

impl Attached {
    /// Nothing yet.
    pub fn new(mut maps: SharedMaps, end_of_calls: bool) -> Result<Self, SensorError> {
        let routes = CallRoutes::new(maps.take(maps::CALL_ROUTES)?);
        let handlers = maps.take(maps::CALL_HANDLERS)?;
        let returning = maps.take(maps::RETURNING_CALLS)?;
        Ok(Self {
            maps,
            links: BTreeMap::new(),
            routes,
            handlers,
            returning,
            tried: BTreeMap::new(),
            placed: BTreeMap::new(),
            handler_ids: vec![],
            serving: vec![],
            coverage: BTreeMap::new(),
            bpf_is_security_module: bpf_is_security_module(),
            end_of_calls,
            functions_are_closed: functions_are_closed(),
        })
    }

    /// The probes of wanted kinds that were not tried yet, by their places among all.
    pub fn untried(&self, wanted: impl Fn(RecordKind) -> bool) -> Vec<usize> {
        let wanted = all_probes().filter(|(_, probe)| wanted(probe.kind));
        wanted.map(|(place, _)| place).filter(|place| !self.coverage.contains_key(place)).collect()
    }

    /// How each kind of event is seen now.
    pub fn coverage(&self) -> Vec<ProbeCoverage> {
        let told =
            |(place, probe)| self.coverage.get(&place).cloned().unwrap_or_else(|| unwanted(probe));
        let mut coverage: Vec<_> = all_probes().map(told).collect();
        // Parts of a kind that one hook serves are one.
        coverage.dedup();
        coverage
    }

    /// The programs, maps and links that there are now. A link tells its program's id; the table of handlers tells none.
    pub fn own_objects(&self) -> OwnObjects {
        let mut held = OwnObjects::held();
        held.programs.extend(&self.handler_ids);
        held
    }

    /// Detaches what serves no wanted kind. Of a program that several probes share the last one decides.
    pub fn give_up(&mut self, wanted: impl Fn(RecordKind) -> bool) -> Result<(), MapError> {
        let all = std::mem::take(&mut self.serving);
        let (kept, given_up): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| wanted(it.kind));
        self.serving = kept;
        self.coverage.retain(|_, told| {
            RecordKind::ALL.into_iter().any(|kind| kind.name() == told.probe && wanted(kind))
        });
        // A call may do acts of several kinds: what is left takes it over before it is taken away.
        for serving in &self.serving {
            for (program, shape, calls) in handled(serving.hook) {
                let Some(Ok(handler)) = self.placed.get(program) else { continue };
                let route = CallRoute::new(*handler, serving.kind, shape);
                calls.iter().try_for_each(|call| self.routes.give(call, route))?;
            }
        }
        let used: BTreeSet<_> = self.serving.iter().flat_map(Serving::programs).collect();
        for serving in &given_up {
            let returns = serving.returns.iter().filter(|it| !used.contains(it.program));
            for number in returns.filter_map(|returned| returned.call.native) {
                self.returning.set(u32::from(number), 0, 0)?;
            }
            for call in serving.hook.calls() {
                self.routes.take_away(call, serving.kind)?;
            }
        }
        let handles_calls = self.serving.iter().any(|it| !it.hook.calls().is_empty());
        let unused: Vec<_> =
            self.links.keys().copied().filter(|name| !used.contains(name)).collect();
        for name in unused {
            if name != maps::CALL_DISPATCHER.0 || !handles_calls {
                // The kernel keeps a program as long as it is attached.
                self.links.remove(name);
                self.tried.remove(name);
            }
        }
        Ok(())
    }
}

/// The calls of a hook, and who handles them.
fn handled(hook: &'static Hook) -> Vec<(&'static str, CallShape, &'static [Call])> {
    match *hook {
        Hook::Calls { program, shape, calls } => vec![(program, shape, calls)],
        Hook::Together { hooks } => hooks.iter().flat_map(handled).collect(),
        _ => vec![],
    }
}

/// All probes, with their places.
pub fn all_probes() -> impl Iterator<Item = (usize, &'static Probe)> {
    PROBES.iter().copied().flatten().enumerate()
}

fn unwanted(probe: &Probe) -> ProbeCoverage {
    let reason = "no rule and no configuration asks for it".to_owned();
    coverage(probe, "none".to_owned(), ProbeState::Off, Some(reason))
}

pub fn coverage(
    probe: &Probe,
    hook: String,
    state: ProbeState,
    reason: Option<String>,
) -> ProbeCoverage {
    ProbeCoverage { probe: probe.kind.name().to_owned(), hook, state, reason }
}

/// Programs for security hooks load and attach on any kernel that was built for them, and never run unless
/// `bpf` is among the modules of the boot. Where that can't be read we do without them.
fn bpf_is_security_module() -> bool {
    fs::read_to_string("/sys/kernel/security/lsm")
        .is_ok_and(|modules| modules.trim().split(',').any(|module| module == "bpf"))
}

/// Programs for functions of the kernel, which security hooks are too, attach even while this is switched off, and never run. Kernels
/// that have no such switch place programs without its help.
fn functions_are_closed() -> bool {
    fs::read_to_string("/proc/sys/kernel/ftrace_enabled").is_ok_and(|enabled| enabled.trim() == "0")
}
