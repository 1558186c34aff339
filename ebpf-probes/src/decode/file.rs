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
const OF_CALLER: u16 = 1 << 10;

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
        path_source: if parts.text.is_empty() && !head.has(OF_CALLER) {
            PathSource::Kernel
        } else {
            PathSource::Caller
        },
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
    use super::{CREATED, absolute};
    use crate::layout::NO_CALL;
    use crate::{ActRecord, DecodeError, KernelRecord, RecordKind, decode};
    use event_model::{EventKind, FileAct, FileEvent, PathSource};

    /// A record as `struct file_record` lays it out. The parts are in the order of their lengths, but for the first, of
    /// which `inside` bytes lie in the mount.
    fn record(act: FileAct, flags: u16, parts: [&str; 6], inside: u16) -> Vec<u8> {
        let body = parts.concat();
        let size = u32::try_from(128 + body.len()).unwrap();
        let mut bytes = RecordKind::File(act).number().to_ne_bytes().to_vec();
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(size.to_ne_bytes());
        bytes.extend([0; 8 + 16 + 16 + 8 + 4]);
        bytes.extend(NO_CALL.to_ne_bytes());
        bytes.extend([0; 16]);
        bytes.extend(0x41_u64.to_ne_bytes());
        bytes.extend(77_u64.to_ne_bytes());
        for field in [9_u32, 0o100_644, 0, 0] {
            bytes.extend(field.to_ne_bytes());
        }
        for part in parts {
            bytes.extend(u16::try_from(part.len()).unwrap().to_ne_bytes());
        }
        bytes.extend(inside.to_ne_bytes());
        bytes.extend([0; 2]);
        bytes.extend(body.bytes());
        bytes
    }

    fn decoded(bytes: &[u8]) -> (FileEvent, Option<String>) {
        match decode(bytes) {
            Ok(KernelRecord::Act(act)) => match *act {
                ActRecord { event: EventKind::File(event), file_system_path, .. } => {
                    (*event, file_system_path)
                }
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_path_across_a_mount_is_told_as_seen_and_as_it_is_in_its_file_system() {
        let parts = ["file\0data\0mnt\0", "part\0srv\0", "", "", "", ""];
        let (event, place) = decoded(&record(FileAct::Open, CREATED, parts, 10));
        assert_eq!(event.path, "/mnt/data/file");
        assert_eq!(place.as_deref(), Some("/srv/part/data/file"));
        assert_eq!(event.path_source, PathSource::Kernel);
        assert!(event.created);
        assert_eq!((event.inode, event.device, event.flags), (77, 9, 0x41));
    }

    #[test]
    fn a_callers_path_is_told_as_such_and_has_no_place() {
        let parts = ["work\0", "", "../etc/x\0", "tmp\0", "y\0", ""];
        let (event, place) = decoded(&record(FileAct::Rename, 0, parts, 5));
        assert_eq!(event.path, "/etc/x");
        assert_eq!(event.other_path.as_deref(), Some("/tmp/y"));
        assert_eq!((event.path_source, place), (PathSource::Caller, None));
    }

    #[test]
    fn the_text_of_a_symbolic_link_stays_as_it_is() {
        let parts = ["link\0", "", "", "", "../passwd\0", ""];
        let (event, _) = decoded(&record(FileAct::Symlink, 0, parts, 5));
        assert_eq!(event.other_path.as_deref(), Some("../passwd"));
    }

    #[test]
    fn a_mount_that_is_longer_than_its_path_is_an_error() {
        let parts = ["a\0", "", "", "", "", ""];
        let error = decode(&record(FileAct::Open, 0, parts, 3)).unwrap_err();
        assert_eq!(error, DecodeError::TooShort { wanted: 3, left: 2 });
    }

    #[test]
    fn a_callers_path_becomes_absolute() {
        assert_eq!(absolute("/srv/www", "../data//./file"), "/srv/data/file");
        assert_eq!(absolute("/srv", "/etc/passwd"), "/etc/passwd");
        assert_eq!(absolute("/", "../../x"), "/x");
        assert_eq!(absolute(".../deep", "file"), ".../deep/file");
    }
}
