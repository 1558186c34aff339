mod act;
mod dns;
mod file;
mod network;
mod system;

use crate::fields::Fields;
use crate::layout::{
    EXEC_DETACHED, EXEC_DIRECTORY_TRUNCATED, EXEC_OUTSIDE_ROOT, EXEC_PATH_TRUNCATED,
    EXEC_UPPER_LAYER, HEADER_SIZE, NAME_SIZE, NO_LOGIN_UID,
};
use crate::{
    BootTime, CgroupKey, CgroupRecord, ExecRecord, ExitRecord, ForkRecord, KernelRecord,
    RecordKind, process_key,
};
use event_model::{Credentials, Executable, ExitStatus, ProcessKey, Timestamp};

/// Why bytes are not a record. Kernel programs and decoder are built together, so this means a defect or damaged memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A field or part goes past the record's end.
    #[error("the record ends {left} bytes after a field that needs {wanted}")]
    TooShort {
        /// Bytes that the field has.
        wanted: usize,
        /// Bytes that were left.
        left: usize,
    },
    /// The record has bytes that no field accounts for.
    #[error("{bytes} bytes are left after the record's last part")]
    LeftOver {
        /// How many.
        bytes: usize,
    },
    /// The header tells another size than the ring did.
    #[error("the header says {said} bytes, the record has {length}")]
    Size {
        /// The header's size field.
        said: u32,
        /// Bytes of the record.
        length: usize,
    },
    /// No such kind of record.
    #[error("unknown kind of record {0}")]
    Kind(u16),
    /// A text has no NUL at its end.
    #[error("the {part} does not end with a NUL")]
    Unterminated {
        /// Which text.
        part: &'static str,
    },
}

/// Reads a record as the kernel programs wrote it.
pub fn decode(record: &[u8]) -> Result<KernelRecord, DecodeError> {
    let mut fields = Fields::new(record);
    let header = Header::read(&mut fields)?;
    if usize::try_from(header.size) != Ok(record.len()) {
        return Err(DecodeError::Size { said: header.size, length: record.len() });
    }
    let decoded = match header.kind {
        RecordKind::Exec => KernelRecord::Exec(Box::new(exec(&header, &mut fields)?)),
        RecordKind::Fork => KernelRecord::Fork(fork(&header, &mut fields)?),
        RecordKind::Exit => KernelRecord::Exit(exit(&header, &mut fields)?),
        RecordKind::CgroupMade => KernelRecord::CgroupMade(cgroup(&header, &mut fields)?),
        RecordKind::CgroupRemoved => KernelRecord::CgroupRemoved(cgroup(&header, &mut fields)?),
        RecordKind::Outcome => KernelRecord::Outcome(act::outcome(&header, &mut fields)?),
        RecordKind::File(_) | RecordKind::Network(_) | RecordKind::Dns | RecordKind::System(_) => {
            KernelRecord::Act(Box::new(act::read(&header, &mut fields)?))
        }
    };
    fields.finish()?;
    Ok(decoded)
}

/// Takes the first of records that follow each other without gaps off the front of `bytes`. None, and nothing taken, where
/// it is not all there yet.
pub fn decode_next(bytes: &mut &[u8]) -> Result<Option<KernelRecord>, DecodeError> {
    let Some(header) = bytes.get(..HEADER_SIZE) else { return Ok(None) };
    let size = Header::read(&mut Fields::new(header))?.size;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let Some((record, rest)) = bytes.split_at_checked(size) else { return Ok(None) };
    // A size that is less than the header's is an error here.
    let decoded = decode(record)?;
    *bytes = rest;
    Ok(Some(decoded))
}

struct Header {
    kind: RecordKind,
    flags: u16,
    size: u32,
    time: BootTime,
}

impl Header {
    fn read(fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let mut header = Fields::new(fields.take(HEADER_SIZE)?);
        let kind = header.u16()?;
        let kind = RecordKind::numbered(kind).ok_or(DecodeError::Kind(kind))?;
        Ok(Self { kind, flags: header.u16()?, size: header.u32()?, time: BootTime(header.u64()?) })
    }

