//! The records of the kernel programs.

use ebpf_probes::{CgroupRecord, ExecRecord, KernelRecord, decode};
use event_model::{EventKind, FileEvent, SystemEvent};

/// A byte that is no text becomes the three bytes of U+FFFD.
const WIDEST: usize = 3;
/// What a decoder adds of its own: the beginning of a path, names of arguments and flags.
const OWN_WORDS: usize = 8192;

/// The size field of the header.
const SIZE: std::ops::Range<usize> = 4..8;

/// Any bytes, as they are and with the size that they have in their header.
pub fn record(bytes: &[u8]) {
    check(bytes);
    let Some(sized) = with_size(bytes.to_vec()) else { return };
    check(&sized);
}

fn with_size(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let size = u32::try_from(bytes.len()).ok()?;
    bytes.get_mut(SIZE)?.copy_from_slice(&size.to_ne_bytes());
    Some(bytes)
}

fn check(bytes: &[u8]) {
    let Ok(record) = decode(bytes) else { return };
    assert_eq!(bytes[..2], record.kind().number().to_ne_bytes(), "the kind is the header's");
    assert_eq!(bytes[8..16], record.time().0.to_ne_bytes(), "the time is the header's");
    assert_eq!(decode(bytes).as_ref(), Ok(&record), "the same bytes are the same record");
    accounts_for_each_byte(bytes);
    is_bounded(&record, bytes.len());
}

/// A record that is whole is none with a byte more or less: each of its lengths is heeded.
fn accounts_for_each_byte(bytes: &[u8]) {
    let longer = with_size([bytes, &[0]].concat()).expect("it has a header");
    assert!(decode(&longer).is_err(), "a byte too many is taken");
    let shorter = with_size(bytes[..bytes.len() - 1].to_vec()).expect("it has a header");
    assert!(decode(&shorter).is_err(), "a byte that is not there is read");
}

fn is_bounded(record: &KernelRecord, length: usize) {
    let (told, times) = match record {
        KernelRecord::Exec(exec) => (exec_text(exec), 1),
        KernelRecord::CgroupMade(CgroupRecord { path, .. })
        | KernelRecord::CgroupRemoved(CgroupRecord { path, .. }) => (path.len(), 1),
        KernelRecord::Fork(_) | KernelRecord::Exit(_) | KernelRecord::Outcome(_) => (0, 1),
        KernelRecord::Act(act) => {
            let in_file_system = act.file_system_path.as_ref().map_or(0, String::len);
            match &act.event {
                // The path is told a second time, as it is inside its file system.
                EventKind::File(event) => (file_text(event) + in_file_system, 2),
                EventKind::Network(event) => (event.path.as_ref().map_or(0, String::len), 1),
                EventKind::System(event) => (system_text(event), 1),
                EventKind::Dns(event) => return crate::dns::is_bounded(event),
                other => panic!("an act is no {other:?}"),
            }
        }
    };
    let most = WIDEST * times * length + OWN_WORDS;
    assert!(told <= most, "{told} bytes of text are told of a record of {length}");
}

fn exec_text(exec: &ExecRecord) -> usize {
    assert!(exec.name.len() <= 16 * WIDEST);
    let file = &exec.executable;
    let texts = [&exec.name, &file.path, &file.invoked_as, &exec.working_directory];
    let texts = texts.into_iter().chain(&exec.terminal).chain(&exec.arguments);
    texts.map(String::len).sum()
}

fn file_text(event: &FileEvent) -> usize {
    let texts = [Some(&event.path), event.other_path.as_ref(), event.name.as_ref()];
    texts.into_iter().flatten().map(String::len).sum()
}

fn system_text(event: &SystemEvent) -> usize {
    event.arguments.iter().map(|argument| argument.name.len() + argument.value.len()).sum()
}
