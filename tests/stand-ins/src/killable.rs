use std::future::Future;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

const PATIENCE: Duration = Duration::from_mins(2);

/// A server in a thread and runtime of its own, so that it can end like a killed process. It ends when this is
/// dropped.
pub struct Killable {
    kill: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Killable {
    /// Starts a server, and waits until it says through the channel that it is ready: where it listens, say.
    pub fn start<T, F>(serve: impl FnOnce(mpsc::Sender<T>) -> F + Send + 'static) -> (Self, T)
    where
        T: Send + 'static,
        F: Future<Output = ()>,
    {
        let (kill, killed) = oneshot::channel();
        let (ready, is_ready) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("the server's runtime does not start");
            runtime.block_on(async {
                tokio::select! {
                    () = serve(ready) => {}
                    _ = killed => {}
                }
            });
            runtime.shutdown_background();
        });
        let server = Self { kill: Some(kill), thread: Some(thread) };
        let told = is_ready.recv_timeout(PATIENCE).expect("the server was never ready");
        (server, told)
    }
}

impl Drop for Killable {
    /// Without a word to those who are connected.
    fn drop(&mut self) {
        if let Some(kill) = self.kill.take() {
            let _ = kill.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
