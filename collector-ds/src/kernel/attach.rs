//! Attaches programs, whichever hook they are for.

use super::process_list::ProcessList;
use super::refusal::explain;
use super::shared_maps::SharedMaps;
use super::snapshot::unified_root;
use super::{OwnObjects, SensorError};
use aya::maps::{Array, MapData, MapError, ProgramArray};
use aya::programs::cgroup_skb::CgroupSkbLink;
use aya::programs::fentry::FEntryLink;
use aya::programs::fexit::FExitLink;
use aya::programs::lsm::LsmLink;
use aya::programs::tp_btf::BtfTracePointLink;
use aya::programs::{
    BtfTracePoint, CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, FEntry, FExit, Iter, Lsm,
    Program, ProgramError,
};
use aya::{Btf, Ebpf, Pod};
use ebpf_probes::{Call, CallReturn, CallShape, Hook, PROBES, Probe, RecordKind, maps};
use event_model::{ProbeCoverage, ProbeState};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// `NATIVE_CALLS` of `bpf/call.h`: numbers of 32-bit calls begin here.
const COMPAT_CALLS: u32 = 512;

/// Keeps a program attached until it is dropped.
#[allow(dead_code)] // Held, never read.
pub enum Link {
    Tracepoint(BtfTracePointLink),
    Lsm(LsmLink),
    Function(FEntryLink),
    Return(FExitLink),
    Packets(CgroupSkbLink),
}

/// `struct call_route` of `bpf/call.h`.
#[repr(C)]
#[derive(Clone, Copy)]
struct CallRoute {
    handler: u16,
    kind: u16,
    shape: u16,
    either: u16,
}

// SAFETY: four integers without padding: any bytes are a value.
unsafe impl Pod for CallRoute {}

/// Why a hook does not serve, in the states of coverage.
type Refusal = (ProbeState, String);

/// The programs that are attached, with their maps. Dropping it detaches them.
pub struct Attached {
    pub maps: SharedMaps,
    /// By their programs.
    links: BTreeMap<&'static str, Link>,
    routes: Array<MapData, CallRoute>,
    /// The kernel empties it when it is closed.
    handlers: ProgramArray<MapData>,
    returning: Array<MapData, u32>,
    /// What became of the programs that were tried: probes may share one.
    tried: BTreeMap<&'static str, Result<(), Refusal>>,
    /// The places of programs in `handlers`, or why they have none. Several kinds may share one.
    placed: BTreeMap<&'static str, Result<u16, Refusal>>,
    /// The ids of those programs.
    handler_ids: Vec<u32>,
    /// Which hook serves which probe.
    serving: Vec<Serving>,
    /// Of the probes that were tried, by their places among all.
    coverage: BTreeMap<usize, ProbeCoverage>,
    bpf_is_security_module: bool,
    end_of_calls: bool,
    functions_are_closed: bool,
}

/// A probe that works.
struct Serving {
    kind: RecordKind,
    hook: &'static Hook,
    /// What tells the outcome of its acts.
    returns: Vec<&'static CallReturn>,
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
        let routes = maps.take(maps::CALL_ROUTES)?;
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
        let used: BTreeSet<_> = self.serving.iter().flat_map(Serving::programs).collect();
        for serving in &given_up {
            let returns = serving.returns.iter().filter(|it| !used.contains(it.program));
            for number in returns.filter_map(|returned| returned.call.native) {
                self.returning.set(u32::from(number), 0, 0)?;
            }
            for call in serving.hook.calls() {
                self.unroute(call, serving.kind)?;
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

    /// Nobody handles a call any more, where that kind did.
    fn unroute(&mut self, call: Call, kind: RecordKind) -> Result<(), MapError> {
        let none = CallRoute { handler: 0, kind: 0, shape: 0, either: 0 };
        for number in call.native.map(u32::from).into_iter().chain(compat_place(call)) {
            let route = self.routes.get(&number, 0)?;
            if route.kind == kind.number() {
                self.routes.set(number, CallRoute { either: route.either, ..none }, 0)?;
            }
        }
        for number in [call.native, call.compat].into_iter().flatten().map(u32::from) {
            let (native, compat) =
                (self.routes.get(&number, 0)?, self.routes.get(&(COMPAT_CALLS + number), 0)?);
            let either = u16::from(native.handler != 0 || compat.handler != 0);
            self.routes.set(number, CallRoute { either, ..native }, 0)?;
        }
        Ok(())
    }
}

fn compat_place(call: Call) -> Option<u32> {
    call.compat.map(|number| COMPAT_CALLS + u32::from(number))
}

/// All probes, with their places.
fn all_probes() -> impl Iterator<Item = (usize, &'static Probe)> {
    PROBES.iter().copied().flatten().enumerate()
}

/// Attaches programs one by one.
pub struct Attacher<'a> {
    attached: &'a mut Attached,
    /// The programs that are not attached yet. Those that are outlast it.
    object: Ebpf,
    /// The kernel's types.
    btf: &'a Btf,
}

impl<'a> Attacher<'a> {
    /// Of programs that use the maps of those that are attached.
    pub const fn new(attached: &'a mut Attached, object: Ebpf, btf: &'a Btf) -> Self {
        Self { attached, object, btf }
    }

