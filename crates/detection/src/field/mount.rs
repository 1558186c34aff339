//! What is mounted in a container.

use super::access::Value;
use crate::test::glob_expression;
use event_model::{Container, Mount};
use regex::Regex;
use std::cell::RefCell;

/// Which part of a mount, or of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum MountPart {
    /// All mounts, as the language writes them.
    All,
    Whole,
    Source,
    Destination,
    Mode,
    Writable,
    Propagation,
}

/// What the language writes for a mount that is not there.
const NOT_THERE: &str = "N/A";

/// The part of the mount that `key` names: its number in the list from 0, or its place in the container (to ask for the place: what is mounted). Missing where the runtime
/// told of no mounts.
pub(super) fn value<'c>(container: &'c Container, part: MountPart, key: &str) -> Option<Value<'c>> {
    let mounts = container.mounts.as_ref()?;
    if part == MountPart::All {
        let all: Vec<String> = mounts.iter().map(written).collect();
        return Some(Value::owned(all.join(" ")));
    }
    let found = match key.parse() {
        Ok(number) => mounts.get::<usize>(number),
        // A place is asked for by what is mounted, everything else by the place.
        Err(_) if part == MountPart::Destination => find(mounts, key, |mount| &mount.source),
        Err(_) => find(mounts, key, |mount| &mount.destination),
    };
    let Some(mount) = found else { return Some(Value::borrowed(NOT_THERE)) };
    Some(match part {
        MountPart::All | MountPart::Whole => Value::owned(written(mount)),
        MountPart::Source => Value::borrowed(&mount.source),
        MountPart::Destination => Value::borrowed(&mount.destination),
        MountPart::Mode => Value::borrowed(&mount.mode),
        MountPart::Writable => Value::borrowed(if mount.writable { "true" } else { "false" }),
        MountPart::Propagation => Value::borrowed(&mount.propagation),
    })
}

fn find<'m>(mounts: &'m [Mount], key: &str, of: impl Fn(&Mount) -> &String) -> Option<&'m Mount> {
    if !key.contains(['*', '?', '[']) {
        return mounts.iter().find(|mount| of(mount) == key);
    }
    with_pattern(key, |pattern| mounts.iter().find(|mount| pattern.is_match(of(mount))))
}

/// Patterns are few, and each is asked for again and again: the last ones are kept, compiled.
fn with_pattern<T>(pattern: &str, ask: impl FnOnce(&Regex) -> Option<T>) -> Option<T> {
    const MOST_KEPT: usize = 32;
    thread_local! {
        static KEPT: RefCell<Vec<(Box<str>, Regex)>> = const { RefCell::new(Vec::new()) };
    }
    KEPT.with_borrow_mut(|kept| {
        if !kept.iter().any(|(known, _)| **known == *pattern) {
            let compiled = Regex::new(&format!("(?s)^(?:{})$", glob_expression(pattern))).ok()?;
            kept.truncate(MOST_KEPT - 1);
            kept.insert(0, (pattern.into(), compiled));
        }
        let (_, compiled) = kept.iter().find(|(known, _)| **known == *pattern)?;
        ask(compiled)
    })
}

/// As the language writes a mount: `SOURCE:DESTINATION:MODE:true|false:PROPAGATION`.
fn written(mount: &Mount) -> String {
    let Mount { source, destination, mode, writable, propagation } = mount;
    format!("{source}:{destination}:{mode}:{writable}:{propagation}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(part: MountPart, key: &str) -> String {
        let mount = |source: &str, destination: &str, writable| Mount {
            source: source.to_owned(),
            destination: destination.to_owned(),
            writable,
            propagation: "rprivate".to_owned(),
            mode: String::new(),
        };
        let mounts =
            Some(vec![mount("proc", "/proc", true), mount("/var/lib/x", "/data/y", false)]);
        let container = Container { mounts, ..Container::default() };
        value(&container, part, key).expect("a value").to_string()
    }

    #[test]
    fn a_mount_is_found_by_its_number_its_place_or_a_pattern() {
        assert_eq!(told(MountPart::Destination, "1"), "/data/y");
        assert_eq!(told(MountPart::Source, "/data/*"), "/var/lib/x");
        assert_eq!(told(MountPart::Destination, "/var/lib/*"), "/data/y");
        assert_eq!(told(MountPart::Destination, "/proc*"), "N/A", "the place, not what lies there");
        assert_eq!(told(MountPart::Destination, "/etc*"), "N/A");
        assert_eq!(told(MountPart::Writable, "/data/y"), "false");
        assert_eq!(
            told(MountPart::All, ""),
            "proc:/proc::true:rprivate /var/lib/x:/data/y::false:rprivate"
        );
        assert_eq!(value(&Container::default(), MountPart::All, ""), None);
    }
}
