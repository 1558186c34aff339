//! System calls by name and number.

/// A system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// As rules name it.
    pub name: &'static str,
    /// Its number for programs of the machine's own width. None where the machine has no such call.
    pub native: Option<u16>,
    /// Its number for 32-bit programs on x86_64 (`arch/x86/entry/syscalls/syscall_32.tbl`).
    pub compat: Option<u16>,
}

/// Which arguments a call has: `enum call_shape` of `bpf/call.h`, which a program that handles many calls is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum CallShape {
    /// The program tells calls apart by their numbers.
    ByNumber,
    /// (directory, path, flags)
    OpenAt,
    /// (path, flags)
    Open,
    /// (path)
    Creat,
    /// (directory, path, flags in memory)
    OpenAt2,
    /// Nothing that tells a path.
    OpenHandle,
    /// (path, ...)
    Path,
    /// (directory, path, ...)
    At,
    /// (directory, path, flags, name)
    SetxattrAt,
    /// (descriptor, ...)
    Descriptor,
    /// (from, to)
    Pair,
    /// (directory, from, directory, to, flags)
    PairAt,
    /// (directory, from, directory, to)
    RenameAt,
    /// (text, link)
    Symlink,
    /// (text, directory, link)
    SymlinkAt,
    /// (descriptor, command, argument)
    Ioctl,
    /// (source, target, type, flags)
    Mount,
    /// (target, flags)
    Umount,
    /// (directory, from, directory, to, flags)
    MoveMount,
}

/// A table of calls: the numbers on x86_64, on arm64 (`include/uapi/asm-generic/unistd.h`), and of 32-bit x86.
macro_rules! calls {
    ($($constant:ident $name:literal $x86_64:expr, $arm64:expr, $i386:expr;)*) => {
        $(
            #[allow(missing_docs)] // Named by the call.
            pub const $constant: Call = Call {
                name: $name,
                native: if cfg!(target_arch = "x86_64") { $x86_64 } else { $arm64 },
                compat: if cfg!(target_arch = "x86_64") { $i386 } else { None },
            };
        )*
        /// All calls of the table.
        #[cfg(test)]
        const ALL: &[Call] = &[$($constant),*];
    };
}

