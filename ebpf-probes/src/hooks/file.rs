use super::{Call, CallShape, Hook, Probe, calls, entry};
use crate::RecordKind;
use event_model::FileAct;

/// The hooks of an act that an io_uring performs too: on kernels without the first two, the calls with the newer of the
/// ring's tracepoints, with the older one, or alone.
macro_rules! also_by_ring {
    ($lsm:expr, $function:expr; $($calls:expr,)+) => {
        &[
            $lsm,
            $function,
            together(&[RING_REQUEST, $($calls),+]),
            together(&[RING_ENTRY, $($calls),+]),
            together(&[$($calls),+]),
        ]
    };
}

/// Acts on files. The security modules' hooks, and the functions that call them, see each act by whichever way it came; the calls do not
/// see what an io_uring does, so that its requests are looked at too where the kernel has them.
pub const PROBES: &[Probe] = &[
    probe(
        FileAct::Open,
        &[
            together(&[
                OPENED_BY_HANDLE,
                returned("file_opened", "do_filp_open"),
                returned("file_opened_entry", "dentry_open"),
            ]),
            lsm("file_open_lsm", "file_open"),
            function("file_open_function", "security_file_open"),
            together(&[ring("file_ring_opened", "io_uring_complete"), RING_REQUEST, OPENS]),
            together(&[ring("file_ring_opened_result", "io_uring_complete"), RING_REQUEST, OPENS]),
            together(&[ring("file_ring_opened_result", "io_uring_complete"), RING_ENTRY, OPENS]),
            OPENS,
        ],
    ),
    probe(
        FileAct::Rename,
        also_by_ring![
            lsm("rename_lsm", "path_rename"),
            function("rename_function", "security_path_rename");
            calls(CallShape::Pair, &[calls::RENAME]),
            calls(CallShape::RenameAt, &[calls::RENAMEAT]),
            calls(CallShape::PairAt, &[calls::RENAMEAT2]),
        ],
    ),
    probe(
        FileAct::Link,
        also_by_ring![
            lsm("link_lsm", "path_link"),
            function("link_function", "security_path_link");
            calls(CallShape::Pair, &[calls::LINK]),
            calls(CallShape::PairAt, &[calls::LINKAT]),
        ],
    ),
    probe(
        FileAct::Symlink,
        also_by_ring![
            lsm("symlink_lsm", "path_symlink"),
            function("symlink_function", "security_path_symlink");
            calls(CallShape::Symlink, &[calls::SYMLINK]),
            calls(CallShape::SymlinkAt, &[calls::SYMLINKAT]),
        ],
    ),
    probe(
        FileAct::Unlink,
        also_by_ring![
            lsm("unlink_lsm", "path_unlink"),
            function("unlink_function", "security_path_unlink");
            calls(CallShape::Path, &[calls::UNLINK]),
            calls(CallShape::At, &[calls::UNLINKAT]),
        ],
    ),
    probe(
        FileAct::Rmdir,
        also_by_ring![
            lsm("rmdir_lsm", "path_rmdir"),
            function("rmdir_function", "security_path_rmdir");
            calls(CallShape::Path, &[calls::RMDIR]),
            calls(CallShape::At, &[calls::UNLINKAT]),
        ],
    ),
    probe(
        FileAct::Mkdir,
        also_by_ring![
            lsm("mkdir_lsm", "path_mkdir"),
            function("mkdir_function", "security_path_mkdir");
            calls(CallShape::Path, &[calls::MKDIR]),
            calls(CallShape::At, &[calls::MKDIRAT]),
        ],
    ),
    probe(
        FileAct::Mknod,
        &[
            lsm("mknod_lsm", "path_mknod"),
            function("mknod_function", "security_path_mknod"),
            together(&[
                calls(CallShape::Path, &[calls::MKNOD]),
                calls(CallShape::At, &[calls::MKNODAT]),
            ]),
        ],
    ),
    probe(
        FileAct::Truncate,
        &[
            together(&[
                lsm("truncate_file_lsm", "file_truncate"),
                lsm("truncate_lsm", "path_truncate"),
            ]),
            lsm("truncate_lsm", "path_truncate"),
            together(&[
                function("truncate_file_function", "security_file_truncate"),
                function("truncate_function", "security_path_truncate"),
            ]),
            function("truncate_function", "security_path_truncate"),
            together(&[
                calls(CallShape::Path, &[calls::TRUNCATE, calls::TRUNCATE64]),
                calls(CallShape::Descriptor, &[calls::FTRUNCATE, calls::FTRUNCATE64]),
            ]),
        ],
    ),
    probe(
        FileAct::Chmod,
        &[
            lsm("chmod_lsm", "path_chmod"),
            function("chmod_function", "security_path_chmod"),
            together(&[
                calls(CallShape::Path, &[calls::CHMOD]),
                calls(CallShape::Descriptor, &[calls::FCHMOD]),
                calls(CallShape::At, &[calls::FCHMODAT, calls::FCHMODAT2]),
            ]),
        ],
    ),
    probe(
        FileAct::Chown,
        &[
            lsm("chown_lsm", "path_chown"),
            function("chown_function", "security_path_chown"),
            function("chown_common_function", "chown_common"),
            together(&[
                calls(
                    CallShape::Path,
                    &[calls::CHOWN, calls::LCHOWN, calls::CHOWN16, calls::LCHOWN16],
                ),
                calls(CallShape::Descriptor, &[calls::FCHOWN, calls::FCHOWN16]),
                calls(CallShape::At, &[calls::FCHOWNAT]),
            ]),
        ],
    ),
    probe(
        FileAct::Utimes,
        &[
            returned("utimes_returned", "vfs_utimes"),
            together(&[
                calls(CallShape::Path, &[calls::UTIME, calls::UTIMES]),
                calls(
                    CallShape::At,
                    &[calls::FUTIMESAT, calls::UTIMENSAT, calls::UTIMENSAT_TIME64],
                ),
            ]),
        ],
    ),
    probe(
        FileAct::Setxattr,
        &[
            returned("setxattr_returned", "vfs_setxattr"),
            lsm("setxattr_lsm", "inode_setxattr"),
            function("setxattr_function", "security_inode_setxattr"),
            together(&[
                calls(CallShape::Path, &[calls::SETXATTR, calls::LSETXATTR]),
                calls(CallShape::Descriptor, &[calls::FSETXATTR]),
                calls(CallShape::SetxattrAt, &[calls::SETXATTRAT]),
            ]),
        ],
    ),
    probe(
        FileAct::Chattr,
        &[
            returned("chattr_returned", "vfs_fileattr_set"),
            lsm("chattr_ioctl_lsm", "file_ioctl"),
            function("chattr_ioctl_function", "security_file_ioctl"),
            together(&[
                calls(CallShape::Ioctl, &[calls::IOCTL]),
                calls(CallShape::At, &[calls::FILE_SETATTR]),
            ]),
        ],
    ),
    probe(
        FileAct::Mount,
        &[
            lsm("mount_lsm", "sb_mount"),
            function("mount_function", "security_sb_mount"),
            calls(CallShape::Mount, &[calls::MOUNT]),
        ],
    ),
    probe(
        FileAct::Umount,
        &[
            lsm("umount_lsm", "sb_umount"),
            function("umount_function", "security_sb_umount"),
            calls(CallShape::Umount, &[calls::UMOUNT, calls::UMOUNT2]),
        ],
    ),
    probe(
        FileAct::MoveMount,
        &[
            lsm("move_mount_lsm", "move_mount"),
            function("move_mount_function", "security_move_mount"),
            calls(CallShape::MoveMount, &[calls::MOVE_MOUNT]),
        ],
    ),
];

