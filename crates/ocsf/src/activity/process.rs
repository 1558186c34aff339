use super::with_outcome;
use crate::class::PROCESS_ACTIVITY;
use crate::object::Object;
use crate::scene::Scene;
use event_model::{ExitStatus, ProcessKey};
use serde_json::Value;

const LAUNCH: (u32, &str) = (1, "Launch");
const TERMINATE: (u32, &str) = (2, "Terminate");

pub fn of_exec(scene: &Scene<'_>) -> Value {
    let event = scene
        .begin(PROCESS_ACTIVITY, LAUNCH)
        .with_choice("launch_type", (3, "Exec"))
        .with("actor", scene.launcher())
        .with("process", scene.process());
    scene.finish(with_outcome(event, Some(0)), Object::new())
}

pub fn of_fork(scene: &Scene<'_>, child: ProcessKey) -> Value {
    let event = scene
        .begin(PROCESS_ACTIVITY, LAUNCH)
        .with_choice("launch_type", (2, "Fork"))
        .with("actor", scene.actor())
        .with("process", scene.child(child).with("parent_process", scene.process()));
    scene.finish(with_outcome(event, Some(0)), Object::new())
}

pub fn of_exit(scene: &Scene<'_>, status: ExitStatus) -> Value {
    let event = scene
        .begin(PROCESS_ACTIVITY, TERMINATE)
        .with("exit_code", status.code)
        .with("actor", scene.actor())
        .with("process", scene.process());
    let unmapped = Object::new()
        .with_some("signal", (status.signal > 0).then_some(status.signal))
        .with_some("core_dumped", status.core_dumped.then_some(true));
    scene.finish(event, unmapped)
}
