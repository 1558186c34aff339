use crate::object::{Choice, Object};
use event_model::{Executable, FileEvent};

/// The bits of a mode that tell the kind of file.
const KIND_OF_FILE: u32 = 0o170_000;

/// A file that was acted on.
pub fn of_event(event: &FileEvent) -> Option<Object> {
    let file = of_path(&event.path, kind(event.mode))?;
    let uid = (event.inode > 0).then(|| format!("{}:{}", event.device, event.inode));
    Some(file.with_some("uid", uid))
}

/// A program.
pub fn of_executable(executable: &Executable) -> Option<Object> {
    let file = of_path(&executable.path, (8, "Executable File"))?;
    Some(
        file.with_time("modified_time", executable.modified_at)
            .with("is_deleted", executable.unlinked)
            .with_some(
                "uid",
                (executable.inode > 0)
                    .then(|| format!("{}:{}", executable.device, executable.inode)),
            ),
    )
}

/// A file of which no more than its path is known. None of an empty one.
pub fn of_path(path: &str, kind: Choice) -> Option<Object> {
    if path.is_empty() {
        return None;
    }
    let (folder, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path));
    let name = if name.is_empty() { path } else { name };
    let file = Object::new().with("name", name).with("path", path).with("parent_folder", folder);
    Some(file.with_choice("type", kind))
}

fn kind(mode: u32) -> Choice {
    match mode & KIND_OF_FILE {
        0o100_000 => (1, "Regular File"),
        0o040_000 => (2, "Folder"),
        0o020_000 => (3, "Character Device"),
        0o060_000 => (4, "Block Device"),
        0o140_000 => (5, "Local Socket"),
        0o010_000 => (6, "Named Pipe"),
        0o120_000 => (7, "Symbolic Link"),
        _ => (0, "Unknown"),
    }
}

/// One that was acted on, of which nothing is known.
pub fn unknown() -> Object {
    Object::new().with("name", "unknown").with_choice("type", (0, "Unknown"))
}
