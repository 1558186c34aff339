//! Operations that are no system calls.

use crate::acts::{exit_now, in_fork};
use crate::recorder::recorder;
use event_model::{SystemAct, SystemEvent};
use nix::libc;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};

const NOP: u8 = 0;
const CONNECT: u8 = 16;
const OPENAT: u8 = 18;
const READ: u8 = 22;
const RENAMEAT: u8 = 35;
const UNLINKAT: u8 = 36;

/// `struct io_uring_sqe`
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Submission {
    pub operation: u8,
    pub flags: u8,
    pub priority: u16,
    pub descriptor: i32,
    pub offset: u64,
    pub address: u64,
    pub length: u32,
    pub operation_flags: u32,
    pub user_data: u64,
    pub rest: [u64; 3],
}

/// `struct io_uring_params`: the offsets are those of `struct io_sqring_offsets`.
#[repr(C)]
#[derive(Default)]
struct Parameters {
    entries: u32,
    completions: u32,
    flags: u32,
    thread: [u32; 2],
    features: u32,
    queue: u32,
    reserved: [u32; 3],
    offsets: [u32; 10],
    completion_offsets: [u32; 10],
}

/// A ring with one place.
pub struct OneRing {
    descriptor: i64,
    indexes: *mut u32,
    submissions: *mut Submission,
    /// Places among the indexes.
    tail: usize,
    array: usize,
    completed: usize,
    taken: usize,
}

impl OneRing {
    /// None where the kernel refuses rings.
    pub fn new() -> Option<Self> {
        let mut parameters = Parameters::default();
        // SAFETY: the kernel fills in the parameters.
        let descriptor = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, &raw mut parameters) };
        if descriptor < 0 {
            return None;
        }
        let map = |offset: i64| {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let number = i32::try_from(descriptor).expect("descriptors are small");
            // SAFETY: the kernel chooses where; a page holds a ring of one place.
            unsafe {
                libc::mmap(std::ptr::null_mut(), 4096, protection, libc::MAP_SHARED, number, offset)
            }
        };
        let place = |offset: u32| usize::try_from(offset / 4).expect("it is in a page");
        Some(Self {
            descriptor,
            indexes: map(0).cast(),
            submissions: map(0x1000_0000).cast(), // IORING_OFF_SQES
            tail: place(parameters.offsets[1]),
            array: place(parameters.offsets[6]),
            taken: place(parameters.completion_offsets[0]),
            completed: place(parameters.completion_offsets[1]),
        })
    }

    /// Gives an operation to the kernel and waits for its end.
    pub fn run(&self, submission: Submission) {
        // SAFETY: the offsets are the kernel's, inside of the page; the array's first place is place 0.
        unsafe {
            self.submissions.write(submission);
            self.indexes.add(self.array).write(0);
            let tail = &*self.indexes.add(self.tail).cast::<AtomicU32>();
            tail.fetch_add(1, Ordering::Release);
            let wait = 1; // IORING_ENTER_GETEVENTS
            libc::syscall(libc::SYS_io_uring_enter, self.descriptor, 1, 1, wait, 0, 0);
            let index = |place: usize| &*self.indexes.add(place).cast::<AtomicU32>();
            index(self.taken)
                .store(index(self.completed).load(Ordering::Acquire), Ordering::Release);
        }
    }
}

/// Runs operations in a child, by a ring of its own.
pub fn through_a_ring(operations: &[Submission]) -> u32 {
    in_fork(|| {
        let ring = OneRing::new().unwrap_or_else(|| exit_now(7));
        for operation in operations {
            ring.run(*operation);
        }
        exit_now(0);
    })
    .0
}

fn operation(pid: u32, opcode: &str) -> SystemEvent {
    recorder().system_act(pid, opcode, |event| {
        event.act == SystemAct::IoUring && event.argument("opcode") == Some(opcode)
    })
}

#[test]
fn a_ring_is_told_when_it_is_made() {
    recorder();
    let pid = through_a_ring(&[]);
    let event = recorder().system_act(pid, "a ring", |event| event.act == SystemAct::IoUringSetup);
    assert_eq!((event.argument("entries"), event.argument("cq_entries")), (Some("1"), Some("2")));
    assert_eq!(event.argument("flags"), Some("0"), "{event:?}");
}

