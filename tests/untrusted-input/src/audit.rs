//! Lines of a Kubernetes audit file, and bodies of its webhook: clients of the API server choose much of what is in them.

use collector_ds::audit::{Line, Lines};
use event_model::AuditEvent;
use kubernetes_audit::{EventList, Item, ListError};
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

/// The first byte says how large an event may be, the second how the body comes in pieces; the rest is the body.
pub fn list(bytes: &[u8]) {
    let [most, piece, body @ ..] = bytes else { return };
    let most = LONGEST[usize::from(*most) % LONGEST.len()];
    let (items, outcome) = items(body, usize::from(*piece) + 1, most);
    let whole = self::items(body, usize::MAX, most);
    assert_eq!((&items, &outcome), (&whole.0, &whole.1), "pieces change nothing");
    if let Ok(list) = serde_json::from_slice::<Value>(body) {
        is_as_a_parser_finds(&list, &items, outcome.is_ok(), most);
    }
    for item in items.into_iter().flatten() {
        if let Ok(event) = kubernetes_audit::parse_item(&item) {
            is_bounded(&event);
            holds_no_secret(&event);
        }
    }
}

/// The items as the receiver finds them, None for one that is too large, and what is wrong with the list.
fn items(body: &[u8], piece: usize, most: usize) -> (Vec<Option<Vec<u8>>>, Result<(), ListError>) {
    let mut list = EventList::new(most);
    let mut items = vec![];
    for mut piece in body.chunks(piece) {
        while !piece.is_empty() {
            let (taken, item) = match list.push(piece) {
                Ok(taken) => taken,
                Err(error) => return (items, Err(error)),
            };
            assert!(taken > 0 || item.is_some(), "it goes on");
            items.extend(item.map(|item| match item {
                Item::Whole(json) => Some(json.to_vec()),
                Item::TooLarge => None,
            }));
            piece = &piece[taken..];
        }
        assert!(list.held_bytes() <= most, "{} bytes are held", list.held_bytes());
    }
    let outcome = list.end();
    (items, outcome)
}

/// A body that is JSON is a list where a parser says so, and has the same items.
fn is_as_a_parser_finds(list: &Value, items: &[Option<Vec<u8>>], is_list: bool, most: usize) {
    let is_named = list["kind"] == "EventList" && list["apiVersion"] == "audit.k8s.io/v1";
    let none = vec![];
    let expected = match &list["items"] {
        Value::Array(expected) => expected,
        _ => &none,
    };
    if !is_list {
        return;
    }
    assert!(is_named, "{list}");
    assert_eq!(items.len(), expected.len());
    for (item, expected) in items.iter().zip(expected) {
        let Some(item) = item else {
            assert!(most < LONGEST[0]);
            continue;
        };
        assert_eq!(&serde_json::from_slice::<Value>(item).expect("JSON"), expected);
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
