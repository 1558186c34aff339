use crate::{KernelRecord, RecordKind, decode};
use event_model::{EventKind, SystemAct, SystemEvent};

/// A record with these values, all of them known, and no text.
fn record(act: SystemAct, values: &[u64], text: &[u8]) -> Vec<u8> {
    let mut bytes = RecordKind::System(act).number().to_ne_bytes().to_vec();
    let size = u32::try_from(176 + text.len()).unwrap();
    bytes.extend(0_u16.to_ne_bytes());
    bytes.extend(size.to_ne_bytes());
    bytes.extend([0; 8 + 32 + 16 + 16]); // Time, process, cgroup, result, thread, call and identity.
    bytes.resize(96, 0); // The target.
    for place in 0..8 {
        bytes.extend(values.get(place).copied().unwrap_or_default().to_ne_bytes());
    }
    bytes.extend(((1_u16 << values.len()) - 1).to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(u16::try_from(text.len()).unwrap().to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(text);
    bytes
}

fn event(act: SystemAct, values: &[u64], text: &[u8]) -> SystemEvent {
    match decode(&record(act, values, text)).unwrap() {
        KernelRecord::Act(act) => match act.event {
            EventKind::System(event) => *event,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn ids_are_told_before_and_after() {
    let event = event(SystemAct::Setuid, &[5 << 32 | 4, 7 << 32 | 6, 1000 << 32, 0], b"");
    assert_eq!(event.argument("uid"), Some("4"));
    assert_eq!(event.argument("euid"), Some("5"));
    assert_eq!(event.argument("suid"), Some("6"));
    assert_eq!(event.argument("fsuid"), Some("7"));
    assert_eq!(event.argument("old_uid"), Some("0"));
    assert_eq!(event.argument("old_euid"), Some("1000"));
}

#[test]
fn what_the_hook_did_not_know_is_left_out() {
    let event = event(SystemAct::Setuid, &[0], b"");
    let names: Vec<_> = event.arguments.iter().map(|argument| argument.name.as_str()).collect();
    assert_eq!(names, ["uid", "euid"]);
    assert_eq!((event.result, event.target), (None, None));
}

#[test]
fn namespaces_are_named_with_their_inodes() {
    let event = event(SystemAct::Setns, &[0, 0x4002_0000, 9 << 32, 0, 8, 0, 3], b"");
    assert_eq!(event.argument("nstype"), Some("CLONE_NEWNS|CLONE_NEWNET"));
    assert_eq!((event.argument("mnt"), event.argument("net")), (Some("9"), Some("8")));
    assert_eq!((event.argument("user"), event.argument("fd")), (None, Some("3")));
}

#[test]
fn what_is_done_to_another_process_bears_its_number() {
    let read = event(SystemAct::ProcessVmReadv, &[7, 3], b"");
    assert_eq!((read.argument("pid"), read.argument("riovcnt")), (Some("7"), Some("3")));
    let taken = event(SystemAct::PidfdGetfd, &[7, 9], b"");
    assert_eq!((taken.argument("pid"), taken.argument("fd")), (Some("7"), Some("9")));
}

#[test]
fn the_far_end_of_a_socket_is_told() {
    let remote = u64::from_ne_bytes([192, 0, 2, 1, 0, 0, 0, 0]);
    let event = event(SystemAct::Dup, &[9, 0, 2 | 4444 << 16 | 80 << 32, remote, 0, 0, 0], b"");
    assert_eq!(event.argument("remote"), Some("192.0.2.1:4444"));
    assert_eq!((event.argument("family"), event.argument("newfd")), (Some("AF_INET"), Some("0")));
}

#[test]
fn an_operation_on_a_ring_bears_its_address() {
    let words = [u64::from_ne_bytes([2, 0, 0x1f, 0x90, 10, 0, 0, 1]), 0, 0, 0];
    let values = [16, 5, 0, words[0], words[1], words[2], words[3]];
    let event = event(SystemAct::IoUring, &values, b"name\0");
    assert_eq!(event.argument("opcode"), Some("IORING_OP_CONNECT"));
    assert_eq!(event.argument("address"), Some("10.0.0.1:8080"));
    assert_eq!(event.argument("name"), Some("name"));
}

#[test]
fn a_record_of_every_act_is_read_whatever_its_values() {
    for act in SystemAct::ALL {
        for value in [0, 7, u64::MAX] {
            let event = event(*act, &[value; 8], b"text\0");
            assert_eq!(event.act, *act);
        }
    }
}
