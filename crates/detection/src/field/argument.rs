//! The arguments of an act: `evt.arg.NAME` and `evt.args`.

use super::access::Value;
use super::socket::{Socket, shown};
use super::symbols;
use crate::Act;
use crate::event_type::Subject;
use event_model::{EventKind, FileAct, FileEvent, NetworkAct, NetworkEvent, SystemEvent};
use std::borrow::Cow;

/// Arguments that repeat others, and stand in no list of all.
const OTHER_NAMES: [&str; 3] = ["path", "filename", "addr"];

/// The arguments that such acts have. None where each act has its own.
fn names(subject: Subject) -> Option<&'static [&'static str]> {
    Some(match subject {
        Subject::Exec => &["flags", "filename", "res"],
        Subject::File(act) => file_names(act),
        Subject::Network(NetworkAct::Socket) => &["domain", "type", "proto", "res"],
        Subject::Network(_) => &["tuple", "addr", "res"],
        Subject::System(_) => return None,
        Subject::Fork | Subject::Exit | Subject::Dns | Subject::Nothing => &[],
    })
}

fn file_names(act: FileAct) -> &'static [&'static str] {
    match act {
        FileAct::Open => &["name", "flags", "mode", "path", "filename", "res"],
        FileAct::Rename | FileAct::MoveMount => &["oldpath", "newpath", "flags", "res"],
        FileAct::Link => &["oldpath", "newpath", "res"],
        FileAct::Symlink => &["target", "linkpath", "res"],
        FileAct::Unlink | FileAct::Rmdir | FileAct::Truncate | FileAct::Utimes => {
            &["path", "name", "filename", "res"]
        }
        FileAct::Mkdir | FileAct::Mknod | FileAct::Chmod => {
            &["path", "name", "filename", "mode", "res"]
        }
        FileAct::Chown => &["path", "name", "filename", "uid", "gid", "res"],
        FileAct::Setxattr => &["path", "name", "res"],
        FileAct::Chattr => &["path", "name", "flags", "res"],
        FileAct::Mount => &["dev", "dir", "type", "flags", "res"],
        FileAct::Umount => &["name", "flags", "res"],
    }
}

/// Whether such acts on files have the argument.
pub(super) fn file_has(act: FileAct, name: &str) -> bool {
    file_names(act).contains(&name)
}

/// Whether acts of that subject have the argument.
pub(super) fn is_told_of(name: &str, subject: Subject) -> bool {
    names(subject).is_none_or(|names| match name.parse() {
        Ok(place) => listed(names).nth(place).is_some(),
        Err(_) => names.contains(&name),
    })
}

/// Those that stand in the list of all.
fn listed(names: &'static [&'static str]) -> impl Iterator<Item = &'static str> {
    names.iter().copied().filter(|name| !OTHER_NAMES.contains(name))
}

/// The value of the argument at a place of the list of all, from 0.
fn at<'a>(act: &Act<'a>, place: usize) -> Option<Value<'a>> {
    match &act.event.kind {
        EventKind::System(event) => system(event, &event.arguments.get(place)?.name),
        kind => {
            let names = names(crate::EventType::from(kind).subject())?;
            value(act, listed(names).nth(place)?)
        }
    }
}

/// The value of an argument.
pub(super) fn value<'a>(act: &Act<'a>, name: &str) -> Option<Value<'a>> {
    if let Ok(place) = name.parse() {
        return at(act, place);
    }
    if name == "res" {
        return super::outcome::name(&act.event.kind).map(borrowed);
    }
    match &act.event.kind {
        EventKind::Exec => match name {
            "flags" => super::text::executable_flags(&act.process.executable).map(borrowed),
            "filename" => present(&act.process.executable.invoked_as),
            _ => None,
        },
        EventKind::File(event) if file_has(event.act, name) => file(event, name),
        EventKind::Network(event) => network(&act.event.kind, event, name),
        EventKind::System(event) => system(event, name),
        _ => None,
    }
}

fn file<'a>(event: &'a FileEvent, name: &str) -> Option<Value<'a>> {
    match name {
        "name" if event.act == FileAct::Setxattr => event.name.as_deref().map(borrowed),
        "name" | "path" | "filename" | "oldpath" | "linkpath" | "dir" => present(&event.path),
        "newpath" | "target" | "dev" => event.other_path.as_deref().map(borrowed),
        "type" => event.name.as_deref().map(borrowed),
        "flags" => Some(owned(event.flag_symbols())),
        "mode" => (event.mode != 0).then(|| owned(symbols::mode(event.mode))),
        "uid" => event.owner.map(|id| user(&id.to_string())),
        "gid" => event.group.map(|id| user(&id.to_string())),
        _ => None,
    }
}

fn network<'a>(kind: &'a EventKind, event: &'a NetworkEvent, name: &str) -> Option<Value<'a>> {
    let socket = Socket::of(kind)?;
    match name {
        "domain" if event.act == NetworkAct::Socket => Some(owned(socket.domain())),
        "type" if event.act == NetworkAct::Socket => Some(owned(socket.socket_type())),
        "proto" if event.act == NetworkAct::Socket => Some(owned(socket.protocol().to_string())),
        "tuple" => socket.name().map(|name| owned(name.to_owned())),
        "addr" => match event.act {
            NetworkAct::Bind | NetworkAct::Listen => socket.local,
            _ => socket.remote,
        }
        .map(|address| owned(shown(address).to_string()))
        .or(socket.path.map(borrowed)),
        _ => None,
    }
}

fn system<'a>(event: &'a SystemEvent, name: &str) -> Option<Value<'a>> {
    let value = event.argument(name)?;
    let names_a_user = matches!(name, "uid" | "ruid" | "euid" | "suid" | "fsuid")
        || matches!(name, "gid" | "rgid" | "egid" | "sgid" | "fsgid");
    Some(if names_a_user { user(value) } else { borrowed(value) })
}

/// The user's or group's name where it is the same everywhere, else the number.
fn user(id: &str) -> Value<'static> {
    if id == "0" { borrowed("root") } else { owned(id.to_owned()) }
}

/// All arguments that have a value, as `name=value` separated by spaces.
pub(super) fn all(act: &Act<'_>) -> Option<String> {
    let written = |name: &str, value: &Value<'_>| format!("{name}={value}");
    let parts: Vec<String> = match &act.event.kind {
        EventKind::System(event) => event
            .arguments
            .iter()
            .filter_map(|argument| Some(written(&argument.name, &system(event, &argument.name)?)))
            .collect(),
        kind => names(crate::EventType::from(kind).subject())?
            .iter()
            .filter(|name| !OTHER_NAMES.contains(*name))
            .filter_map(|name| Some(written(name, &value(act, name)?)))
            .collect(),
    };
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn borrowed(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

fn owned(text: String) -> Value<'static> {
    Value::Text(Cow::Owned(text))
}

fn present(text: &str) -> Option<Value<'_>> {
    (!text.is_empty()).then(|| borrowed(text))
}
