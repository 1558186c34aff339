use super::{Call, Hook, Probe, calls, entry};
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
            together(&[
                ring("file_ring_opened", "io_uring_complete"),
                RING_REQUEST,
                calls("file_call_open", &[calls::OPEN]),
                calls("file_call_creat", &[calls::CREAT]),
                calls("file_call_openat", &[calls::OPENAT]),
                calls("file_call_openat2", &[calls::OPENAT2]),
                calls("file_call_open_handle", &[calls::OPEN_BY_HANDLE_AT]),
            ]),
            together(&[
                ring("file_ring_opened_result", "io_uring_complete"),
                RING_REQUEST,
                calls("file_call_open", &[calls::OPEN]),
                calls("file_call_creat", &[calls::CREAT]),
                calls("file_call_openat", &[calls::OPENAT]),
                calls("file_call_openat2", &[calls::OPENAT2]),
                calls("file_call_open_handle", &[calls::OPEN_BY_HANDLE_AT]),
            ]),
            together(&[
                ring("file_ring_opened_result", "io_uring_complete"),
                RING_ENTRY,
                calls("file_call_open", &[calls::OPEN]),
                calls("file_call_creat", &[calls::CREAT]),
                calls("file_call_openat", &[calls::OPENAT]),
                calls("file_call_openat2", &[calls::OPENAT2]),
                calls("file_call_open_handle", &[calls::OPEN_BY_HANDLE_AT]),
            ]),
            together(&[
                calls("file_call_open", &[calls::OPEN]),
                calls("file_call_creat", &[calls::CREAT]),
                calls("file_call_openat", &[calls::OPENAT]),
                calls("file_call_openat2", &[calls::OPENAT2]),
                calls("file_call_open_handle", &[calls::OPEN_BY_HANDLE_AT]),
            ]),
        ],
    ),
    probe(
        FileAct::Rename,
        also_by_ring![
            lsm("rename_lsm", "path_rename"),
            function("rename_function", "security_path_rename");
            calls("file_call_pair", &[calls::RENAME]),
            calls("file_call_renameat", &[calls::RENAMEAT]),
            calls("file_call_pair_at", &[calls::RENAMEAT2]),
        ],
    ),
    probe(
        FileAct::Link,
        also_by_ring![
            lsm("link_lsm", "path_link"),
            function("link_function", "security_path_link");
            calls("file_call_pair", &[calls::LINK]),
            calls("file_call_pair_at", &[calls::LINKAT]),
        ],
    ),
    probe(
        FileAct::Symlink,
        also_by_ring![
            lsm("symlink_lsm", "path_symlink"),
            function("symlink_function", "security_path_symlink");
            calls("file_call_symlink", &[calls::SYMLINK]),
            calls("file_call_symlinkat", &[calls::SYMLINKAT]),
        ],
    ),
    probe(
        FileAct::Unlink,
        also_by_ring![
            lsm("unlink_lsm", "path_unlink"),
            function("unlink_function", "security_path_unlink");
            calls("file_call_path", &[calls::UNLINK]),
            calls("file_call_at", &[calls::UNLINKAT]),
        ],
    ),
    probe(
        FileAct::Rmdir,
        also_by_ring![
            lsm("rmdir_lsm", "path_rmdir"),
            function("rmdir_function", "security_path_rmdir");
            calls("file_call_path", &[calls::RMDIR]),
            calls("file_call_at", &[calls::UNLINKAT]),
        ],
    ),
    probe(
        FileAct::Mkdir,
        also_by_ring![
            lsm("mkdir_lsm", "path_mkdir"),
            function("mkdir_function", "security_path_mkdir");
            calls("file_call_path", &[calls::MKDIR]),
            calls("file_call_at", &[calls::MKDIRAT]),
        ],
    ),
    probe(
        FileAct::Mknod,
        &[
            lsm("mknod_lsm", "path_mknod"),
            function("mknod_function", "security_path_mknod"),
            together(&[
                calls("file_call_path", &[calls::MKNOD]),
                calls("file_call_at", &[calls::MKNODAT]),
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
                calls("file_call_path", &[calls::TRUNCATE, calls::TRUNCATE64]),
                calls("file_call_descriptor", &[calls::FTRUNCATE, calls::FTRUNCATE64]),
            ]),
        ],
    ),
    probe(
        FileAct::Chmod,
        &[
            lsm("chmod_lsm", "path_chmod"),
            function("chmod_function", "security_path_chmod"),
            together(&[
                calls("file_call_path", &[calls::CHMOD]),
                calls("file_call_descriptor", &[calls::FCHMOD]),
                calls("file_call_at", &[calls::FCHMODAT, calls::FCHMODAT2]),
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
                    "file_call_path",
                    &[calls::CHOWN, calls::LCHOWN, calls::CHOWN16, calls::LCHOWN16],
                ),
                calls("file_call_descriptor", &[calls::FCHOWN, calls::FCHOWN16]),
                calls("file_call_at", &[calls::FCHOWNAT]),
            ]),
        ],
    ),
    probe(
        FileAct::Utimes,
        &[
            returned("utimes_returned", "vfs_utimes"),
            together(&[
                calls("file_call_path", &[calls::UTIME, calls::UTIMES]),
                calls(
                    "file_call_at",
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
                calls("file_call_path", &[calls::SETXATTR, calls::LSETXATTR]),
                calls("file_call_descriptor", &[calls::FSETXATTR]),
                calls("file_call_setxattrat", &[calls::SETXATTRAT]),
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
                calls("file_call_ioctl", &[calls::IOCTL]),
                calls("file_call_at", &[calls::FILE_SETATTR]),
            ]),
        ],
    ),
    probe(
        FileAct::Mount,
        &[
            lsm("mount_lsm", "sb_mount"),
            function("mount_function", "security_sb_mount"),
            calls("file_call_mount", &[calls::MOUNT]),
        ],
    ),
    probe(
        FileAct::Umount,
        &[
            lsm("umount_lsm", "sb_umount"),
            function("umount_function", "security_sb_umount"),
            calls("file_call_umount", &[calls::UMOUNT, calls::UMOUNT2]),
        ],
    ),
    probe(
        FileAct::MoveMount,
        &[
            lsm("move_mount_lsm", "move_mount"),
            function("move_mount_function", "security_move_mount"),
            calls("file_call_move_mount", &[calls::MOVE_MOUNT]),
        ],
    ),
];

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

const fn calls(program: &'static str, calls: &'static [Call]) -> Hook {
    Hook::Calls { program, calls }
}

const fn together(hooks: &'static [Hook]) -> Hook {
    Hook::Together { hooks }
}
