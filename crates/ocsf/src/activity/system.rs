use super::with_outcome;
use crate::class::{Activity, Class, KERNEL_ACTIVITY, KERNEL_EXTENSION, MEMORY_ACTIVITY};
use crate::class::{OTHER, PROCESS_ACTIVITY};
use crate::file;
use crate::object::Object;
use crate::scene::Scene;
use event_model::{SystemAct, SystemEvent};
use serde_json::{Map, Value};

/// Where the name of a module stands among the arguments.
const MODULE_NAMES: [&str; 2] = ["name", "module"];

pub fn of_system(scene: &Scene<'_>, act: &SystemEvent) -> Value {
    let (class, activity) = place(act.act);
    let event = match class {
        KERNEL_ACTIVITY => call(scene, act.act.name()),
        KERNEL_EXTENSION => scene.begin(class, activity).with("driver", driver(act)),
        _ => scene.begin(class, activity).with("process", scene.target(act.target)),
    };
    let arguments = act.arguments.iter();
    let arguments: Map<String, Value> =
        arguments.map(|argument| (argument.name.clone(), argument.value.as_str().into())).collect();
    let target = act.target.map(|target| scene.child(target.key));
    let unmapped = Object::new()
        .with("act", act.act.name())
        .with("arguments", arguments)
        .with_some("target_process", target.filter(|_| class == KERNEL_ACTIVITY))
        .with_some("result", act.result);
    let error = act.result.map(|result| if result < 0 { result.unsigned_abs() } else { 0 });
    scene.finish(with_outcome(event.with("actor", scene.actor()), error), unmapped)
}

/// A system call for which the schema has no class of its own.
pub fn call(scene: &Scene<'_>, name: &str) -> Object {
    let kernel = Object::new()
        .with("name", name)
        .with("system_call", name)
        .with_choice("type", (2, "System Call"));
    scene.begin(KERNEL_ACTIVITY, INVOKE).with("kernel", kernel)
}

const INVOKE: Activity<'static> = (4, "Invoke");

const fn place(act: SystemAct) -> (Class, Activity<'static>) {
    match act {
        SystemAct::Setuid => (PROCESS_ACTIVITY, (5, "Set User ID")),
        SystemAct::Ptrace | SystemAct::PidfdGetfd => (PROCESS_ACTIVITY, (3, "Open")),
        SystemAct::Kill => (PROCESS_ACTIVITY, (OTHER, "Signal")),
        SystemAct::MemfdCreate => (MEMORY_ACTIVITY, (1, "Allocate Page")),
        SystemAct::Mprotect => (MEMORY_ACTIVITY, (2, "Modify Page")),
        SystemAct::ProcessVmReadv => (MEMORY_ACTIVITY, (7, "Read")),
        SystemAct::ProcessVmWritev => (MEMORY_ACTIVITY, (8, "Write")),
        SystemAct::Mmap => (MEMORY_ACTIVITY, (9, "Map View")),
        SystemAct::ModuleLoad => (KERNEL_EXTENSION, (1, "Load")),
        SystemAct::ModuleUnload => (KERNEL_EXTENSION, (2, "Unload")),
        SystemAct::Setgid
        | SystemAct::Capset
        | SystemAct::Setns
        | SystemAct::Unshare
        | SystemAct::Chroot
        | SystemAct::PivotRoot
        | SystemAct::Prctl
        | SystemAct::Setsid
        | SystemAct::Dup
        | SystemAct::Bpf
        | SystemAct::KexecLoad
        | SystemAct::Userfaultfd
        | SystemAct::IoUringSetup
        | SystemAct::IoUring
        | SystemAct::Keyctl
        | SystemAct::PerfEventOpen => (KERNEL_ACTIVITY, INVOKE),
    }
}

/// The schema knows a driver by its file; of a module the kernel tells the name.
fn driver(act: &SystemEvent) -> Object {
    let name = MODULE_NAMES.iter().find_map(|name| act.argument(name));
    let name = name.filter(|name| !name.is_empty()).unwrap_or("unknown");
    let module = file::of_path(name, (0, "Unknown")).unwrap_or_else(file::unknown);
    Object::new().with("file", module)
}
