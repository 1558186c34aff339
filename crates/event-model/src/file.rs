use crate::symbols::{self, Symbol};
use serde::{Deserialize, Serialize};

/// An act on a file, with the path as the kernel resolved it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEvent {
    /// What was done.
    pub act: FileAct,
    /// Absolute path in the view of the process. A file outside every mounted tree shows as the kernel
    /// names it (`memfd:NAME`); a path whose upper part is not known begins with `.../`.
    pub path: String,
    /// Where [`Self::path`] comes from.
    pub path_source: PathSource,
    /// The same file in the view of the node, where that is another path and known.
    pub host_path: Option<String>,
    /// The second path: the new name of a rename or link, the text of a symbolic link, the source of a mount.
    pub other_path: Option<String>,
    /// What the act was asked with: `O_*` of an open, `MS_*` of a mount, `FS_*` of chattr, `RENAME_*`, `AT_*`.
    pub flags: u64,
    /// The open made the file.
    pub created: bool,
    /// File mode after the act, type bits included; 0 where it is not known.
    pub mode: u32,
    /// The owner that chown sets.
    pub owner: Option<u32>,
    /// The group that chown sets.
    pub group: Option<u32>,
    /// Inode number; 0 where it is not known.
    pub inode: u64,
    /// Device number as the kernel holds it (`super_block.s_dev`).
    pub device: u32,
    /// The name of an extended attribute, or the type of a file system that is mounted.
    pub name: Option<String>,
    /// 0, or the error number. None where the hook speaks before the outcome is known: the kernel had
    /// found the act permitted by then.
    pub error: Option<u16>,
}

/// Where a path comes from.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum PathSource {
    /// The kernel's own directory entries: what was really acted on.
    #[default]
    Kernel,
    /// The caller's memory, read after the act, or what a descriptor stood for by then that threads share: a second
    /// thread may have changed it. Such paths come from kernels that offer no better hook.
    Caller,
}

impl PathSource {
    /// All sources.
    pub const ALL: [Self; 2] = [Self::Kernel, Self::Caller];
}

/// What was done to a file.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // Each act is named by its system call.
pub enum FileAct {
    #[default]
    Open,
    Rename,
    Link,
    Symlink,
    Unlink,
    Rmdir,
    Mkdir,
    Mknod,
    Truncate,
    Chmod,
    Chown,
    Utimes,
    Setxattr,
    Chattr,
    Mount,
    Umount,
    MoveMount,
}

impl FileAct {
    /// All acts.
    pub const ALL: [Self; 17] = [
        Self::Open,
        Self::Rename,
        Self::Link,
        Self::Symlink,
        Self::Unlink,
        Self::Rmdir,
        Self::Mkdir,
        Self::Mknod,
        Self::Truncate,
        Self::Chmod,
        Self::Chown,
        Self::Utimes,
        Self::Setxattr,
        Self::Chattr,
        Self::Mount,
        Self::Umount,
        Self::MoveMount,
    ];

    /// The event's name in metrics, queries and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Rename => "rename",
            Self::Link => "link",
            Self::Symlink => "symlink",
            Self::Unlink => "unlink",
            Self::Rmdir => "rmdir",
            Self::Mkdir => "mkdir",
            Self::Mknod => "mknod",
            Self::Truncate => "truncate",
            Self::Chmod => "chmod",
            Self::Chown => "chown",
            Self::Utimes => "utimes",
            Self::Setxattr => "setxattr",
            Self::Chattr => "chattr",
            Self::Mount => "mount",
            Self::Umount => "umount",
            Self::MoveMount => "move_mount",
        }
    }
}

impl FileEvent {
    /// The flags as symbols, such as `O_WRONLY|O_CREAT`.
    pub fn flag_symbols(&self) -> String {
        let mut text = String::new();
        self.write_flag_symbols(&mut text);
        text
    }

    /// Appends what [`Self::flag_symbols`] gives.
    pub fn write_flag_symbols(&self, text: &mut String) {
        match self.act {
            FileAct::Open => symbols::write_open_flags(text, self.flags),
            act => symbols::write_set(text, self.flags, names_of_flags(act)),
        }
    }