    const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

fn exec(header: &Header, fields: &mut Fields<'_>) -> Result<ExecRecord, DecodeError> {
    let process = key(fields)?;
    let parent = key(fields)?;
    let cgroup = cgroup_key(fields)?;
    let file = File::read(fields)?;
    let credentials = credentials(&file, fields)?;
    let namespace_pid = fields.u32()?;
    let name = padded(fields.take(NAME_SIZE)?);
    let arguments_length = fields.u32()?;
    let parts = Parts::read(fields)?;
    Ok(ExecRecord {
        time: header.time,
        process,
        parent: (parent.pid != 0).then_some(parent),
        name,
        outside_root: header.has(EXEC_OUTSIDE_ROOT),
        arguments: arguments(parts.arguments),
        arguments_length,
        arguments_truncated: usize::try_from(arguments_length) != Ok(parts.arguments.len()),
        environment: environment(parts.environment),
        working_directory: path(
            parts.directory,
            "working directory",
            header.has(EXEC_DIRECTORY_TRUNCATED),
            false,
        )?,
        executable: executable(header, &file, &parts)?,
        credentials,
        terminal: (!parts.terminal.is_empty())
            .then(|| text(parts.terminal, "terminal"))
            .transpose()?,
        namespace_pid,
        process_group: parts.process_group,
        cgroup,
    })
}

/// The fixed fields from `inode` to `links`, which are ordered by their size.
struct File {
    inode: u64,
    changed_at: Timestamp,
    modified_at: Timestamp,
    capabilities_effective: u64,
    capabilities_permitted: u64,
    device: u32,
    mode: u32,
    owner: u32,
    links: u32,
}

impl File {
    fn read(fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let inode = fields.u64()?;
        let changed_seconds = fields.i64()?;
        let modified_seconds = fields.i64()?;
        Ok(Self {
            inode,
            capabilities_effective: fields.u64()?,
            capabilities_permitted: fields.u64()?,
            changed_at: timestamp(changed_seconds, fields.u32()?),
            modified_at: timestamp(modified_seconds, fields.u32()?),
            device: fields.u32()?,
            mode: fields.u32()?,
            owner: fields.u32()?,
            links: fields.u32()?,
        })
    }
}

fn credentials(file: &File, fields: &mut Fields<'_>) -> Result<Credentials, DecodeError> {
    Ok(Credentials {
        uid: fields.u32()?,
        euid: fields.u32()?,
        gid: fields.u32()?,
        egid: fields.u32()?,
        login_uid: Some(fields.u32()?).filter(|uid| *uid != NO_LOGIN_UID),
        capabilities_effective: file.capabilities_effective,
        capabilities_permitted: file.capabilities_permitted,
    })
}

/// The variable parts of an exec record.
struct Parts<'record> {
    path: &'record [u8],
    directory: &'record [u8],
    invoked: &'record [u8],
    terminal: &'record [u8],
    arguments: &'record [u8],
    environment: &'record [u8],
    process_group: u32,
}

impl<'record> Parts<'record> {
    fn read(fields: &mut Fields<'record>) -> Result<Self, DecodeError> {
        let path_length = fields.u16()?;
        let directory_length = fields.u16()?;
        let invoked_length = fields.u16()?;
        let terminal_length = fields.u16()?;
        let arguments_length = fields.u32()?;
        let environment_length = fields.u32()?;
        let process_group = fields.u32()?;
        Ok(Self {
            path: fields.take(usize::from(path_length))?,
            directory: fields.take(usize::from(directory_length))?,
            invoked: fields.take(usize::from(invoked_length))?,
            terminal: fields.take(usize::from(terminal_length))?,
            arguments: fields.take(usize::try_from(arguments_length).unwrap_or(usize::MAX))?,
            process_group,
            environment: fields.take(usize::try_from(environment_length).unwrap_or(usize::MAX))?,
        })
    }
}

/// As it is, without the NUL at its end.
fn environment(bytes: &[u8]) -> Box<str> {
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    String::from_utf8_lossy(bytes).into()
}

