//! What an act's file descriptor stands for: `fd.*`.

use super::access::Value;
use super::socket::Socket;
use event_model::{EventKind, FileAct, FileEvent, NetworkAct};
use std::borrow::Cow;

/// The type bits of a file mode, and a directory's. `include/uapi/linux/stat.h`
const TYPE_BITS: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum DescriptorField {
    Number,
    Type,
    Letter,
    Name,
    Directory,
    FileName,
    Transport,
    Addressing,
    Connected,
    NameChanged,
}

impl DescriptorField {
    /// Files have it too, not sockets alone.
    pub const fn is_of_files(self) -> bool {
        matches!(
            self,
            Self::Number
                | Self::Type
                | Self::Letter
                | Self::Name
                | Self::Directory
                | Self::FileName
        )
    }

    pub const fn is_of_sockets(self) -> bool {
        !matches!(self, Self::Directory | Self::FileName)
    }
}

/// The value of a field but for [`DescriptorField::Name`] of a socket, which is put together.
pub(super) fn value(kind: &EventKind, field: DescriptorField) -> Option<Value<'_>> {
    match kind {
        EventKind::File(event) if event.act == FileAct::Open => file(event, field),
        EventKind::Network(_) | EventKind::Dns(_) | EventKind::System(_) => {
            socket(kind, &Socket::of(kind)?, field)
        }
        _ => None,
    }
}

fn file(event: &FileEvent, field: DescriptorField) -> Option<Value<'_>> {
    let has_failed = event.error.is_some_and(|error| error != 0);
    let is_directory = event.mode & TYPE_BITS == DIRECTORY;
    let text = match field {
        DescriptorField::Number => return Some(Value::Number(if has_failed { -1 } else { 0 })),
        DescriptorField::Name => &event.path,
        DescriptorField::Directory => directory(&event.path),
        DescriptorField::FileName => event.path.rsplit('/').next().unwrap_or_default(),
        // What was not opened has no mode.
        DescriptorField::Type | DescriptorField::Letter if event.mode == 0 && !has_failed => "",
        DescriptorField::Type if is_directory => "directory",
        DescriptorField::Type => "file",
        DescriptorField::Letter if is_directory => "d",
        DescriptorField::Letter => "f",
        _ => "",
    };
    (!text.is_empty()).then_some(Value::Text(Cow::Borrowed(text)))
}

/// What stands before the last slash; `/` for what lies there.
fn directory(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) => "/",
        Some(end) => &path[..end],
        None => "",
    }
}

fn socket<'a>(
    kind: &'a EventKind,
    socket: &Socket<'a>,
    field: DescriptorField,
) -> Option<Value<'a>> {
    let truth = |truth| Some(Value::Boolean(truth));
    let is_datagram =
        matches!(kind, EventKind::Network(event) if event.act == NetworkAct::Datagram);
    let text = match field {
        DescriptorField::Number => {
            let EventKind::System(event) = kind else { return None };
            return event.result.map(Value::Number);
        }
        // A datagram's socket that had its other end before told of it with a connect.
        DescriptorField::Connected if is_datagram => return truth(false),
        DescriptorField::Connected => return connected(kind).map(Value::Boolean),
        // Datagrams are told when their other end is a new one.
        DescriptorField::NameChanged => return truth(is_datagram),
        DescriptorField::Type => socket.kind()?,
        DescriptorField::Letter => socket.letter()?,
        DescriptorField::Transport => socket.transport()?,
        DescriptorField::Addressing => socket.addressing()?,
        DescriptorField::Name | DescriptorField::Directory | DescriptorField::FileName => {
            return None;
        }
    };
    Some(Value::Text(Cow::Borrowed(text)))
}

/// None where the outcome is not known.
fn connected(kind: &EventKind) -> Option<bool> {
    let EventKind::Network(event) = kind else { return None };
    match event.act {
        NetworkAct::Connect => event.error.map(|error| error == 0),
        NetworkAct::Accept | NetworkAct::Close => Some(true),
        _ => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::directory;

    #[test]
    fn a_path_s_directory_has_no_slash_at_its_end() {
        let directories = ["/etc/pam.d/su", "/etc", "/", "memfd:x"].map(directory);
        assert_eq!(directories, ["/etc/pam.d", "/", "/", ""]);
    }
}
