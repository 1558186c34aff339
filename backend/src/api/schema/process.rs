use event_model as model;
use model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// Which process, within one boot of one host.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct ProcessKey {
    /// Process id in the host's pid namespace.
    pub pid: u32,
    /// When it began: nanoseconds since the host booted.
    pub start_time: u64,
}

/// A process from one exec to the next.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Process {
    /// Process id in the host's pid namespace.
    pub pid: u32,
    /// When the process began: nanoseconds since the host booted.
    pub start_time: u64,
    /// How many execs the sensor had seen of it.
    pub generation: u32,
    /// What is known of it. These fields are left out while the process itself has not arrived.
    #[serde(flatten)]
    pub facts: Option<ProcessFacts>,
}

/// What is known of a process.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProcessFacts {
    /// The kernel's name for the task, at most 15 bytes.
    pub name: String,
    /// The program.
    pub executable: Executable,
    /// The arguments joined by spaces.
    pub command_line: String,
    /// The arguments one by one, that of the program's name included.
    pub arguments: Vec<String>,
    /// The command line was longer than the sensor reads.
    pub arguments_truncated: bool,
    /// Working directory at the exec.
    pub working_directory: String,
    /// Whom it acts for.
    pub user: User,
    /// Process id in its innermost pid namespace.
    pub namespace_pid: u32,
    /// Controlling terminal, such as `pts0`.
    pub terminal: Option<String>,
    /// The process that made it.
    pub parent: Option<ProcessKey>,
    /// The container it runs in.
    pub container_id: Option<String>,
    /// When this program began.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
}

/// A program file, as the kernel executed it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own.
pub struct Executable {
    /// Absolute path in the process's own mount namespace; `memfd:NAME` for anonymous memory.
    pub path: String,
    /// The name given to execve: for a script, the script.
    pub invoked_as: String,
    /// Written since the container started: not of its image.
    pub upper_layer: bool,
    /// Lives in anonymous memory, in no file system.
    pub memfd: bool,
    /// Had no name any more when it was executed.
    pub unlinked: bool,
    /// Runs with the rights of its owner or group (set-user-id, set-group-id).
    pub set_id: bool,
    /// File mode, in octal.
    #[schema(example = "755")]
    pub mode: String,
    /// User id of the file's owner.
    pub owner: u32,
    /// Inode number.
    pub inode: u64,
    /// Device number, as the kernel holds it.
    pub device: u32,
    /// Last change of the inode.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub changed_at: Option<Timestamp>,
    /// Last change of the contents.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub modified_at: Option<Timestamp>,
}

/// Whom a process acts for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct User {
    /// Real user id, in the host's user namespace.
    pub uid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Real group id.
    pub gid: u32,
    /// Effective group id.
    pub egid: u32,
    /// The user who logged in, whatever su and sudo did since.
    pub login_uid: Option<u32>,
    /// Name in the host's passwd file, for processes outside containers.
    pub name: Option<String>,
    /// Effective capabilities as /proc shows them: hexadecimal, a bit each.
    #[schema(example = "00000000a80425fb")]
    pub capabilities_effective: String,
    /// Permitted capabilities.
    pub capabilities_permitted: String,
}

impl From<model::ProcessKey> for ProcessKey {
    fn from(key: model::ProcessKey) -> Self {
        Self { pid: key.pid, start_time: key.start_time }
    }
}

impl Process {
    /// A process of which only this is known.
    pub(crate) fn reference(reference: model::ProcessRef) -> Self {
        Self {
            pid: reference.key.pid,
            start_time: reference.key.start_time,
            generation: reference.generation,
            facts: None,
        }
    }
}

impl From<&model::Process> for Process {
    fn from(process: &model::Process) -> Self {
        let facts = ProcessFacts {
            name: process.name.clone(),
            executable: (&process.executable).into(),
            command_line: process.command_line(),
            arguments: process.arguments.clone(),
            arguments_truncated: process.arguments_truncated,
            working_directory: process.working_directory.clone(),
            user: user(process),
            namespace_pid: process.namespace_pid,
            terminal: process.terminal.clone(),
            parent: process.parent.map(|parent| parent.key.into()),
            container_id: process.container.as_ref().map(ToString::to_string),
            started_at: known(process.started_at),
        };
        Self { facts: Some(facts), ..Self::reference(process.reference) }
    }
}

fn user(process: &model::Process) -> User {
    let credentials = &process.credentials;
    let hexadecimal = |bits: u64| format!("{bits:016x}");
    User {
        uid: credentials.uid,
        euid: credentials.euid,
        gid: credentials.gid,
        egid: credentials.egid,
        login_uid: credentials.login_uid,
        name: process.user_name.clone(),
        capabilities_effective: hexadecimal(credentials.capabilities_effective),
        capabilities_permitted: hexadecimal(credentials.capabilities_permitted),
    }
}

impl From<&model::Executable> for Executable {
    fn from(executable: &model::Executable) -> Self {
        Self {
            path: executable.path.clone(),
            invoked_as: executable.invoked_as.clone(),
            upper_layer: executable.upper_layer,
            memfd: executable.memfd,
            unlinked: executable.unlinked,
            set_id: executable.mode & 0o6000 != 0,
            mode: format!("{:o}", executable.mode & 0o7777),
            owner: executable.owner,
            inode: executable.inode,
            device: executable.device,
            changed_at: known(executable.changed_at),
            modified_at: known(executable.modified_at),
        }
    }
}

/// Zero stands for a time that the sensor could not read.
pub(super) fn known(moment: Timestamp) -> Option<Timestamp> {
    (moment.0 != 0).then_some(moment)
}
