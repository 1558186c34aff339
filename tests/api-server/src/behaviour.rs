//! What may differ between real servers, and what a server does when all goes wrong.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a watch is answered whose version is too old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoneAs {
    /// 200, then an ERROR event: the usual answer.
    #[default]
    Event,
    /// HTTP 410.
    Response,
}

/// What becomes of `sendInitialEvents`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Streaming {
    /// Taken.
    #[default]
    Offered,
    /// 422, as with the feature gate switched off.
    Refused,
    /// As if it had not been asked: the end of the initial events is never told.
    Ignored,
}

/// What can be changed while the server runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", default, deny_unknown_fields)]
pub struct Behaviour {
    /// What becomes of `sendInitialEvents`.
    pub streaming: Streaming,
    /// How a version that is gone is told.
    pub gone_as: GoneAs,
    /// Time between the bookmarks of a watch: a minute at real servers.
    pub bookmark_every: Duration,
    /// Watches stand, but tell nothing, nor end.
    pub is_silent: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            streaming: Streaming::default(),
            gone_as: GoneAs::default(),
            bookmark_every: Duration::from_mins(1),
            is_silent: false,
        }
    }
}