    /// The programs, to go on with later.
    pub fn into_object(self) -> Ebpf {
        self.object
    }

    /// For each loaded program how many instructions the verifier went through, where the kernel tells (since 5.16).
    pub fn verified(&self) -> Vec<(String, u32)> {
        let mut verified: Vec<_> = self
            .object
            .programs()
            .filter_map(|(name, program)| {
                let count = program.info().ok()?.verified_instruction_count()?;
                Some((name.to_owned(), count))
            })
            .collect();
        verified.sort();
        verified
    }

    /// Tries a probe, by its place among all, and notes what became of it.
    pub fn attach_probe(&mut self, place: usize) {
        if let Some((_, probe)) = all_probes().nth(place) {
            let told = self.probe(probe);
            self.attached.coverage.insert(place, told);
        }
    }

    /// Attaches the program of the first hook that the kernel offers. What is told of a probe that none serves is the
    /// refusal of the last hook, which asks least of a kernel.
    fn probe(&mut self, probe: &'static Probe) -> ProbeCoverage {
        let mut refused = None;
        for hook in probe.hooks {
            match self.hook(probe, hook) {
                Ok(()) => {
                    let returns = self.returns(probe, hook);
                    let words = hook.to_string() + &in_words(&returns);
                    self.attached.serving.push(Serving { kind: probe.kind, hook, returns });
                    return coverage(probe, words, ProbeState::Active, None);
                }
                Err(refusal) => {
                    tracing::debug!(probe = probe.kind.name(), %hook, reason = refusal.1, "a hook does not serve");
                    refused = Some((hook, refusal));
                }
            }
        }
        match refused {
            Some((hook, (state, reason))) => coverage(probe, hook.to_string(), state, Some(reason)),
            None => coverage(probe, "none".to_owned(), ProbeState::Unsupported, None),
        }
    }

    /// Attaches the returns of the calls that do what the hook tells of before it is done. Returns those that could be: where one is
    /// refused, acts of its call are told all the same, without an outcome.
    fn returns(&mut self, probe: &Probe, hook: &Hook) -> Vec<&'static CallReturn> {
        if !hook.speaks_before() {
            return vec![];
        }
        let mut attached = vec![];
        for returned in probe.returns() {
            let CallReturn { program, function, call } = returned;
            let Some(number) = call.native else { continue };
            let end = Hook::Return { program, function };
            let tried = self.hook(probe, &end).and_then(|()| {
                self.attached.returning.set(u32::from(number), 1, 0).map_err(failed)
            });
            match tried {
                Ok(()) => attached.push(returned),
                Err((_, reason)) => {
                    tracing::debug!(probe = probe.kind.name(), hook = %end, reason, "a call's outcome is not told");
                }
            }
        }
        attached
    }

    /// Loads the program that lists processes. It runs when a list is read, and at no other time.
    pub fn process_list(&mut self) -> Result<ProcessList, Refusal> {
        let (name, iterator) = maps::PROCESS_LIST;
        let btf = self.btf;
        let load = |program: &mut Program| -> Result<ProcessList, ProgramError> {
            let list: &mut Iter = (&mut *program).try_into()?;
            list.load(iterator, btf)?;
            ProcessList::of(program)
        };
        self.program(name).and_then(load).map_err(|error| explain(&error))
    }

    /// Looks at system calls from now on, where a probe needs it. A refusal is told of all that do.
    pub fn finish(&mut self) {
        let (program, tracepoint) = maps::CALL_DISPATCHER;
        let is_needed = self.attached.serving.iter().any(|it| !it.hook.calls().is_empty());
        if !is_needed || self.attached.links.contains_key(program) {
            return;
        }
        if let Err(error) = self.tracepoint(program, tracepoint) {
            let (state, reason) = explain(&error);
            let told = self.attached.coverage.values_mut();
            for probe in told.filter(|probe| probe.hook.contains("sys_exit/")) {
                (probe.state, probe.reason) = (state, Some(reason.clone()));
            }
        }
    }

