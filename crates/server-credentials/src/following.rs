//! Files that are read again when they change.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a file is compared with what was read last: a renewal by Kubernetes swaps a symbolic link, which no
/// watch of the file itself would notice.
const INTERVAL: Duration = Duration::from_secs(2);

/// Calls `look` until shutdown: it takes up what changed, and says whether anything did. A file that can't be used
/// is told once; what was read last stays.
pub async fn follow<E: Display>(
    what: &str,
    file: &Path,
    shutdown: CancellationToken,
    mut look: impl FnMut() -> Result<bool, E>,
) {
    let mut complained = false;
    while shutdown.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        match look() {
            Ok(changed) => {
                if changed {
                    tracing::info!(file = %file.display(), "{what} renewed");
                }
                complained = false;
            }
            Err(error) if complained => tracing::debug!(%error, "{what} not renewed"),
            Err(error) => {
                tracing::warn!(%error, "{what} not renewed: the last good one stays");
                complained = true;
            }
        }
    }
}
