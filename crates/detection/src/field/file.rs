//! The files that an act is about: `fs.*` and `file.*`.

use super::access::Value;
use event_model::{FileAct, FileEvent, PathSource};
use std::borrow::Cow;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FileField {
    /// The only path, of acts that have one.
    OnlyPath,
    /// Of acts that have two: where from.
    Source,
    /// Where to.
    Target,
    Path,
    OtherPath,
    HostPath,
    PathSource,
    Created,
    Mode,
    Inode,
    Device,
    Attribute,
}

impl FileField {
    /// Whether such acts have it.
    pub const fn is_told_of(self, act: FileAct) -> bool {
        match self {
            Self::OnlyPath => !has_two_paths(act),
            Self::Source | Self::Target | Self::OtherPath => has_two_paths(act),
            Self::Created => matches!(act, FileAct::Open),
            Self::Attribute => matches!(act, FileAct::Setxattr | FileAct::Mount),
            _ => true,
        }
    }
}

const fn has_two_paths(act: FileAct) -> bool {
    matches!(
        act,
        FileAct::Rename | FileAct::Link | FileAct::Symlink | FileAct::Mount | FileAct::MoveMount
    )
}

pub(super) fn value(event: &FileEvent, field: FileField) -> Option<Value<'_>> {
    if !field.is_told_of(event.act) {
        return None;
    }
    let other = event.other_path.as_deref();
    // A symbolic link points to its other path, and a mount has its device there: both come before the path.
    let path_is_target = matches!(event.act, FileAct::Symlink | FileAct::Mount);
    let text = match field {
        FileField::OnlyPath | FileField::Path => &event.path,
        FileField::Source => {
            if path_is_target {
                other?
            } else {
                &event.path
            }
        }
        FileField::Target => {
            if path_is_target {
                &event.path
            } else {
                other?
            }
        }
        FileField::OtherPath => other?,
        FileField::HostPath => event.host_path.as_deref()?,
        FileField::PathSource => match event.path_source {
            PathSource::Kernel => "kernel",
            PathSource::Caller => "caller",
        },
        FileField::Created => return Some(Value::Boolean(event.created)),
        FileField::Mode => return (event.mode != 0).then(|| Value::Number(event.mode.into())),
        FileField::Inode => return (event.inode != 0).then(|| Value::unsigned(event.inode)),
        FileField::Device => {
            return (event.device != 0).then(|| Value::Number(event.device.into()));
        }
        FileField::Attribute => event.name.as_deref()?,
    };
    (!text.is_empty()).then_some(Value::Text(Cow::Borrowed(text)))
}