    fn hook(&mut self, probe: &Probe, hook: &Hook) -> Result<(), Refusal> {
        let program = match *hook {
            Hook::Calls { .. } if !self.attached.end_of_calls => {
                let reason = "kernel.end_of_calls is false, and the kernel has no better hook";
                return Err((ProbeState::Off, reason.to_owned()));
            }
            Hook::Calls { program, shape, calls } => {
                return self.calls(probe, program, shape, calls);
            }
            Hook::Together { hooks } => return self.together(probe, hooks),
            Hook::Tracepoint { program, .. }
            | Hook::Lsm { program, .. }
            | Hook::Function { program, .. }
            | Hook::Return { program, .. }
            | Hook::Packets { program, .. } => program,
        };
        if let Some(tried) = self.attached.tried.get(program) {
            return tried.clone();
        }
        let tried = self.attach(hook);
        self.attached.tried.insert(program, tried.clone());
        tried
    }

    /// All of them or none: what was attached before a refusal stays, and does no harm.
    fn together(&mut self, probe: &Probe, hooks: &[Hook]) -> Result<(), Refusal> {
        hooks.iter().try_for_each(|hook| self.hook(probe, hook))
    }

    fn attach(&mut self, hook: &Hook) -> Result<(), Refusal> {
        let attached = match *hook {
            Hook::Lsm { .. } | Hook::Function { .. } | Hook::Return { .. }
                if self.attached.functions_are_closed =>
            {
                let reason = "kernel.ftrace_enabled is 0: no program in a function of the kernel runs. With 1, and the sensor started anew, it serves";
                return Err((ProbeState::Unsupported, reason.to_owned()));
            }
            Hook::Tracepoint { program, tracepoint } => self.tracepoint(program, tracepoint),
            Hook::Lsm { .. } if !self.attached.bpf_is_security_module => {
                let reason = "bpf is not among the kernel's active security modules";
                return Err((ProbeState::Unsupported, reason.to_owned()));
            }
            Hook::Lsm { program, hook } => self.lsm(program, hook),
            Hook::Function { program, function } => self.function(program, function),
            Hook::Return { program, function } => self.function_end(program, function),
            Hook::Packets { program, egress } => {
                let cgroup = root_cgroup()?;
                self.packets(program, egress, &cgroup)
            }
            Hook::Calls { .. } | Hook::Together { .. } => return Ok(()),
        };
        attached.map_err(|error| explain(&error))
    }

    fn program(&mut self, name: &str) -> Result<&mut Program, ProgramError> {
        self.object.program_mut(name).ok_or(ProgramError::UnexpectedProgramType)
    }

    fn tracepoint(&mut self, name: &'static str, tracepoint: &str) -> Result<(), ProgramError> {
        let btf = self.btf;
        let program: &mut BtfTracePoint = self.program(name)?.try_into()?;
        program.load(tracepoint, btf)?;
        let link = program.attach()?;
        let link = program.take_link(link)?;
        self.attached.links.insert(name, Link::Tracepoint(link));
        Ok(())
    }

    fn lsm(&mut self, name: &'static str, hook: &str) -> Result<(), ProgramError> {
        let btf = self.btf;
        let program: &mut Lsm = self.program(name)?.try_into()?;
        program.load(hook, btf)?;
        let link = program.attach()?;
        let link = program.take_link(link)?;
        self.attached.links.insert(name, Link::Lsm(link));
        Ok(())
    }

    fn function(&mut self, name: &'static str, function: &str) -> Result<(), ProgramError> {
        let btf = self.btf;
        let program: &mut FEntry = self.program(name)?.try_into()?;
        program.load(function, btf)?;
        let link = program.attach()?;
        let link = program.take_link(link)?;
        self.attached.links.insert(name, Link::Function(link));
        Ok(())
    }

    fn function_end(&mut self, name: &'static str, function: &str) -> Result<(), ProgramError> {
        let btf = self.btf;
        let program: &mut FExit = self.program(name)?.try_into()?;
        program.load(function, btf)?;
        let link = program.attach()?;
        let link = program.take_link(link)?;
        self.attached.links.insert(name, Link::Return(link));
        Ok(())
    }

    fn packets(
        &mut self,
        name: &'static str,
        egress: bool,
        cgroup: &File,
    ) -> Result<(), ProgramError> {
        let direction =
            if egress { CgroupSkbAttachType::Egress } else { CgroupSkbAttachType::Ingress };
        let program: &mut CgroupSkb = self.program(name)?.try_into()?;
        program.load()?;
        // By a link, which leaves room for others' programs: the kernel takes no mode with it.
        let link = program.attach(cgroup, direction, CgroupAttachMode::Single)?;
        let link = program.take_link(link)?;
        self.attached.links.insert(name, Link::Packets(link));
        Ok(())
    }

