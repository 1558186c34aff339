//! Captures, which come from other machines and other people.

use capture::{CaptureError, Encoder, Entry, Head, MAGIC, Reader, VERSION};
use event_model::{Host, Timestamp};
use std::sync::Arc;

/// Reads the bytes as a file; then as entries that stand behind a good head with true checksums, each behind its length in
/// two bytes: changed bytes are to reach what decodes them.
pub fn file(bytes: &[u8]) {
    read(bytes);
    read(&framed(bytes));
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![];
    let head = Head { version: String::new(), began_at: Timestamp(0), host: Host::default() };
    drop(Encoder::begin(&head, &mut file));
    let mut rest = bytes;
    while let Some((length, behind)) = rest.split_first_chunk() {
        let entry;
        (entry, rest) = behind.split_at(usize::from(u16::from_le_bytes(*length)).min(behind.len()));
        let length = u32::try_from(entry.len()).expect("two bytes at most");
        file.extend(length.to_le_bytes());
        file.extend(checksum(entry).to_le_bytes());
        file.extend(entry);
    }
    file
}

/// CRC-32 (IEEE 802.3), bit by bit: not by the crate that is checked.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

fn read(bytes: &[u8]) {
    let reader = match Reader::new(bytes) {
        Ok(reader) => reader,
        Err(error) => {
            let is_begun = bytes.starts_with(&MAGIC);
            assert!(is_begun != matches!(error, CaptureError::NoCapture), "{error}");
            return;
        }
    };
    assert_eq!(bytes[MAGIC.len()..MAGIC.len() + 4], VERSION.to_le_bytes());
    let head = reader.head().clone();
    let (mut entries, mut number, mut is_over) = (vec![], 0, false);
    for entry in reader {
        assert!(!is_over, "something follows the end");
        match entry {
            Ok(entry) => {
                is_over = matches!(entry, Entry::End(_));
                if let Some(told) = number_of(&entry) {
                    number += 1;
                    assert_eq!(told, number, "numbers count up");
                }
                entries.push(entry);
            }
            Err(error) => {
                is_over = true;
                let words = error.to_string();
                let offset = words.split("byte ").nth(1).expect("a byte").split([' ', ':']).next();
                let offset: usize = offset.expect("a byte").parse().expect("a number");
                assert!(offset <= bytes.len(), "{words}");
            }
        }
    }
    assert_eq!(written_again(&head, &entries), entries);
}

fn number_of(entry: &Entry) -> Option<u64> {
    match entry {
        Entry::Act(act) => Some(act.number),
        Entry::Request(request) => Some(request.number),
        Entry::Rules(_) | Entry::Alert(_) | Entry::End(_) => None,
    }
}

fn written_again(head: &Head, entries: &[Entry]) -> Vec<Entry> {
    let mut bytes = vec![];
    let mut encoder = Encoder::begin(head, &mut bytes);
    let mut end = None;
    for entry in entries {
        match entry {
            Entry::Rules(files) => assert!(encoder.rules(files, &mut bytes)),
            Entry::Act(act) => act.with_act(&head.host, |seen| {
                let (process, container) = (&act.process, act.container.as_ref());
                encoder.act(seen, process, act.ancestors.iter(), container, &mut bytes);
            }),
            Entry::Request(request) => encoder.request(&request.event, &mut bytes),
            Entry::Alert(alert) => encoder.alert(alert, &mut bytes),
            Entry::End(reason) => end = Some(Arc::<str>::from(reason.as_str())),
        }
    }
    if let Some(reason) = end {
        encoder.end(&reason, &mut bytes);
    }
    let reader = Reader::new(&*bytes).unwrap_or_else(|error| panic!("{error}"));
    reader.map_while(Result::ok).collect()
}
