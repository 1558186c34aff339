//! The publisher's spool: whatever lies in its directory, it opens, hands out what stands whole there, and can be
//! inspected.

use event_model::{Lane, SourceDescription, SourceId};
use prost::Message;
use proto::wire;
use publisher_ds::config::Config;
use publisher_ds::spool::{BACKEND, Outgoing, SpoolConfig, Store, Subscription, answer, tool};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;

/// What a segment and the two kinds of cursor begin with.
const SEGMENT: &[u8] = b"DFSPOOL1";
const CURSORS: [&[u8]; 2] = [b"DFCURSO2", b"DFCURSO1"];

const HEADER_BYTES: usize = 16;

/// Files that are made at most, and envelopes that are handed out.
const MOST_FILES: usize = 16;
const MOST_ENVELOPES: usize = 1 << 12;

const MAXIMUM_BYTES: u64 = 1 << 20;

/// The bytes are a plan of a directory: pieces of a kind, a choice, a length and as many bytes. A piece begins a file or
/// goes on with the one before; frames and cursors are given true checksums, so that changed bytes reach what is read
/// behind them.
pub fn directory(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = folder.path().join("spool");
    let files = lay_out(&spool, bytes);
    let written: HashSet<Vec<u8>> = files.iter().flat_map(|file| bodies(&file.bytes)).collect();
    inspect(&spool);

    let handed_out = run(&spool, bytes.first().copied().unwrap_or(0));
    for envelope in &handed_out {
        assert!(
            is_own(envelope) || written.iter().any(|body| is_of(body, envelope)),
            "what was handed out was never written"
        );
    }
    if files.iter().all(|file| file.name != "cursor") {
        let whole = files.iter().filter(|file| file.is_clean()).flat_map(|file| &file.frames);
        for envelope in whole.filter_map(|body| readable(body)) {
            assert!(handed_out.contains(&envelope), "what stands whole was not handed out");
        }
    }
    inspect(&spool);
    // All of it was acknowledged: nothing of it comes again.
    let again = run(&spool, 0);
    assert!(again.iter().all(is_own), "what was acknowledged came again");
}

/// A file as it was laid out.
#[derive(Default)]
struct Laid {
    name: String,
    bytes: Vec<u8>,
    /// Bodies of the true frames in it.
    frames: Vec<Vec<u8>>,
    /// Nothing but true frames was written to it behind its beginning.
    is_true: bool,
}

impl Laid {
    fn append(&mut self, records: u8, body: &[u8]) {
        frame(&mut self.bytes, records, body);
        self.frames.push(body.to_vec());
    }

    /// A segment without damage, which recovery must hand out whole.
    fn is_clean(&self) -> bool {
        self.is_true && self.name.ends_with(".segment")
    }
}

fn lay_out(spool: &Path, plan: &[u8]) -> Vec<Laid> {
    let mut files: Vec<Laid> = Vec::new();
    let mut rest = plan.get(1..).unwrap_or_default();
    while let [kind, choice, low, high, more @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(more.len());
        let (piece, after) = more.split_at(length);
        rest = after;
        if !matches!(kind % 8, 4 | 5) && files.len() == MOST_FILES {
            break;
        }
        match kind % 8 {
            0 | 1 => files.push(segment(*choice)),
            2 => files.push(cursor(*choice, piece)),
            3 => files.push(other(*choice, piece)),
            // A true frame of any body, and any bytes, behind what stands in the file.
            4 => files.iter_mut().last().into_iter().for_each(|file| file.append(*choice, piece)),
            5 => files.iter_mut().last().into_iter().for_each(|file| {
                file.bytes.extend_from_slice(piece);
                file.is_true &= piece.is_empty();
            }),
            _ => files.iter_mut().last().into_iter().for_each(|file| {
                file.append(*choice, &envelope(*choice, piece).encode_to_vec());
            }),
        }
    }
    write(spool, &mut files);
    files
}

/// The last of each name is the one that stays.
fn write(spool: &Path, files: &mut Vec<Laid>) {
    let mut names = HashSet::new();
    files.reverse();
    files.retain(|file| names.insert(file.name.clone()));
    for file in files.iter() {
        let path = spool.join(&file.name);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("folders");
        fs::write(&path, &file.bytes).expect("a file");
    }
}

fn lane(choice: u8) -> Lane {
    Lane::ALL[usize::from(choice) % Lane::ALL.len()]
}

fn segment(choice: u8) -> Laid {
    let number = [1, 2, 3, 1_u64 << 56][usize::from(choice >> 2) % 4];
    let name = format!("{}/{number:016x}.segment", lane(choice).name());
    Laid { name, bytes: SEGMENT.to_vec(), frames: Vec::new(), is_true: true }
}

fn cursor(choice: u8, content: &[u8]) -> Laid {
    let mut bytes = [CURSORS[usize::from(choice) % 2], content].concat();
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    Laid { name: "cursor".into(), bytes, ..Laid::default() }
}

fn other(choice: u8, content: &[u8]) -> Laid {
    let lane = lane(choice).name();
    let name = match choice >> 2 & 15 {
        0 => "cursor".into(),
        1 => "cursor.new".into(),
        2 => format!("{lane}/0000000000000001.segment"),
        3 => format!("{lane}/0000000000000001.mended"),
        4 => format!("{lane}/0000000000000002.corrupt"),
        5 => format!("{lane}/zz.segment"),
        6 => format!("{lane}/+2.segment"),
        // The last of all numbers has no next one.
        7 => format!("{lane}/ffffffffffffffff.segment"),
        _ => format!("{lane}/.segment"),
    };
    Laid { name, bytes: content.to_vec(), ..Laid::default() }
}

