//! Reads files anew that say what to look for: rules, and what belongs to them.
//!
//! Their folder is looked at each second. A change counts once it is a second old, so that a file is not read while it is being
//! written; SIGHUP has all read at once. What was read and compiled is handed on whole, or the reason why it could not be.

use rule_files::{RulePaths, Stamp};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Between looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What was read, or what is wrong with it.
pub type Reloaded<T> = Result<T, String>;

/// Files that are read anew when they change.
pub struct Reload {
    paths: RulePaths,
    loaded: Stamp,
    hangups: Signal,
}

impl Reload {
    /// Of these files and folders. To be made before they are read for the first time: what changes meanwhile is read again.
    /// From now on no SIGHUP ends the program. Needs a tokio runtime.
    ///
    /// # Errors
    /// The signal can't be listened to.
    pub fn of(paths: RulePaths) -> std::io::Result<Self> {
        let loaded = Stamp::of(&paths);
        Ok(Self { paths, loaded, hangups: signal(SignalKind::hangup())? })
    }

    /// Hands on what `load` reads, after each change and each SIGHUP, until `shutdown`. `load` runs on a thread of its own: compiling
    /// takes its time.
    pub async fn run<T: Send + 'static>(
        mut self,
        load: impl Fn() -> Reloaded<T> + Clone + Send + 'static,
        hand_on: mpsc::Sender<Reloaded<T>>,
        shutdown: CancellationToken,
    ) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = self.loaded.clone();
        loop {
            let is_asked_for = tokio::select! {
                () = shutdown.cancelled() => return,
                _ = self.hangups.recv() => true,
                _ = looks.tick() => false,
            };
            let now = Stamp::of(&self.paths);
            let rests = now == std::mem::replace(&mut seen, now.clone());
            if !is_asked_for && (!rests || now == self.loaded) {
                continue;
            }
            self.loaded = now;
            if hand_on.send(on_a_thread(load.clone()).await).await.is_err() {
                return;
            }
        }
    }
}

/// A thread that ends gives back the memory that reading took; one that waits for the next time would keep it.
async fn on_a_thread<T: Send + 'static>(
    load: impl FnOnce() -> Reloaded<T> + Send + 'static,
) -> Reloaded<T> {
    let (hand_on, read) = oneshot::channel();
    // Nobody waits for it any more where it can't be handed on.
    let work = move || drop(hand_on.send(load()));
    std::thread::Builder::new()
        .name("reload".to_owned())
        .spawn(work)
        .map_err(|error| format!("they can't be read, for want of a thread: {error}"))?;
    read.await.unwrap_or_else(|_| Err("they can't be read: the thread that does ended".to_owned()))
}
