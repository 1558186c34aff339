//! Lines of a Kubernetes audit file: clients of the API server choose much of what is in them.

use collector_ds::audit::{Line, Lines};
use event_model::AuditEvent;
use serde_json::Value;

/// The longest line that is kept here, in the manner of the first byte.
const LONGEST: [usize; 4] = [8 << 20, 4096, 64, 0];

/// What is kept of one event, at most: its object of 64 KiB, names, groups, annotations.
const EVENT: usize = 512 << 10;

/// The first byte says how long a line may be, the second how the file comes in pieces; the rest is the file.
pub fn lines(bytes: &[u8]) {
    let [longest, piece, file @ ..] = bytes else { return };
    let longest = LONGEST[usize::from(*longest) % LONGEST.len()];
    let read = read(file, usize::from(*piece) + 1, longest);
    assert_eq!(read, split(file, longest), "pieces change nothing");
    for line in read.into_iter().flatten() {
        if let Ok(event) = kubernetes_audit::parse(&line) {
            is_bounded(&event);
            holds_no_secret(&event);
        }
    }
}

/// The lines as the sensor reads them; None for one that is too long.
fn read(file: &[u8], piece: usize, longest: usize) -> Vec<Option<Vec<u8>>> {
    let mut taken = vec![];
    let mut take = |line: Line<'_>| {
        taken.push(match line {
            Line::Whole(line) => Some(line.to_vec()),
            Line::TooLong => None,
            Line::Cut => panic!("nothing was cut"),
        });
    };
    let mut lines = Lines::new(longest);
    for piece in file.chunks(piece) {
        lines.push(piece, &mut take);
    }
    lines.end(&mut take);
    assert_eq!(lines.pending(), 0);
    taken
}

/// The same in one go.
fn split(file: &[u8], longest: usize) -> Vec<Option<Vec<u8>>> {
    let mut lines: Vec<_> = file.split(|byte| *byte == b'\n').collect();
    // No line begins after the last end of line.
    lines.pop_if(|last| last.is_empty());
    lines.into_iter().map(|line| (line.len() <= longest).then(|| line.to_vec())).collect()
}

fn is_bounded(event: &AuditEvent) {
    assert!(event.user.groups.len() <= 64 && event.source_ips.len() <= 64);
    assert!(event.annotations.len() <= 32 && event.user.extra.len() <= 32);
    assert!(event.request_object.as_ref().is_none_or(|object| object.len() <= 64 << 10));
    let size = serde_json::to_vec(event).expect("an event is JSON").len();
    assert!(size <= EVENT, "{size} bytes of one event");
}

/// Of a secret its names are kept, never its values.
fn holds_no_secret(event: &AuditEvent) {
    let Some(object) = &event.request_object else { return };
    let object: Value = serde_json::from_str(object).expect("what is kept is JSON");
    let is_of_secrets = event.object.as_ref().is_some_and(|object| object.resource == "secrets");
    if is_of_secrets || object["kind"] == "Secret" {
        for content in [&object["data"], &object["stringData"]] {
            assert!(is_trimmed(content), "{object}");
        }
    }
    assert!(object["metadata"]["managedFields"].is_null(), "{object}");
}

fn is_trimmed(value: &Value) -> bool {
    match value {
        Value::String(text) => text == "(removed)",
        Value::Number(_) => false,
        Value::Array(values) => values.iter().all(is_trimmed),
        Value::Object(fields) => fields.values().all(is_trimmed),
        Value::Null | Value::Bool(_) => true,
    }
}
