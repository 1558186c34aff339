//! `struct file_record`.

use super::act::Head;
use super::{path, text};
use crate::DecodeError;
use crate::fields::Fields;
use event_model::{FileAct, FileEvent, PathSource};

/// `enum file_flags` of `bpf/file.h`.
const CREATED: u16 = 1 << 4;
const DETACHED: u16 = 1 << 5;
const TRUNCATED: u16 = 1 << 6;
const OTHER_TRUNCATED: u16 = 1 << 7;
const HAS_OWNER: u16 = 1 << 8;
const HAS_GROUP: u16 = 1 << 9;

pub fn read(
    head: &Head<'_>,
    act: FileAct,
    fields: &mut Fields<'_>,
) -> Result<FileEvent, DecodeError> {
    let (flags, inode, device, mode) = (fields.u64()?, fields.u64()?, fields.u32()?, fields.u32()?);
    let (owner, group) = (fields.u32()?, fields.u32()?);
    let parts = Parts::read(fields)?;
    let kernels = path(parts.path, "path", head.has(TRUNCATED), head.has(DETACHED))?;
    Ok(FileEvent {
        act,
        path: parts.join(kernels, parts.text)?,
        path_source: if parts.text.is_empty() { PathSource::Kernel } else { PathSource::Caller },
        host_path: None,
        other_path: parts.other_path(head.has(OTHER_TRUNCATED))?,
        flags,
        created: head.has(CREATED),
        mode,
        owner: head.has(HAS_OWNER).then_some(owner),
        group: head.has(HAS_GROUP).then_some(group),
        inode,
        device,
        name: optional(parts.name, "name")?,
        error: head.error(),
    })
}

/// The variable parts.
struct Parts<'record> {
    path: &'record [u8],
    text: &'record [u8],
    other: &'record [u8],
    other_text: &'record [u8],
    name: &'record [u8],
}

impl<'record> Parts<'record> {
    fn read(fields: &mut Fields<'record>) -> Result<Self, DecodeError> {
        let mut lengths = [0; 5];
        for length in &mut lengths {
            *length = usize::from(fields.u16()?);
        }
        fields.take(6)?;
        Ok(Self {
            path: fields.take(lengths[0])?,
            text: fields.take(lengths[1])?,
            other: fields.take(lengths[2])?,
            other_text: fields.take(lengths[3])?,
            name: fields.take(lengths[4])?,
        })
    }

    /// The caller's path, which is relative to a directory that the kernel told; the kernel's own where there is none.
    fn join(&self, kernels: String, callers: &[u8]) -> Result<String, DecodeError> {
        if callers.is_empty() {
            return Ok(kernels);
        }
        let callers = text(callers, "caller's path")?;
        Ok(absolute(&kernels, &callers))
    }

    fn other_path(&self, truncated: bool) -> Result<Option<String>, DecodeError> {
        if self.other.is_empty() && self.other_text.is_empty() {
            return Ok(None);
        }
        let kernels = path(self.other, "other path", truncated, false)?;
        self.join(kernels, self.other_text).map(Some)
    }
}

fn optional(bytes: &[u8], part: &'static str) -> Result<Option<String>, DecodeError> {
    if bytes.is_empty() { Ok(None) } else { text(bytes, part).map(Some) }
}

/// `path` below `directory`, without `.`, `..` and doubled slashes. Links are not followed: only the kernel could.
fn absolute(directory: &str, path: &str) -> String {
    let mut components: Vec<&str> = Vec::new();
    let start = if path.starts_with('/') { "" } else { directory };
    for component in start.split('/').chain(path.split('/')) {
        match component {
            "" | "." => {}
            ".." => drop(components.pop()),
            name => components.push(name),
        }
    }
    let joined = components.join("/");
    if joined.starts_with("...") && start.starts_with("...") {
        joined
    } else {
        format!("/{joined}")
    }
}

#[cfg(test)]
mod tests {
    use super::absolute;

    #[test]
    fn a_callers_path_becomes_absolute() {
        assert_eq!(absolute("/srv/www", "../data//./file"), "/srv/data/file");
        assert_eq!(absolute("/srv", "/etc/passwd"), "/etc/passwd");
        assert_eq!(absolute("/", "../../x"), "/x");
        assert_eq!(absolute(".../deep", "file"), ".../deep/file");
    }
}
