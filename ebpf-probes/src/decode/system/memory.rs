//! Acts on memory.

use super::{Arguments, Told};
use event_model::symbols::{Symbol, set};

pub fn memfd_create(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    arguments
        .add("name", told.text.as_ref())
        .add("flags", told.value(0).map(|flags| set(flags, MEMFD_FLAGS)));
    arguments
}

pub fn mprotect(told: &Told) -> Arguments {
    let mut arguments = area(told);
    arguments.add("old_prot", told.value(3).map(area_protection)).add("path", told.path.as_ref());
    arguments.add("count", told.value(4).filter(|count| *count > 1));
    arguments
}

pub fn mmap(told: &Told) -> Arguments {
    let mut arguments = area(told);
    arguments.add("flags", told.value(3).map(mapping_flags)).add("path", told.path.as_ref());
    arguments.add("count", told.value(4).filter(|count| *count > 1));
    arguments
}

fn area(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    arguments
        .hexadecimal("addr", told.value(1))
        .add("length", told.value(2))
        .add("prot", told.value(0).map(protection));
    arguments
}

pub fn userfaultfd(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    arguments.add("flags", told.value(0).map(|flags| set(flags, FAULT_FLAGS)));
    arguments
}

fn protection(bits: u64) -> String {
    if bits == 0 { "PROT_NONE".to_owned() } else { set(bits, PROTECTIONS) }
}

/// `VM_READ`, `VM_WRITE` and `VM_EXEC` have the values of the protections.
fn area_protection(flags: u64) -> String {
    protection(flags & 7)
}

/// The kind of mapping is a number, not a set.
fn mapping_flags(flags: u64) -> String {
    let kind = match flags & 3 {
        1 => "MAP_SHARED",
        2 => "MAP_PRIVATE",
        3 => "MAP_SHARED_VALIDATE",
        _ => return set(flags, MAPPING_FLAGS),
    };
    match flags & !3 {
        0 => kind.to_owned(),
        more => format!("{kind}|{}", set(more, MAPPING_FLAGS)),
    }
}

/// `include/uapi/linux/memfd.h`
const MEMFD_FLAGS: &[Symbol] = &[
    (1, "MFD_CLOEXEC"),
    (2, "MFD_ALLOW_SEALING"),
    (4, "MFD_HUGETLB"),
    (8, "MFD_NOEXEC_SEAL"),
    (16, "MFD_EXEC"),
];

/// `include/uapi/asm-generic/mman-common.h`
const PROTECTIONS: &[Symbol] = &[
    (1, "PROT_READ"),
    (2, "PROT_WRITE"),
    (4, "PROT_EXEC"),
    (8, "PROT_SEM"),
    (0x0100_0000, "PROT_GROWSDOWN"),
    (0x0200_0000, "PROT_GROWSUP"),
];

/// `include/uapi/asm-generic/mman.h`
const MAPPING_FLAGS: &[Symbol] = &[
    (0x10, "MAP_FIXED"),
    (0x20, "MAP_ANONYMOUS"),
    (0x40, "MAP_32BIT"),
    (0x100, "MAP_GROWSDOWN"),
    (0x800, "MAP_DENYWRITE"),
    (0x1000, "MAP_EXECUTABLE"),
    (0x2000, "MAP_LOCKED"),
    (0x4000, "MAP_NORESERVE"),
    (0x8000, "MAP_POPULATE"),
    (0x1_0000, "MAP_NONBLOCK"),
    (0x2_0000, "MAP_STACK"),
    (0x4_0000, "MAP_HUGETLB"),
    (0x8_0000, "MAP_SYNC"),
    (0x10_0000, "MAP_FIXED_NOREPLACE"),
];

/// `include/uapi/linux/userfaultfd.h`, `include/uapi/asm-generic/fcntl.h`
const FAULT_FLAGS: &[Symbol] =
    &[(1, "UFFD_USER_MODE_ONLY"), (0o4000, "O_NONBLOCK"), (0o2_000_000, "O_CLOEXEC")];
