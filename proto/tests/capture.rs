//! Entries of captures: what is too heavy to be decoded is refused before it is.

use proto::wire::capture_entry::Entry;
use proto::wire::{Alert, CaptureEnd, CapturedAct, Process};
use proto::{BatchError, decode_capture_entry, encode_capture_entry};

fn encoded(entry: Entry) -> Vec<u8> {
    let mut bytes = vec![];
    encode_capture_entry(entry, &mut bytes);
    bytes
}

#[test]
fn an_entry_is_decoded_as_it_was_encoded() {
    let entry = Entry::End(CaptureEnd { reason: "the end".to_owned() });
    let decoded = decode_capture_entry(&encoded(entry.clone())).expect("an entry");
    assert_eq!(decoded.entry, Some(entry));
}

#[test]
fn few_bytes_that_become_many_are_refused() {
    let process_chain = vec![Process::default(); 1 << 18];
    let alert = Entry::Alert(Alert { process_chain, ..Alert::default() });
    let act = Entry::Act(CapturedAct { ancestors: vec![1; 9 << 20], ..CapturedAct::default() });
    for entry in [alert, act] {
        let bytes = encoded(entry);
        assert!(bytes.len() < 10 << 20);
        let refusal = decode_capture_entry(&bytes).expect_err("it is too heavy");
        assert!(matches!(refusal, BatchError::Heavy { .. }), "{refusal}");
    }
}

#[test]
fn an_entry_that_is_too_long_is_refused() {
    let refusal = decode_capture_entry(&vec![0; proto::MAXIMUM_ENTRY_BYTES + 1]);
    assert!(matches!(refusal, Err(BatchError::TooLarge)));
}