/// The calls that open files.
const OPENS: Hook = together(&[
    calls(CallShape::Open, &[calls::OPEN]),
    calls(CallShape::Creat, &[calls::CREAT]),
    calls(CallShape::OpenAt, &[calls::OPENAT]),
    calls(CallShape::OpenAt2, &[calls::OPENAT2]),
    calls(CallShape::OpenHandle, &[calls::OPEN_BY_HANDLE_AT]),
]);
const OPENED_BY_HANDLE: Hook = returned("file_opened_by_handle", entry!("open_by_handle_at"));
/// Requests to an io_uring, since 6.3.
const RING_REQUEST: Hook = ring("file_ring_request", "io_uring_submit_req");
/// Before.
const RING_ENTRY: Hook = ring("file_ring_entry", "io_uring_submit_sqe");

const fn probe(act: FileAct, hooks: &'static [Hook]) -> Probe {
    Probe { kind: RecordKind::File(act), hooks }
}

const fn lsm(program: &'static str, hook: &'static str) -> Hook {
    Hook::Lsm { program, hook }
}

const fn function(program: &'static str, function: &'static str) -> Hook {
    Hook::Function { program, function }
}

const fn returned(program: &'static str, function: &'static str) -> Hook {
    Hook::Return { program, function }
}

const fn ring(program: &'static str, tracepoint: &'static str) -> Hook {
    Hook::Tracepoint { program, tracepoint }
}

const fn calls(shape: CallShape, calls: &'static [Call]) -> Hook {
    Hook::Calls { program: "file_call", shape, calls }
}

const fn together(hooks: &'static [Hook]) -> Hook {
    Hook::Together { hooks }
}