    /// The flags of an act from what [`Self::flag_symbols`] gives. None where it is nothing that it gives.
    pub fn flags_of(act: FileAct, symbols: &str) -> Option<u64> {
        match act {
            FileAct::Open => symbols::open_flags(symbols),
            act => symbols::bits(symbols, names_of_flags(act)),
        }
    }

    /// The open was for writing.
    pub const fn opens_for_writing(&self) -> bool {
        matches!(self.act, FileAct::Open) && self.flags & 3 != 0
    }

    /// The open was for reading.
    pub const fn opens_for_reading(&self) -> bool {
        matches!(self.act, FileAct::Open) && self.flags & 3 != 1
    }
}

const fn names_of_flags(act: FileAct) -> &'static [Symbol] {
    match act {
        FileAct::Mount => MOUNT_FLAGS,
        FileAct::Umount => UMOUNT_FLAGS,
        FileAct::Chattr => INODE_FLAGS,
        FileAct::Rename => RENAME_FLAGS,
        _ => &[],
    }
}

/// `include/uapi/linux/mount.h`
const MOUNT_FLAGS: &[Symbol] = &[
    (1, "MS_RDONLY"),
    (2, "MS_NOSUID"),
    (4, "MS_NODEV"),
    (8, "MS_NOEXEC"),
    (16, "MS_SYNCHRONOUS"),
    (32, "MS_REMOUNT"),
    (1024, "MS_NOATIME"),
    (4096, "MS_BIND"),
    (8192, "MS_MOVE"),
    (16_384, "MS_REC"),
    (32_768, "MS_SILENT"),
    (1 << 17, "MS_UNBINDABLE"),
    (1 << 18, "MS_PRIVATE"),
    (1 << 19, "MS_SLAVE"),
    (1 << 20, "MS_SHARED"),
    (1 << 21, "MS_RELATIME"),
];

/// `include/linux/fs.h`
const UMOUNT_FLAGS: &[Symbol] =
    &[(1, "MNT_FORCE"), (2, "MNT_DETACH"), (4, "MNT_EXPIRE"), (8, "UMOUNT_NOFOLLOW")];

/// `include/uapi/linux/fs.h`
const INODE_FLAGS: &[Symbol] = &[
    (1, "FS_SECRM_FL"),
    (2, "FS_UNRM_FL"),
    (4, "FS_COMPR_FL"),
    (8, "FS_SYNC_FL"),
    (0x10, "FS_IMMUTABLE_FL"),
    (0x20, "FS_APPEND_FL"),
    (0x40, "FS_NODUMP_FL"),
    (0x80, "FS_NOATIME_FL"),
];

/// `include/uapi/linux/fs.h`
const RENAME_FLAGS: &[Symbol] =
    &[(1, "RENAME_NOREPLACE"), (2, "RENAME_EXCHANGE"), (4, "RENAME_WHITEOUT")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_told_as_the_headers_name_them() {
        let open = FileEvent { flags: 0o1101, ..FileEvent::default() };
        assert_eq!(open.flag_symbols(), "O_WRONLY|O_CREAT|O_TRUNC");
        assert!(open.opens_for_writing() && !open.opens_for_reading());
        let mount = FileEvent { act: FileAct::Mount, flags: 4096 | 1, ..FileEvent::default() };
        assert_eq!(mount.flag_symbols(), "MS_RDONLY|MS_BIND");
        assert_eq!(FileEvent::flags_of(FileAct::Mount, "MS_RDONLY|MS_BIND"), Some(mount.flags));
        assert_eq!(FileEvent::flags_of(FileAct::Chmod, "0"), Some(0));
    }

    #[test]
    fn no_two_acts_share_a_name() {
        let names: std::collections::BTreeSet<_> =
            FileAct::ALL.iter().map(|act| act.name()).collect();
        assert_eq!(names.len(), FileAct::ALL.len());
    }
}
