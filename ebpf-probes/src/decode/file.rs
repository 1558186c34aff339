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

/// The act, and the path of the file inside its file system, where that is known.
pub fn read(
    head: &Head<'_>,
    act: FileAct,
    fields: &mut Fields<'_>,
) -> Result<(FileEvent, Option<String>), DecodeError> {
    let (flags, inode, device, mode) = (fields.u64()?, fields.u64()?, fields.u32()?, fields.u32()?);
    let (owner, group) = (fields.u32()?, fields.u32()?);
    let parts = Parts::read(fields)?;
    let kernels = path(parts.path, "path", head.has(TRUNCATED), head.has(DETACHED))?;
    let place = if head.has(TRUNCATED) || head.has(DETACHED) { None } else { parts.place()? };
    let event = FileEvent {
        act,
        path: join(kernels, parts.text)?,
        path_source: if parts.text.is_empty() { PathSource::Kernel } else { PathSource::Caller },
        host_path: None,
        other_path: parts.other_path(act, head.has(OTHER_TRUNCATED))?,
        flags,
        created: head.has(CREATED),
        mode,
        owner: head.has(HAS_OWNER).then_some(owner),
        group: head.has(HAS_GROUP).then_some(group),
        inode,
        device,
        name: optional(parts.name, "name")?,
        error: head.error(),
    };
    Ok((event, place))
}

/// The variable parts.
struct Parts<'record> {
    path: &'record [u8],
    /// The beginning of `path`, which lies in the file's own mount.
    inside: &'record [u8],
    above: &'record [u8],
    text: &'record [u8],
    other: &'record [u8],
    other_text: &'record [u8],
    name: &'record [u8],
}

impl<'record> Parts<'record> {
    fn read(fields: &mut Fields<'record>) -> Result<Self, DecodeError> {
        let mut lengths = [0; 7];
        for length in &mut lengths {
            *length = usize::from(fields.u16()?);
        }
        fields.u16()?;
        let path = fields.take(lengths[0])?;
        Ok(Self {
            path,
            inside: Fields::new(path).take(lengths[6])?,
            above: fields.take(lengths[1])?,
            text: fields.take(lengths[2])?,
            other: fields.take(lengths[3])?,
            other_text: fields.take(lengths[4])?,
            name: fields.take(lengths[5])?,
        })
    }

    /// The path inside the file system. That of a directory to which a text is relative is of no use.
    fn place(&self) -> Result<Option<String>, DecodeError> {
        if !self.text.is_empty() {
            return Ok(None);
        }
        let components = [self.inside, self.above].concat();
        path(&components, "path in the file system", false, false).map(Some)
    }

    /// The second path. The text of a symbolic link and the source of a mount are what they are.
    fn other_path(&self, act: FileAct, truncated: bool) -> Result<Option<String>, DecodeError> {
        if self.other.is_empty() && self.other_text.is_empty() {
            return Ok(None);
        }
        if matches!(act, FileAct::Symlink | FileAct::Mount) {
            return optional(self.other_text, "other path");
        }
        let kernels = path(self.other, "other path", truncated, false)?;
        join(kernels, self.other_text).map(Some)
    }
}

/// The caller's path, which is relative to a directory that the kernel told; the kernel's own where there is none.
fn join(kernels: String, callers: &[u8]) -> Result<String, DecodeError> {
    if callers.is_empty() {
        return Ok(kernels);
    }
    let callers = text(callers, "caller's path")?;
    Ok(absolute(&kernels, &callers))
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
