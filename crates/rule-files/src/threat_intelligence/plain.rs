//! Files with a value in each line.

use super::indicator::{Indicator, Kind};
use super::notes::Notes;
use std::path::Path;

/// Hands each line's value to `take`. Empty lines and those that begin with `#` are none; of lists other than command lines, what follows a ` #` is a
/// comment too. Lists of domains may be written as files of hosts are.
pub(super) fn lines(path: &Path, text: &str, notes: &mut Notes, mut take: impl FnMut(Indicator)) {
    let list = list_of(path);
    let kind = Kind::of_list(&list);
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let value = value(line, kind);
        if value.is_empty() {
            continue;
        }
        match kind.objection(value) {
            Some(objection) => notes.of_line(number, || format!("`{}` {objection}", shown(value))),
            None => take(Indicator { list: list.clone(), value: value.to_owned() }),
        }
    }
}

/// What stands before the first dot of the file's name.
fn list_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.split('.').next().unwrap_or_default().to_owned()
}

fn value(line: &str, kind: Kind) -> &str {
    let line = line.trim();
    if line.starts_with('#') {
        return "";
    }
    if kind == Kind::CommandLine {
        return line;
    }
    let line =
        line.split_once(" #").or(line.split_once("\t#")).map_or(line, |(value, _)| value.trim());
    match line.split_once(char::is_whitespace) {
        Some(("0.0.0.0" | "127.0.0.1" | "::" | "::1", host)) if kind == Kind::Domain => host.trim(),
        _ => line,
    }
}

/// As much of it as a message needs.
fn shown(value: &str) -> String {
    value.chars().take(80).flat_map(char::escape_debug).collect()
}
