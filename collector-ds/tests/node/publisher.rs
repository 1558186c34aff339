//! A publisher that keeps all records in memory.

use event_model::Record;
use node_link::{ListenConfig, Listener, ReceiveError, Receiver};
use proto::{Envelope, decode_batch};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio_util::sync::CancellationToken;

/// It runs until it is dropped.
pub struct Publisher {
    kept: Arc<Kept>,
    end: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Kept(Mutex<Vec<Record>>);

impl Kept {
    fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receiver for Kept {
    async fn accept(&self, envelope: Envelope) -> Result<(), ReceiveError> {
        let records = decode_batch(&envelope).expect("the sensor sends what can be read");
        self.records().extend(records);
        Ok(())
    }
}

impl Publisher {
    /// Listens on `socket`.
    pub fn start(socket: &Path) -> Self {
        let kept = Arc::new(Kept::default());
        let end = CancellationToken::new();
        let config = ListenConfig {
            socket: socket.to_owned(),
            allowed_uids: vec![0],
            ..ListenConfig::default()
        };
        let (receiver, shutdown) = (Arc::clone(&kept), end.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = Listener::bind(config).await.expect("the socket is free");
                listener.serve(receiver, shutdown).await.expect("the publisher serves");
            });
        });
        Self { kept, end, thread: Some(thread) }
    }

    /// Ends it; what it received is still there.
    pub fn stop(&mut self) {
        self.end.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the publisher ends in peace");
        }
    }

    /// What `look` sees in all that was received so far.
    pub fn look<T>(&self, look: impl FnOnce(&[Record]) -> T) -> T {
        look(&self.kept.records())
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.end.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