#[test]
fn files_that_are_handled_through_a_ring_are_told_by_their_names() {
    recorder();
    let at_directory = Submission { descriptor: libc::AT_FDCWD, ..Submission::default() };
    let name = |text: &'static std::ffi::CStr| text.as_ptr() as u64;
    let pid = through_a_ring(&[
        Submission { operation: OPENAT, address: name(c"/tmp/ring-open"), ..at_directory },
        Submission {
            operation: RENAMEAT,
            address: name(c"/tmp/ring-from"),
            offset: name(c"/tmp/ring-to"),
            length: libc::AT_FDCWD.cast_unsigned(),
            ..at_directory
        },
        Submission { operation: UNLINKAT, address: name(c"/tmp/ring-gone"), ..at_directory },
    ]);
    assert_eq!(operation(pid, "IORING_OP_OPENAT").argument("name"), Some("/tmp/ring-open"));
    let renamed = operation(pid, "IORING_OP_RENAMEAT");
    assert_eq!(renamed.argument("name"), Some("/tmp/ring-from"), "{renamed:?}");
    assert_eq!(renamed.argument("new_name"), Some("/tmp/ring-to"));
    let unlinked = operation(pid, "IORING_OP_UNLINKAT");
    assert_eq!(unlinked.argument("name"), Some("/tmp/ring-gone"), "{unlinked:?}");
    assert_eq!(unlinked.argument("source"), None, "the names are the kernel's: {unlinked:?}");
}

#[test]
fn a_connection_through_a_ring_is_told_with_its_far_end() {
    recorder();
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let far = SocketAddrV4::new(Ipv4Addr::LOCALHOST, listener.local_addr().unwrap().port());
    let mut address = [0_u8; 16]; // struct sockaddr_in
    address[..2].copy_from_slice(&2_u16.to_ne_bytes());
    address[2..4].copy_from_slice(&far.port().to_be_bytes());
    address[4..8].copy_from_slice(&far.ip().octets());
    // SAFETY: plain numbers.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    let pid = through_a_ring(&[Submission {
        operation: CONNECT,
        descriptor: socket,
        address: address.as_ptr() as u64,
        offset: 16,
        ..Submission::default()
    }]);
    // SAFETY: the socket is ours.
    unsafe { libc::close(socket) };
    let event = operation(pid, "IORING_OP_CONNECT");
    assert_eq!(event.argument("address"), Some(far.to_string().as_str()), "{event:?}");
    // Up to 5.18 the kernel has let go of the number by then.
    assert!(event.argument("fd").is_none_or(|number| number == socket.to_string()), "{event:?}");
    assert_eq!(event.argument("source"), Some("caller"), "{event:?}");
}

#[test]
fn a_file_that_is_read_through_a_ring_is_told_by_its_path() {
    recorder();
    let file = File::open("/proc/version").unwrap();
    let mut buffer = [0_u8; 16];
    let pid = through_a_ring(&[Submission {
        operation: READ,
        descriptor: file.as_raw_fd(),
        address: buffer.as_mut_ptr() as u64,
        length: 16,
        ..Submission::default()
    }]);
    let event = operation(pid, "IORING_OP_READ");
    assert_eq!(event.argument("path"), Some("/proc/version"), "{event:?}");
}

#[test]
fn operations_without_number_are_counted() {
    const OPERATIONS: usize = 3_000;
    let recorder = recorder();
    let nothing = Submission { operation: NOP, descriptor: -1, ..Submission::default() };
    let pid = through_a_ring(&vec![nothing; OPERATIONS]);
    operation(pid, "IORING_OP_NOP");
    let told = recorder.all(|record| match record {
        collector_ds::kernel::KernelRecord::Act(act) if act.process.pid == pid => Some(()),
        _ => None,
    });
    assert!(told.len() < OPERATIONS / 4, "{} records of {OPERATIONS} operations", told.len());
}