    fn calls(
        &mut self,
        probe: &Probe,
        name: &'static str,
        shape: CallShape,
        calls: &[Call],
    ) -> Result<(), Refusal> {
        let handler = if let Some(placed) = self.attached.placed.get(name) {
            placed.clone()?
        } else {
            let placed = self.place(name);
            self.attached.placed.insert(name, placed.clone());
            placed?
        };
        let route =
            CallRoute { handler, kind: probe.kind.number(), shape: shape as u16, either: 0 };
        calls.iter().try_for_each(|call| self.route(call, route)).map_err(failed)
    }

    /// The native call of a number tells whether anybody handles it or its 32-bit twin: few calls need more than that look.
    fn route(&mut self, call: &Call, route: CallRoute) -> Result<(), MapError> {
        if let Some(number) = call.native {
            self.attached.routes.set(u32::from(number), CallRoute { either: 1, ..route }, 0)?;
        }
        if let Some(number) = call.compat.map(u32::from) {
            self.attached.routes.set(COMPAT_CALLS + number, route, 0)?;
            let native = self.attached.routes.get(&number, 0)?;
            self.attached.routes.set(number, CallRoute { either: 1, ..native }, 0)?;
        }
        Ok(())
    }

    /// Loads a handler of system calls and puts it into the table that the dispatcher calls. Place 0 stands for nobody.
    fn place(&mut self, name: &str) -> Result<u16, Refusal> {
        let place = u16::try_from(self.attached.placed.len() + 1).unwrap_or(u16::MAX);
        let btf = self.btf;
        let load = |program: &mut Program| -> Result<(), ProgramError> {
            let program: &mut BtfTracePoint = program.try_into()?;
            program.load(maps::CALL_DISPATCHER.1, btf)
        };
        let Some(program) = self.object.program_mut(name) else {
            return Err(failed(format!("the object has no program {name}")));
        };
        load(program).map_err(|error| explain(&error))?;
        let descriptor = program.fd().map_err(failed)?;
        self.attached.handlers.set(u32::from(place), descriptor, 0).map_err(failed)?;
        self.attached.handler_ids.extend(program.info().map(|info| info.id()).ok());
        Ok(place)
    }
}

/// Appended to a hook's name: the calls whose outcome is told.
fn in_words(returns: &[&CallReturn]) -> String {
    let names: Vec<_> = returns.iter().map(|returned| returned.call.name).collect();
    if names.is_empty() { String::new() } else { format!(" return/{}", names.join("+")) }
}

fn unwanted(probe: &Probe) -> ProbeCoverage {
    let reason = "no rule and no configuration asks for it".to_owned();
    coverage(probe, "none".to_owned(), ProbeState::Off, Some(reason))
}

/// The root of every hierarchy of cgroups has this inode (`kernfs_create_root`), and no other cgroup has it.
const ROOT_INODE: u64 = 1;

/// The directory of the root of cgroup v2: what is attached there concerns all sockets.
fn root_cgroup() -> Result<File, Refusal> {
    match unified_root(Path::new("/proc")) {
        Some(directory) => open_root(&directory),
        None => Err(unsupported("cgroup v2 is not mounted where it can be seen".to_owned())),
    }
}

/// The root of a cgroup namespace is a cgroup like others: a program there would see the packets of few processes.
fn open_root(directory: &Path) -> Result<File, Refusal> {
    let path = directory.display();
    let unreadable =
        |error| unsupported(format!("the root of cgroup v2, {path}, can't be opened: {error}"));
    let root = File::open(directory).map_err(unreadable)?;
    match root.metadata().map_err(unreadable)?.ino() {
        ROOT_INODE => Ok(root),
        _ => Err(unsupported(format!(
            "{path} is the root of a cgroup namespace and not the node's: run the sensor where /proc/1 is the node's (hostPID)"
        ))),
    }
}

const fn unsupported(reason: String) -> Refusal {
    (ProbeState::Unsupported, reason)
}

#[allow(clippy::needless_pass_by_value)] // As map_err calls it.
fn failed(reason: impl ToString) -> Refusal {
    (ProbeState::Failed, reason.to_string())
}

fn coverage(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_the_root_of_its_hierarchy_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().expect("a directory");
        let (state, reason) = open_root(folder.path()).map(drop).expect_err("no root");
        assert_eq!(state, ProbeState::Unsupported);
        assert!(reason.contains("is the root of a cgroup namespace"), "{reason}");
        let (state, reason) =
            open_root(&folder.path().join("missing")).map(drop).expect_err("no directory");
        assert_eq!(state, ProbeState::Unsupported);
        assert!(reason.contains("can't be opened"), "{reason}");
    }

    #[test]
    fn the_root_of_a_hierarchy_is_taken() {
        // kernfs numbers the root of sysfs as it does that of a hierarchy of cgroups.
        assert!(open_root(Path::new("/sys")).is_ok());
    }
}