fn frame(file: &mut Vec<u8>, records: u8, body: &[u8]) {
    let length = u32::try_from(body.len()).expect("a piece is short");
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(&length.to_le_bytes());
    header[4..8].copy_from_slice(&u32::from(records).to_le_bytes());
    header[8..12].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    let own = crc32fast::hash(&header[..12]);
    header[12..].copy_from_slice(&own.to_le_bytes());
    file.extend_from_slice(&header);
    file.extend_from_slice(body);
}

fn envelope(choice: u8, payload: &[u8]) -> wire::Envelope {
    wire::Envelope {
        source_id: vec![choice % 4 + 1; 16],
        lane: proto::lane_to_wire(lane(choice)).into(),
        first_sequence: u64::from(choice),
        count: u32::from(choice / 16) + 1,
        encoding: wire::Encoding::Protobuf.into(),
        checksum: crc32fast::hash(payload),
        payload: payload.to_vec().into(),
    }
}

/// Bodies of all frames that stand anywhere in a file, by another way than the spool's.
fn bodies(file: &[u8]) -> Vec<Vec<u8>> {
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"));
    let mut found = Vec::new();
    for at in 0..file.len().saturating_sub(HEADER_BYTES - 1) {
        let is_header = crc32fast::hash(&file[at..at + 12]) == number(at + 12);
        let body_at = at + HEADER_BYTES;
        let body = file.get(body_at..body_at.saturating_add(number(at) as usize));
        let is_whole = |body: &&[u8]| is_header && crc32fast::hash(body) == number(at + 8);
        found.extend(body.filter(is_whole).map(<[u8]>::to_vec));
    }
    found
}

fn is_of(body: &[u8], envelope: &wire::Envelope) -> bool {
    wire::Envelope::decode(body).is_ok_and(|it| it == *envelope)
}

/// An envelope that has a source and records, as each of a collector has.
fn readable(body: &[u8]) -> Option<wire::Envelope> {
    wire::Envelope::decode(body).ok().filter(|it| it.source_id.len() == 16 && it.count > 0)
}

fn own() -> SourceDescription {
    SourceDescription { id: SourceId(Uuid::from_bytes([0xee; 16])), ..stand_ins::description() }
}

/// Reports of loss are the publisher's own.
fn is_own(envelope: &wire::Envelope) -> bool {
    envelope.source_id == [0xee; 16]
}

/// Opens the spool for two destinations, one of which answers what no backend would, and hands out all to each. Gives
/// what the first got.
fn run(spool: &Path, choice: u8) -> Vec<wire::Envelope> {
    let config = SpoolConfig {
        directory: spool.to_owned(),
        maximum_bytes: MAXIMUM_BYTES,
        segment_bytes: 4 << 10,
        maximum_age: Duration::ZERO,
        patience: Duration::ZERO,
    };
    let destinations: [Subscription; 2] = [BACKEND.into(), "siem".into()];
    let mut store = Store::open(config, &own(), &destinations).expect("the spool opens");
    let mut all = Vec::new();
    for to in [1, 0] {
        all.clear();
        // What is answered to things that were never handed out changes nothing.
        store.acknowledge(to, lane(choice), SourceId(Uuid::nil()), u64::MAX);
        loop {
            let taken = store.take(to, u64::MAX, 0, u64::MAX, 64);
            if taken.is_empty() {
                break;
            }
            assert!(all.len() < MOST_ENVELOPES, "it hands out without end");
            for outgoing in &taken {
                settle(&mut store, to, outgoing, choice);
            }
            all.extend(taken.into_iter().map(|outgoing| outgoing.envelope));
        }
        store.save_cursor();
    }
    store.keep_house();
    assert!(store.bytes() <= MAXIMUM_BYTES + (64 << 10));
    all
}

/// An envelope is acknowledged by the lane that it says it is of, and by all others.
fn settle(store: &mut Store, to: usize, outgoing: &Outgoing, choice: u8) {
    let envelope = &outgoing.envelope;
    let source = SourceId(Uuid::from_slice(&envelope.source_id).expect("a frame has a source"));
    let last = envelope.first_sequence.saturating_add(envelope.count.into());
    for lane in Lane::ALL {
        if to == 1 && choice & 1 == 1 {
            let reason = event_model::LossReason::Rejected;
            store.reject(to, lane, source, envelope.first_sequence, reason);
        } else {
            store.acknowledge(to, lane, source, last);
        }
    }
}

/// What a person is shown ends, whatever it is.
fn inspect(spool: &Path) {
    if !spool.is_dir() {
        return;
    }
    for act in [&["ls"][..], &["verify"], &["dump"], &["dump", "--records"]] {
        let command = ["spool", "--directory"].iter().map(PathBuf::from);
        let command = command.chain([spool.to_owned()]).chain(act.iter().map(PathBuf::from));
        let matches = (tool().command)().try_get_matches_from(command).expect("a command line");
        let mut out = Vec::new();
        // Records that can't be decoded are an error of `dump --records`.
        let _ = answer(&matches, Config::default(), &mut out);
        assert!(std::str::from_utf8(&out).is_ok());
    }
}
