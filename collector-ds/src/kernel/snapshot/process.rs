use super::cgroups::Hierarchies;
use super::read_text;
use super::stat::Stat;
use super::status::Status;
use ebpf_probes::{BootTime, ExecRecord};
use event_model::{Credentials, Executable, ProcessKey, Timestamp};
use nix::sys::stat::{major, minor};
use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// As the kernel programs cut it (`ARGUMENTS_LIMIT` in bpf/exec.bpf.c).
const ARGUMENTS_LIMIT: u64 = 32_768;

/// What the kernel appends to the name of a file that has none any more.
const DELETED: &str = " (deleted)";

/// How many processes kept their program to themselves.
#[derive(Debug, Default)]
pub struct Unreadable(usize);

impl Unreadable {
    pub const fn add(&mut self, others: &Self) {
        self.0 += others.0;
    }

    pub fn problem(&self) -> Option<String> {
        (self.0 > 0).then(|| {
            format!(
                "the programs of {} running processes can't be read: CAP_SYS_PTRACE is needed, and an AppArmor profile \
                 that allows ptrace",
                self.0
            )
        })
    }
}

/// Reads processes, one after the other.
pub struct Reader<'snapshot> {
    pub proc_root: &'snapshot Path,
    pub hierarchies: &'snapshot Hierarchies,
    /// The processes that the kernel has listed, without their arguments.
    pub listed: &'snapshot HashMap<ProcessKey, ExecRecord>,
    pub unreadable: &'snapshot mut Unreadable,
}

impl Reader<'_> {
    /// The process `pid`, and the id of its parent. None for the kernel's own threads,
    /// and for a process that ends meanwhile: its end will be reported.
    pub fn read(&mut self, pid: u32) -> Option<(ExecRecord, u32)> {
        let directory = self.proc_root.join(pid.to_string());
        let stat = read_stat(&directory)?;
        if stat.is_kernel_thread() || stat.has_ended() {
            return None;
        }
        let record = self.read_record(&directory, &stat);
        // Still the same process? Then all that was read is its own.
        (read_stat(&directory)?.key == stat.key).then_some((record, stat.parent))
    }

    fn read_record(&mut self, directory: &Path, stat: &Stat) -> ExecRecord {
        let program = match self.listed.get(&stat.key) {
            Some(listed) => listed.clone(),
            None => self.read_program(directory, stat),
        };
        let arguments = Arguments::read(&directory.join("cmdline")).unwrap_or_default();
        ExecRecord {
            arguments: arguments.list,
            arguments_length: arguments.length,
            arguments_truncated: arguments.truncated,
            ..program
        }
    }

    /// All but the arguments.
    fn read_program(&mut self, directory: &Path, stat: &Stat) -> ExecRecord {
        let read = |file: &str| read_text(&directory.join(file)).unwrap_or_default();
        let status = Status::parse(&read("status"));
        ExecRecord {
            time: BootTime(stat.key.start_time),
            process: stat.key,
            parent: None,
            name: stat.name.clone(),
            executable: self.executable(directory),
            working_directory: fs::read_link(directory.join("cwd"))
                .map(|path| path.to_string_lossy().into_owned())
                .unwrap_or_default(),
            credentials: Credentials {
                login_uid: login_uid(&read("loginuid")),
                ..status.credentials
            },
            terminal: stat.terminal(),
            namespace_pid: status.namespace_pid,
            process_group: status.process_group,
            cgroup: self.hierarchies.of_process(&read("cgroup")),
            ..ExecRecord::default()
        }
    }

    fn executable(&mut self, directory: &Path) -> Executable {
        let link = directory.join("exe");
        match fs::read_link(&link).and_then(|target| Ok((target, fs::metadata(&link)?))) {
            Ok((target, file)) => executable(target, &file),
            Err(error) => {
                if error.kind() == io::ErrorKind::PermissionDenied {
                    self.unreadable.0 += 1;
                }
                Executable::default()
            }
        }
    }
}

fn read_stat(directory: &Path) -> Option<Stat> {
    Stat::parse(&read_text(&directory.join("stat")).ok()?)
}

fn executable(target: PathBuf, file: &Metadata) -> Executable {
    let unlinked = file.nlink() == 0;
    let path = target.into_os_string().to_string_lossy().into_owned();
    let path = match path.strip_suffix(DELETED) {
        Some(name) if unlinked => name.to_owned(),
        _ => path,
    };
    let memory = path.strip_prefix('/').filter(|name| unlinked && name.starts_with("memfd:"));
    Executable {
        memfd: memory.is_some(),
        path: memory.map_or_else(|| path.clone(), str::to_owned),
        invoked_as: String::new(),
        inode: file.ino(),
        device: kernel_device(file.dev()),
        mode: file.mode(),
        owner: file.uid(),
        changed_at: timestamp(file.ctime(), file.ctime_nsec()),
        modified_at: timestamp(file.mtime(), file.mtime_nsec()),
        upper_layer: false,
        unlinked,
    }
}

/// The kernel's own form of a device number has twelve bits of major and twenty of minor.
fn kernel_device(device: u64) -> u32 {
    let number = (major(device) << 20) | minor(device);
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn timestamp(seconds: i64, nanoseconds: i64) -> Timestamp {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    let nanoseconds = u64::try_from(nanoseconds).unwrap_or(0);
    Timestamp(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
}

/// The largest number stands for nobody.
fn login_uid(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}

#[derive(Debug, Default)]
struct Arguments {
    list: Vec<String>,
    length: u32,
    truncated: bool,
}

impl Arguments {
    fn read(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut bytes = Vec::new();
        file.by_ref().take(ARGUMENTS_LIMIT).read_to_end(&mut bytes)?;
        let beyond = io::copy(&mut file, &mut io::sink())?;
        let length = bytes.len() as u64 + beyond;
        Ok(Self {
            list: split(&bytes),
            length: u32::try_from(length).unwrap_or(u32::MAX),
            truncated: beyond > 0,
        })
    }
}

fn split(bytes: &[u8]) -> Vec<String> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let arguments = bytes.strip_suffix(&[0]).unwrap_or(bytes).split(|byte| *byte == 0);
    arguments.map(|argument| String::from_utf8_lossy(argument).into_owned()).collect()
}
