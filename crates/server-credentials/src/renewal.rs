use crate::files::{Clients, Material, TlsError, TlsFiles};
use crate::following::follow;
use rustls::ServerConfig;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Server certificates that follow their files.
pub struct Renewal {
    files: TlsFiles,
    seen: Material,
    clients: watch::Sender<Clients>,
}

impl Renewal {
    /// Reads the files for the first time.
    pub fn begin(files: TlsFiles) -> Result<(Arc<ServerConfig>, Self), TlsError> {
        let seen = files.read()?;
        let clients = files.clients(&seen)?;
        let config = files.configure(&seen, Arc::clone(&clients))?;
        Ok((config, Self { files, seen, clients: watch::Sender::new(clients) }))
    }

    /// Who tells now whether a client's certificate is to be believed.
    pub fn clients(&self) -> watch::Receiver<Clients> {
        self.clients.subscribe()
    }

    /// Calls `renewed` with a new configuration whenever the files changed. While they are
    /// unreadable or do not fit together, the last good one stays.
    pub async fn follow(
        mut self,
        shutdown: CancellationToken,
        renewed: impl Fn(Arc<ServerConfig>) + Send,
    ) {
        let file = self.files.certificate.clone();
        follow("certificate", &file, shutdown, || {
            let config = self.look()?;
            let has_changed = config.is_some();
            config.into_iter().for_each(&renewed);
            Ok::<_, TlsError>(has_changed)
        })
        .await;
    }

    fn look(&mut self) -> Result<Option<Arc<ServerConfig>>, TlsError> {
        let material = self.files.read()?;
        if material == self.seen {
            return Ok(None);
        }
        let clients = self.files.clients(&material)?;
        let config = self.files.configure(&material, Arc::clone(&clients))?;
        self.clients.send_replace(clients);
        self.seen = material;
        Ok(Some(config))
    }
}
