//! Packets of the domain name system, as they come in a record of the kernel programs.

use ebpf_probes::{KernelRecord, RecordKind, decode};
use event_model::{DnsEvent, EventKind};

/// 255 bytes, of which each can be written as a backslash and three digits.
const NAME: usize = 4 * 255;
/// Names of types, such as `TYPE65535`.
const TYPE: usize = 16;
const QUESTIONS: usize = 8;
const ANSWERS: usize = 64;
const DATA: usize = 1024;

/// `enum dns_flags` of `bpf/dns.h`.
const TCP: u16 = 1 << 4;
const INBOUND: u16 = 1 << 5;

/// The first byte says which way the packet went, the second where to cut it; the rest is a message.
pub fn packet(bytes: &[u8]) {
    let [how, cut, message @ ..] = bytes else { return };
    let flags = u16::from(*how) << 4 & (TCP | INBOUND);
    is_bounded(&read(flags, message));
    let whole = read(flags & INBOUND, message);
    is_bounded(&whole);
    the_beginning_is_told_as_in_the_whole(flags & INBOUND, message, usize::from(*cut), &whole);
    the_same_is_told_over_tcp(flags | TCP, message, whole);
}

/// What one message can make the sensor send.
pub fn is_bounded(event: &DnsEvent) {
    assert!(event.questions.len() <= QUESTIONS && event.answers.len() <= ANSWERS);
    for question in &event.questions {
        is_a_name(&question.name);
        assert!(question.record_type.len() <= TYPE, "{question:?}");
    }
    for answer in &event.answers {
        is_a_name(&answer.name);
        assert!(answer.record_type.len() <= TYPE && answer.data.len() <= DATA, "{answer:?}");
    }
}

fn is_a_name(name: &str) {
    assert!(name.len() <= NAME && name.is_ascii(), "{name:?}");
    assert!(!name.bytes().any(|byte| byte.is_ascii_uppercase()), "{name:?}");
}

fn the_beginning_is_told_as_in_the_whole(flags: u16, message: &[u8], cut: usize, whole: &DnsEvent) {
    let beginning = read(flags, &message[..cut.min(message.len())]);
    assert!(whole.questions.starts_with(&beginning.questions), "{beginning:?} of {whole:?}");
    assert!(whole.answers.starts_with(&beginning.answers), "{beginning:?} of {whole:?}");
}

fn the_same_is_told_over_tcp(flags: u16, message: &[u8], whole: DnsEvent) {
    let Ok(length) = u16::try_from(message.len()) else { return };
    let framed = [&length.to_be_bytes()[..], message].concat();
    // The record's own length has 16 bits too.
    if u16::try_from(framed.len()).is_ok() {
        assert_eq!(read(flags, &framed), DnsEvent { tcp: true, ..whole });
    }
}

fn read(flags: u16, payload: &[u8]) -> DnsEvent {
    let payload = &payload[..payload.len().min(usize::from(u16::MAX))];
    match decode(&record(flags, payload)) {
        Ok(KernelRecord::Act(act)) => match act.event {
            EventKind::Dns(event) => *event,
            other => panic!("{other:?}"),
        },
        other => panic!("whatever a packet holds, its record is one: {other:?}"),
    }
}

/// `struct dns_record` with `payload` in it.
fn record(flags: u16, payload: &[u8]) -> Vec<u8> {
    const FIXED: usize = 136;
    const HEAD: usize = 80;
    const ENDS: usize = 48;
    let length = u16::try_from(payload.len()).expect("at most 65535 bytes");
    let size = u32::try_from(FIXED + payload.len()).expect("less than 128 KiB");
    let mut bytes = RecordKind::Dns.number().to_ne_bytes().to_vec();
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(size.to_ne_bytes());
    bytes.resize(HEAD + ENDS, 0);
    bytes.extend(u32::from(length).to_ne_bytes());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(payload);
    bytes
}
