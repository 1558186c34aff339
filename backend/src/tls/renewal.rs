use super::files::{Material, TlsError, TlsFiles};
use rustls::ServerConfig;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the files are compared with what was read last: a renewal by Kubernetes swaps a
/// symbolic link, which no watch of the file itself would notice.
const INTERVAL: Duration = Duration::from_secs(2);

/// Server certificates that follow their files.
pub struct Renewal {
    files: TlsFiles,
    seen: Material,
}

impl Renewal {
    /// Reads the files for the first time.
    pub fn begin(files: TlsFiles) -> Result<(Arc<ServerConfig>, Self), TlsError> {
        let seen = files.read()?;
        let config = files.configure(&seen)?;
        Ok((config, Self { files, seen }))
    }

    /// Calls `renewed` with a new configuration whenever the files changed. While they are
    /// unreadable or do not fit together, the last good one stays.
    pub async fn follow(
        mut self,
        shutdown: CancellationToken,
        renewed: impl Fn(Arc<ServerConfig>) + Send,
    ) {
        let mut complained = false;
        while shutdown.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
            match self.look() {
                Ok(None) => {}
                Ok(Some(config)) => {
                    tracing::info!(file = %self.files.certificate.display(), "certificate renewed");
                    complained = false;
                    renewed(config);
                }
                Err(error) if complained => tracing::debug!(%error, "certificate not renewed"),
                Err(error) => {
                    tracing::warn!(%error, "certificate not renewed: the last good one stays");
                    complained = true;
                }
            }
        }
    }

    fn look(&mut self) -> Result<Option<Arc<ServerConfig>>, TlsError> {
        let material = self.files.read()?;
        if material == self.seen {
            return Ok(None);
        }
        let config = self.files.configure(&material)?;
        self.seen = material;
        Ok(Some(config))
    }
}