fn executable(header: &Header, file: &File, parts: &Parts<'_>) -> Result<Executable, DecodeError> {
    let detached = header.has(EXEC_DETACHED);
    let path = path(parts.path, "path", header.has(EXEC_PATH_TRUNCATED), detached)?;
    Ok(Executable {
        memfd: detached && path.starts_with("memfd:"),
        path,
        invoked_as: if parts.invoked.is_empty() {
            String::new()
        } else {
            text(parts.invoked, "file name")?
        },
        inode: file.inode,
        device: file.device,
        mode: file.mode,
        owner: file.owner,
        changed_at: file.changed_at,
        modified_at: file.modified_at,
        upper_layer: header.has(EXEC_UPPER_LAYER),
        unlinked: file.links == 0,
    })
}

fn fork(header: &Header, fields: &mut Fields<'_>) -> Result<ForkRecord, DecodeError> {
    let record = ForkRecord {
        time: header.time,
        creator: key(fields)?,
        parent: key(fields)?,
        child: key(fields)?,
        creator_cgroup: cgroup_key(fields)?,
        cgroup: cgroup_key(fields)?,
        namespace_pid: fields.u32()?,
    };
    fields.u32()?;
    Ok(record)
}

fn exit(header: &Header, fields: &mut Fields<'_>) -> Result<ExitRecord, DecodeError> {
    let record = ExitRecord {
        time: header.time,
        process: key(fields)?,
        cgroup: cgroup_key(fields)?,
        status: ExitStatus::from(fields.u32()?),
    };
    fields.u32()?;
    Ok(record)
}

fn cgroup(header: &Header, fields: &mut Fields<'_>) -> Result<CgroupRecord, DecodeError> {
    let cgroup = cgroup_key(fields)?;
    let path_length = fields.u32()?;
    fields.u32()?;
    let path = fields.take(usize::try_from(path_length).unwrap_or(usize::MAX))?;
    Ok(CgroupRecord { time: header.time, cgroup, path: text(path, "cgroup's path")? })
}

fn key(fields: &mut Fields<'_>) -> Result<ProcessKey, DecodeError> {
    let start_time = fields.u64()?;
    let pid = fields.u32()?;
    fields.u32()?;
    Ok(process_key(pid, start_time))
}

fn cgroup_key(fields: &mut Fields<'_>) -> Result<CgroupKey, DecodeError> {
    let id = fields.u64()?;
    let hierarchy = fields.u32()?;
    fields.u32()?;
    Ok(CgroupKey { hierarchy, id })
}

/// Moments before 1970, which files can bear, become 1970.
fn timestamp(seconds: i64, nanoseconds: u32) -> Timestamp {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    Timestamp(seconds.saturating_mul(1_000_000_000).saturating_add(u64::from(nanoseconds)))
}

/// Text with one NUL at its end.
fn text(bytes: &[u8], part: &'static str) -> Result<String, DecodeError> {
    match bytes.split_last() {
        Some((0, text)) => Ok(lossy(text)),
        _ => Err(DecodeError::Unterminated { part }),
    }
}

/// Text in a field of fixed size, filled up with NULs.
fn padded(field: &[u8]) -> String {
    lossy(field.split(|byte| *byte == 0).next().unwrap_or_default())
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Builds a path from its components, which come with the last one first.
fn path(
    components: &[u8],
    part: &'static str,
    truncated: bool,
    detached: bool,
) -> Result<String, DecodeError> {
    let start = match (truncated, detached) {
        (true, _) => ".../",
        (false, true) => "",
        (false, false) => "/",
    };
    let Some((last, components)) = components.split_last() else {
        return Ok(start.to_owned());
    };
    if *last != 0 {
        return Err(DecodeError::Unterminated { part });
    }
    let downwards: Vec<_> =
        components.rsplit(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    Ok(start.to_owned() + &downwards.join("/"))
}

/// Splits a command line. One that was cut may lack its last NUL.
fn arguments(bytes: &[u8]) -> Vec<String> {
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes.strip_suffix(&[0]).unwrap_or(bytes).split(|byte| *byte == 0).map(lossy).collect()
}
