//! Attaches programs, whichever hook they are for.

use super::SensorError;
use super::process_list::ProcessList;
use super::refusal::explain;
use super::snapshot::unified_root;
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
use ebpf_probes::{Call, CallReturn, CallShape, Hook, Probe, maps};
use event_model::{ProbeCoverage, ProbeState};
use std::collections::BTreeMap;
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

/// Attaches programs one by one.
pub struct Attacher<'kernel> {
    object: Ebpf,
    btf: &'kernel Btf,
    links: Vec<Link>,
    routes: Array<MapData, CallRoute>,
    handlers: ProgramArray<MapData>,
    returning: Array<MapData, u32>,
    /// What became of the programs that were tried: probes may share one.
    tried: BTreeMap<&'static str, Result<(), Refusal>>,
    /// The places of programs in `handlers`, or why they have none. Several kinds may share one.
    placed: BTreeMap<&'static str, Result<u16, Refusal>>,
    bpf_is_security_module: bool,
    end_of_calls: bool,
    functions_are_closed: bool,
}

/// What stays attached.
pub struct Attached {
    pub object: Ebpf,
    pub links: Vec<Link>,
    /// The kernel empties it when it is closed.
    pub handlers: ProgramArray<MapData>,
    /// For each loaded program how many instructions the verifier went through, where the kernel tells (since 5.16).
    pub verified: Vec<(String, u32)>,
}

impl<'kernel> Attacher<'kernel> {
    pub fn new(
        mut object: Ebpf,
        btf: &'kernel Btf,
        end_of_calls: bool,
    ) -> Result<Self, SensorError> {
        let routes = super::loader::take(&mut object, maps::CALL_ROUTES)?;
        let handlers = super::loader::take(&mut object, maps::CALL_HANDLERS)?;
        let returning = super::loader::take(&mut object, maps::RETURNING_CALLS)?;
        Ok(Self {
            object,
            btf,
            links: vec![],
            routes,
            handlers,
            returning,
            tried: BTreeMap::new(),
            placed: BTreeMap::new(),
            bpf_is_security_module: bpf_is_security_module(),
            end_of_calls,
            functions_are_closed: functions_are_closed(),
        })
    }

