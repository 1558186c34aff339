use kube::Error as ClientError;
use kube::runtime::watcher::{Config, Error as WatchError};

/// Objects in a page of a list: what is in memory at once.
const PAGE: u32 = 100;

/// How the first state of all objects is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// One watch that begins with all objects, one by one: least memory on both sides. Servers
    /// from Kubernetes 1.27 on offer it, those before 1.34 only where it is switched on.
    Streamed,
    /// Page by page, then a watch. Every server offers it.
    Paged,
}

impl Strategy {
    /// The watcher's configuration.
    pub(crate) fn config(self) -> Config {
        match self {
            Self::Streamed => Config::default().streaming_lists(),
            // Not from the server's cache (`any_semantic`): that ignores the page size.
            Self::Paged => Config::default().page_size(PAGE),
        }
    }

    /// Whether `error` says that the server does not offer this strategy.
    pub(crate) fn is_refused_by(self, error: &WatchError) -> bool {
        let WatchError::WatchStartFailed(ClientError::Api(status)) = error else { return false };
        // Validation answers 422, and old servers 400: "sendInitialEvents is forbidden for watch
        // unless the WatchList feature gate is enabled".
        self == Self::Streamed && matches!(status.code, 400 | 422)
    }
}
