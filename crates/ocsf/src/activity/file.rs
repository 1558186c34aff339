use super::with_outcome;
use crate::class::{Activity, FILE_ACTIVITY, OTHER};
use crate::file;
use crate::object::Object;
use crate::scene::Scene;
use event_model::{FileAct, FileEvent, PathSource};
use serde_json::Value;

pub fn of_file(scene: &Scene<'_>, act: &FileEvent) -> Value {
    let event = scene
        .begin(FILE_ACTIVITY, activity(act))
        .with("actor", scene.actor())
        .with("file", file::of_event(act).unwrap_or_else(file::unknown))
        .with_some("file_result", result(act));
    let unmapped = Object::new()
        .with("act", act.act.name())
        .with_some("flags", (act.flags > 0).then(|| act.flag_symbols()))
        .with_some("mode", (act.mode > 0).then(|| format!("{:o}", act.mode)))
        .with_some("owner", act.owner)
        .with_some("group", act.group)
        .with_some("host_path", act.host_path.clone())
        .with_some("other_path", act.other_path.clone())
        .with_some("name", act.name.clone())
        .with_some("path_of_caller", (act.path_source == PathSource::Caller).then_some(true));
    scene.finish(with_outcome(event, act.error.map(u64::from)), unmapped)
}

const fn activity(act: &FileEvent) -> Activity<'static> {
    match act.act {
        FileAct::Open if act.created => (1, "Create"),
        FileAct::Open => (14, "Open"),
        FileAct::Link | FileAct::Symlink | FileAct::Mkdir | FileAct::Mknod => (1, "Create"),
        FileAct::Truncate => (3, "Update"),
        FileAct::Unlink | FileAct::Rmdir => (4, "Delete"),
        FileAct::Rename => (5, "Rename"),
        FileAct::Utimes | FileAct::Setxattr | FileAct::Chattr => (6, "Set Attributes"),
        FileAct::Chmod | FileAct::Chown => (7, "Set Security"),
        FileAct::Mount => (12, "Mount"),
        FileAct::Umount => (13, "Unmount"),
        FileAct::MoveMount => (OTHER, "Move Mount"),
    }
}

/// What the file became. Elsewhere the other path is the text of a link, or what is mounted.
fn result(act: &FileEvent) -> Option<Object> {
    let is_name = matches!(act.act, FileAct::Rename | FileAct::Link | FileAct::MoveMount);
    let path = act.other_path.as_deref().filter(|_| is_name)?;
    file::of_path(path, (0, "Unknown"))
}