    /// Attaches the program of the first hook that the kernel offers. What is told of a probe that none serves is the
    /// refusal of the last hook, which asks least of a kernel.
    pub fn probe(&mut self, probe: &Probe) -> ProbeCoverage {
        let mut refused = None;
        for hook in probe.hooks {
            match self.hook(probe, hook) {
                Ok(()) => {
                    let hook = hook.to_string() + &self.returns(probe, hook);
                    return coverage(probe, hook, ProbeState::Active, None);
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

    /// Attaches the returns of the calls that do what the hook tells of before it is done. Returns which, to be appended to the hook.
    /// Where one is refused, acts of its call are told all the same, without an outcome.
    fn returns(&mut self, probe: &Probe, hook: &Hook) -> String {
        if !hook.speaks_before() {
            return String::new();
        }
        let mut names = vec![];
        for CallReturn { program, function, call } in probe.returns() {
            let Some(number) = call.native else { continue };
            let returned = Hook::Return { program, function };
            let attached = self
                .hook(probe, &returned)
                .and_then(|()| self.returning.set(u32::from(number), 1, 0).map_err(failed));
            match attached {
                Ok(()) => names.push(call.name),
                Err((_, reason)) => {
                    tracing::debug!(probe = probe.kind.name(), hook = %returned, reason, "a call's outcome is not told");
                }
            }
        }
        if names.is_empty() { String::new() } else { format!(" return/{}", names.join("+")) }
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
    pub fn finish(mut self, told: &mut [ProbeCoverage]) -> Attached {
        if self.placed.values().any(Result::is_ok) {
            let (program, tracepoint) = maps::CALL_DISPATCHER;
            if let Err(error) = self.tracepoint(program, tracepoint) {
                let (state, reason) = explain(&error);
                for probe in told.iter_mut().filter(|probe| probe.hook.contains("sys_exit/")) {
                    (probe.state, probe.reason) = (state, Some(reason.clone()));
                }
            }
        }
        let verified = verified(&self.object);
        Attached { object: self.object, links: self.links, handlers: self.handlers, verified }
    }

    fn hook(&mut self, probe: &Probe, hook: &Hook) -> Result<(), Refusal> {
        let program = match *hook {
            Hook::Calls { .. } if !self.end_of_calls => {
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
        if let Some(tried) = self.tried.get(program) {
            return tried.clone();
        }
        let tried = self.attach(hook);
        self.tried.insert(program, tried.clone());
        tried
    }

    /// All of them or none: what was attached before a refusal stays, and does no harm.
    fn together(&mut self, probe: &Probe, hooks: &[Hook]) -> Result<(), Refusal> {
        hooks.iter().try_for_each(|hook| self.hook(probe, hook))
    }

    fn attach(&mut self, hook: &Hook) -> Result<(), Refusal> {
        let attached = match *hook {
            Hook::Lsm { .. } | Hook::Function { .. } | Hook::Return { .. }
                if self.functions_are_closed =>
            {
                let reason = "kernel.ftrace_enabled is 0: no program in a function of the kernel runs. With 1, and the sensor started anew, it serves";
                return Err((ProbeState::Unsupported, reason.to_owned()));
            }
            Hook::Tracepoint { program, tracepoint } => self.tracepoint(program, tracepoint),
            Hook::Lsm { .. } if !self.bpf_is_security_module => {
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

    fn tracepoint(&mut self, name: &str, tracepoint: &str) -> Result<(), ProgramError> {
        let btf = self.btf;
        let program: &mut BtfTracePoint = self.program(name)?.try_into()?;
        program.load(tracepoint, btf)?;
        let link = program.attach()?;
        let link = program.take_link(link)?;
        self.links.push(Link::Tracepoint(link));
        Ok(())
    }

    fn lsm(&mut self, name: &str, hook: &str) -> Result<(), ProgramError> {
        let btf = self.btf;
        let program: &mut Lsm = self.program(name)?.try_into()?;
        program.load(hook, btf)?;
        let link = program.attach()?;
        let link = program.take_link(link)?;
        self.links.push(Link::Lsm(link));
        Ok(())
    }

    fn function(&mut self, name: &str, function: &str) -> Result<(), ProgramError> {
        let btf = self.btf;
        let program: &mut FEntry = self.program(name)?.try_into()?;
        program.load(function, btf)?;
        let link = program.attach()?;
        let link = program.take_link(link)?;
        self.links.push(Link::Function(link));
        Ok(())
    }

    fn function_end(&mut self, name: &str, function: &str) -> Result<(), ProgramError> {
        let btf = self.btf;
        let program: &mut FExit = self.program(name)?.try_into()?;
        program.load(function, btf)?;
        let link = program.attach()?;
        let link = program.take_link(link)?;
        self.links.push(Link::Return(link));
        Ok(())
    }

    fn packets(&mut self, name: &str, egress: bool, cgroup: &File) -> Result<(), ProgramError> {
        let direction =
            if egress { CgroupSkbAttachType::Egress } else { CgroupSkbAttachType::Ingress };
        let program: &mut CgroupSkb = self.program(name)?.try_into()?;
        program.load()?;
        // By a link, which leaves room for others' programs: the kernel takes no mode with it.
        let link = program.attach(cgroup, direction, CgroupAttachMode::Single)?;
        let link = program.take_link(link)?;
        self.links.push(Link::Packets(link));
        Ok(())
    }

    fn calls(
        &mut self,
        probe: &Probe,
        name: &'static str,
        shape: CallShape,
        calls: &[Call],
    ) -> Result<(), Refusal> {
        let handler = if let Some(placed) = self.placed.get(name) {
            placed.clone()?
        } else {
            let placed = self.place(name);
            self.placed.insert(name, placed.clone());
            placed?
        };
        let route =
            CallRoute { handler, kind: probe.kind.number(), shape: shape as u16, either: 0 };
        calls.iter().try_for_each(|call| self.route(call, route)).map_err(failed)
    }

    /// The native call of a number tells whether anybody handles it or its 32-bit twin: few calls need more than that look.
    fn route(&mut self, call: &Call, route: CallRoute) -> Result<(), MapError> {
        if let Some(number) = call.native {
            self.routes.set(u32::from(number), CallRoute { either: 1, ..route }, 0)?;
        }
        if let Some(number) = call.compat.map(u32::from) {
            self.routes.set(COMPAT_CALLS + number, route, 0)?;
            let native = self.routes.get(&number, 0)?;
            self.routes.set(number, CallRoute { either: 1, ..native }, 0)?;
        }
        Ok(())
    }

    /// Loads a handler of system calls and puts it into the table that the dispatcher calls. Place 0 stands for nobody.
    fn place(&mut self, name: &str) -> Result<u16, Refusal> {
        let place = u16::try_from(self.placed.len() + 1).unwrap_or(u16::MAX);
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
        self.handlers.set(u32::from(place), descriptor, 0).map_err(failed)?;
        Ok(place)
    }
}

fn verified(object: &Ebpf) -> Vec<(String, u32)> {
    let mut verified: Vec<_> = object
        .programs()
        .filter_map(|(name, program)| {
            let count = program.info().ok()?.verified_instruction_count()?;
            Some((name.to_owned(), count))
        })
        .collect();
    verified.sort();
    verified
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
