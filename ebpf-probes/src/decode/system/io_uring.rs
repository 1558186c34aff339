//! Rings of io_uring, and the operations that go through them.

use super::{Arguments, Told, ip_address};
use event_model::symbols::{Symbol, set};
use std::net::SocketAddr;

pub fn setup(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    arguments
        .add("entries", told.value(1))
        .add("cq_entries", told.value(2))
        .add("flags", told.value(0).map(|flags| set(flags, SETUP_FLAGS)))
        .add("fd", told.signed(3));
    arguments
}

pub fn operation(told: &Told) -> Arguments {
    let mut arguments = Arguments::default();
    let Some(code) = told.value(0) else { return arguments };
    arguments.text("opcode", &operation_name(code));
    let fixed = told.value(2).is_some_and(|fixed| fixed != 0);
    arguments.add(if fixed { "fixed_file" } else { "fd" }, told.signed(1));
    arguments
        .add("path", told.path.as_ref())
        .add("name", told.text.as_ref())
        .add("new_name", told.other_text.as_ref())
        .add("address", address(told))
        .add("count", told.value(7).filter(|count| *count > 1));
    arguments
}

/// The name of an operation, `IORING_OP_` left out no more than the header does.
fn operation_name(code: u64) -> String {
    let name = usize::try_from(code).ok().and_then(|code| OPERATIONS.get(code));
    name.map_or_else(|| code.to_string(), |name| format!("IORING_OP_{name}"))
}

/// `struct sockaddr_in` or `struct sockaddr_in6`: the family, the port in network order, and the address after it, or, with
/// IPv6, after the flow's label.
fn address(told: &Told) -> Option<SocketAddr> {
    let mut bytes = [0; 32];
    for (place, chunk) in bytes.chunks_exact_mut(8).enumerate() {
        chunk.copy_from_slice(&told.value(3 + place)?.to_ne_bytes());
    }
    let family = u16::from_ne_bytes([bytes[0], bytes[1]]);
    let port = u16::from_be_bytes([bytes[2], bytes[3]]);
    let begin = if family == super::IPV6 { 8 } else { 4 };
    let mut ip = [0; 16];
    ip.copy_from_slice(bytes.get(begin..begin + 16)?);
    Some(SocketAddr::new(ip_address(family, ip)?, port))
}

/// `include/uapi/linux/io_uring.h`
const SETUP_FLAGS: &[Symbol] = &[
    (1, "IORING_SETUP_IOPOLL"),
    (1 << 1, "IORING_SETUP_SQPOLL"),
    (1 << 2, "IORING_SETUP_SQ_AFF"),
    (1 << 3, "IORING_SETUP_CQSIZE"),
    (1 << 4, "IORING_SETUP_CLAMP"),
    (1 << 5, "IORING_SETUP_ATTACH_WQ"),
    (1 << 6, "IORING_SETUP_R_DISABLED"),
    (1 << 7, "IORING_SETUP_SUBMIT_ALL"),
    (1 << 8, "IORING_SETUP_COOP_TASKRUN"),
    (1 << 9, "IORING_SETUP_TASKRUN_FLAG"),
    (1 << 10, "IORING_SETUP_SQE128"),
    (1 << 11, "IORING_SETUP_CQE32"),
    (1 << 12, "IORING_SETUP_SINGLE_ISSUER"),
    (1 << 13, "IORING_SETUP_DEFER_TASKRUN"),
    (1 << 14, "IORING_SETUP_NO_MMAP"),
    (1 << 15, "IORING_SETUP_REGISTERED_FD_ONLY"),
    (1 << 16, "IORING_SETUP_NO_SQARRAY"),
    (1 << 17, "IORING_SETUP_HYBRID_IOPOLL"),
];

/// `enum io_uring_op`, from number 0 on, without `IORING_OP_`.
const OPERATIONS: &[&str] = &[
    "NOP",
    "READV",
    "WRITEV",
    "FSYNC",
    "READ_FIXED",
    "WRITE_FIXED",
    "POLL_ADD",
    "POLL_REMOVE",
    "SYNC_FILE_RANGE",
    "SENDMSG",
    "RECVMSG",
    "TIMEOUT",
    "TIMEOUT_REMOVE",
    "ACCEPT",
    "ASYNC_CANCEL",
    "LINK_TIMEOUT",
    "CONNECT",
    "FALLOCATE",
    "OPENAT",
    "CLOSE",
    "FILES_UPDATE",
    "STATX",
    "READ",
    "WRITE",
    "FADVISE",
    "MADVISE",
    "SEND",
    "RECV",
    "OPENAT2",
    "EPOLL_CTL",
    "SPLICE",
    "PROVIDE_BUFFERS",
    "REMOVE_BUFFERS",
    "TEE",
    "SHUTDOWN",
    "RENAMEAT",
    "UNLINKAT",
    "MKDIRAT",
    "SYMLINKAT",
    "LINKAT",
    "MSG_RING",
    "FSETXATTR",
    "SETXATTR",
    "FGETXATTR",
    "GETXATTR",
    "SOCKET",
    "URING_CMD",
    "SEND_ZC",
    "SENDMSG_ZC",
    "READ_MULTISHOT",
    "WAITID",
    "FUTEX_WAIT",
    "FUTEX_WAKE",
    "FUTEX_WAITV",
    "FIXED_FD_INSTALL",
    "FTRUNCATE",
    "BIND",
    "LISTEN",
    "RECV_ZC",
    "EPOLL_WAIT",
    "READV_FIXED",
    "WRITEV_FIXED",
    "PIPE",
];
