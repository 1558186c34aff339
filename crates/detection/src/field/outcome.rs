//! What came of an act: `evt.res`, `evt.rawres`, `evt.failed`.

use super::errno;
use event_model::{EventKind, NetworkAct};

/// What the call returned, as far as it is known: errors are negative.
///
/// A hook that speaks before the outcome is known does so where the kernel has found the act permitted: that counts as
/// 0. A connection that is being tried is in progress, as the caller is told.
pub(super) fn result(kind: &EventKind) -> Option<i64> {
    let negative = |error: u16| -i64::from(error);
    match kind {
        EventKind::Exec => Some(0),
        EventKind::File(event) => Some(event.error.map_or(0, negative)),
        EventKind::Network(event) if event.act == NetworkAct::Connect => {
            Some(event.error.map_or(-errno::IN_PROGRESS, negative))
        }
        EventKind::Network(event) => Some(event.error.map_or(0, negative)),
        EventKind::System(event) => event.result,
        EventKind::Fork { .. } | EventKind::Exit(_) | EventKind::Dns(_) => None,
    }
}

/// The result by name.
pub(super) fn name(kind: &EventKind) -> Option<&'static str> {
    errno::name(result(kind)?)
}

/// Whether it is an error. A connection that is being tried has not failed yet.
pub(super) fn failed(kind: &EventKind) -> Option<bool> {
    result(kind).map(|result| result < 0 && result != -errno::IN_PROGRESS)
}