calls! {
    OPEN "open" Some(2), None, Some(5);
    CREAT "creat" Some(85), None, Some(8);
    OPENAT "openat" Some(257), Some(56), Some(295);
    OPENAT2 "openat2" Some(437), Some(437), Some(437);
    OPEN_BY_HANDLE_AT "open_by_handle_at" Some(304), Some(265), Some(342);
    SOCKET "socket" Some(41), Some(198), Some(359);
    CONNECT "connect" Some(42), Some(203), Some(362);
    ACCEPT "accept" Some(43), Some(202), None;
    ACCEPT4 "accept4" Some(288), Some(242), Some(364);
    BIND "bind" Some(49), Some(200), Some(361);
    RENAME "rename" Some(82), None, Some(38);
    RENAMEAT "renameat" Some(264), Some(38), Some(302);
    RENAMEAT2 "renameat2" Some(316), Some(276), Some(353);
    LINK "link" Some(86), None, Some(9);
    LINKAT "linkat" Some(265), Some(37), Some(303);
    SYMLINK "symlink" Some(88), None, Some(83);
    SYMLINKAT "symlinkat" Some(266), Some(36), Some(304);
    UNLINK "unlink" Some(87), None, Some(10);
    UNLINKAT "unlinkat" Some(263), Some(35), Some(301);
    RMDIR "rmdir" Some(84), None, Some(40);
    MKDIR "mkdir" Some(83), None, Some(39);
    MKDIRAT "mkdirat" Some(258), Some(34), Some(296);
    MKNOD "mknod" Some(133), None, Some(14);
    MKNODAT "mknodat" Some(259), Some(33), Some(297);
    TRUNCATE "truncate" Some(76), Some(45), Some(92);
    TRUNCATE64 "truncate64" None, None, Some(193);
    FTRUNCATE "ftruncate" Some(77), Some(46), Some(93);
    FTRUNCATE64 "ftruncate64" None, None, Some(194);
    CHMOD "chmod" Some(90), None, Some(15);
    FCHMOD "fchmod" Some(91), Some(52), Some(94);
    FCHMODAT "fchmodat" Some(268), Some(53), Some(306);
    FCHMODAT2 "fchmodat2" Some(452), Some(452), Some(452);
    CHOWN "chown" Some(92), None, Some(212);
    LCHOWN "lchown" Some(94), None, Some(198);
    FCHOWN "fchown" Some(93), Some(55), Some(207);
    CHOWN16 "chown16" None, None, Some(182);
    LCHOWN16 "lchown16" None, None, Some(16);
    FCHOWN16 "fchown16" None, None, Some(95);
    FCHOWNAT "fchownat" Some(260), Some(54), Some(298);
    UTIME "utime" Some(132), None, Some(30);
    UTIMES "utimes" Some(235), None, Some(271);
    FUTIMESAT "futimesat" Some(261), None, Some(299);
    UTIMENSAT "utimensat" Some(280), Some(88), Some(320);
    UTIMENSAT_TIME64 "utimensat_time64" None, None, Some(412);
    SETXATTR "setxattr" Some(188), Some(5), Some(226);
    LSETXATTR "lsetxattr" Some(189), Some(6), Some(227);
    FSETXATTR "fsetxattr" Some(190), Some(7), Some(228);
    SETXATTRAT "setxattrat" Some(463), Some(463), Some(463);
    IOCTL "ioctl" Some(16), Some(29), Some(54);
    FILE_SETATTR "file_setattr" Some(469), Some(469), Some(469);
    MOUNT "mount" Some(165), Some(40), Some(21);
    UMOUNT "umount" None, None, Some(22);
    UMOUNT2 "umount2" Some(166), Some(39), Some(52);
    MOVE_MOUNT "move_mount" Some(429), Some(429), Some(429);

    SETUID "setuid" Some(105), Some(146), Some(213);
    SETUID_16 "setuid16" None, None, Some(23);
    SETREUID "setreuid" Some(113), Some(145), Some(203);
    SETREUID_16 "setreuid16" None, None, Some(70);
    SETRESUID "setresuid" Some(117), Some(147), Some(208);
    SETRESUID_16 "setresuid16" None, None, Some(164);
    SETFSUID "setfsuid" Some(122), Some(151), Some(215);
    SETFSUID_16 "setfsuid16" None, None, Some(138);
    SETGID "setgid" Some(106), Some(144), Some(214);
    SETGID_16 "setgid16" None, None, Some(46);
    SETREGID "setregid" Some(114), Some(143), Some(204);
    SETREGID_16 "setregid16" None, None, Some(71);
    SETRESGID "setresgid" Some(119), Some(149), Some(210);
    SETRESGID_16 "setresgid16" None, None, Some(170);
    SETFSGID "setfsgid" Some(123), Some(152), Some(216);
    SETFSGID_16 "setfsgid16" None, None, Some(139);
    CAPSET "capset" Some(126), Some(91), Some(185);
    SETNS "setns" Some(308), Some(268), Some(346);
    UNSHARE "unshare" Some(272), Some(97), Some(310);
    CHROOT "chroot" Some(161), Some(51), Some(61);
    PIVOT_ROOT "pivot_root" Some(155), Some(41), Some(217);
    PTRACE "ptrace" Some(101), Some(117), Some(26);
    PROCESS_VM_READV "process_vm_readv" Some(310), Some(270), Some(347);
    PROCESS_VM_WRITEV "process_vm_writev" Some(311), Some(271), Some(348);
    PRCTL "prctl" Some(157), Some(167), Some(172);
    SETSID "setsid" Some(112), Some(157), Some(66);
    DUP "dup" Some(32), Some(23), Some(41);
    DUP2 "dup2" Some(33), None, Some(63);
    DUP3 "dup3" Some(292), Some(24), Some(330);
    FCNTL "fcntl" Some(72), Some(25), Some(55);
    FCNTL64 "fcntl64" None, None, Some(221);
    PIDFD_GETFD "pidfd_getfd" Some(438), Some(438), Some(438);
    MEMFD_CREATE "memfd_create" Some(319), Some(279), Some(356);
    MPROTECT "mprotect" Some(10), Some(226), Some(125);
    PKEY_MPROTECT "pkey_mprotect" Some(329), Some(288), Some(380);
    MMAP "mmap" Some(9), Some(222), Some(192);
    USERFAULTFD "userfaultfd" Some(323), Some(282), Some(374);
    INIT_MODULE "init_module" Some(175), Some(105), Some(128);
    FINIT_MODULE "finit_module" Some(313), Some(273), Some(350);
    DELETE_MODULE "delete_module" Some(176), Some(106), Some(129);
    BPF "bpf" Some(321), Some(280), Some(357);
    KEXEC_LOAD "kexec_load" Some(246), Some(104), Some(283);
    KEXEC_FILE_LOAD "kexec_file_load" Some(320), Some(294), None;
    KEYCTL "keyctl" Some(250), Some(219), Some(288);
    PERF_EVENT_OPEN "perf_event_open" Some(298), Some(241), Some(336);
}

#[cfg(test)]
mod tests {
    use super::ALL;
    use std::collections::BTreeSet;

    #[test]
    fn no_number_stands_for_two_calls() {
        let native: Vec<_> = ALL.iter().filter_map(|call| call.native).collect();
        let compat: Vec<_> = ALL.iter().filter_map(|call| call.compat).collect();
        for numbers in [native, compat] {
            let distinct: BTreeSet<_> = numbers.iter().collect();
            assert_eq!(distinct.len(), numbers.len());
            assert!(numbers.iter().all(|number| *number < 512));
        }
    }
}
