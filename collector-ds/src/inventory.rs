//! What is there: packages, images, listening ports, users. Scanned now and then by a thread of its own that takes
//! a twentieth of a processor at most, and told as changes; a full snapshot at the start and for each new publisher.
//!
//! ```text
//! packages, images, ports, users ──▶ scanner ──▶ ledger (hashes of what was told) ──▶ publisher-ds
//! ```
//!
//! Files of containers are their owners' to write: see [`root`] for how they are opened, and [`limits`] for how much
//! is taken of them. What was passed over stands among the sensor's problems.

mod apk;
mod config;
mod dpkg;
mod images;
mod languages;
mod ledger;
pub mod limits;
mod npm;
mod operating_system;
pub mod pace;
pub mod packages;
mod ports;
pub mod proc_net;
mod python;
mod root;
mod rpm;
mod scanner;
#[cfg(test)]
mod testing;
mod users;
mod view;

pub use config::InventoryConfig;
pub use root::{Root, Skipped};
pub use scanner::Scanner;
pub use view::{NodeView, ViewRequest};

use crate::publish::Outlet;
use event_model::Timestamp;
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc as asynchronous;

/// After so long a scan is held to be stuck: on a file system of which the server is gone, most often.
const STUCK_AFTER: Duration = Duration::from_mins(30);

/// The scanning thread, seen from outside.
pub struct Inventory {
    /// None: there is no inventory.
    commands: Option<Sender<()>>,
    standing: Arc<Standing>,
}

/// How the scans stand.
#[derive(Debug, Default)]
pub struct Standing {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    problems: Vec<String>,
    began: Option<Instant>,
}

impl Standing {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) {
        self.state().began = Some(Instant::now());
    }

    fn end(&self, problems: Vec<String>) {
        *self.state() = State { problems, began: None };
    }
}

impl Inventory {
    /// Starts the thread. It asks for views of the node by the receiver that is returned.
    pub fn start<O: Outlet + Send + 'static>(
        config: InventoryConfig,
        host_root: PathBuf,
        proc_root: PathBuf,
        outlet: O,
    ) -> (Self, asynchronous::Receiver<ViewRequest>) {
        let (requests, asked) = asynchronous::channel(1);
        let (commands, commanded) = mpsc::channel();
        let standing = Arc::<Standing>::default();
        if !config.enabled {
            return (Self { commands: None, standing }, asked);
        }
        let reported = Arc::clone(&standing);
        let thread = std::thread::Builder::new().name("inventory".to_owned()).spawn(move || {
            let interval = Duration::from_secs(config.interval_seconds);
            let mut scanner = Scanner::new(config, host_root, proc_root);
            while wait(&commanded, interval, &mut scanner) {
                let Some(view) = view::ask(&requests) else { return };
                if outlet.take_inventory_loss() {
                    scanner.tell_again();
                }
                reported.begin();
                let problems = scanner.scan(&view, Timestamp::now(), &|record| outlet.send(record));
                reported.end(problems);
            }
        });
        if let Err(error) = thread {
            let problem = format!("there is no inventory: its thread can't be started: {error}");
            standing.end(vec![problem]);
        }
        (Self { commands: Some(commands), standing }, asked)
    }

    /// Tells everything anew, as to a publisher that may have lost it.
    pub fn tell_again(&self) {
        if let Some(commands) = &self.commands {
            // An error means that the thread has ended, which its problems tell.
            let _ = commands.send(());
        }
    }

    /// What could not be taken.
    pub fn problems(&self) -> Vec<String> {
        let state = self.standing.state();
        let stuck = state.began.filter(|began| began.elapsed() > STUCK_AFTER).map(|began| {
            let minutes = began.elapsed().as_secs() / 60 / 10 * 10;
            format!("the inventory is not up to date: its scan has not ended for {minutes} minutes")
        });
        state.problems.iter().cloned().chain(stuck).collect()
    }
}

/// Waits until the next scan is due; false where the sensor has ended.
fn wait(commanded: &mpsc::Receiver<()>, interval: Duration, scanner: &mut Scanner) -> bool {
    // Names of containers arrive within seconds of the start; and a publisher that comes and goes is not told everything
    // each time.
    let least = if scanner.has_scanned() { limits::LEAST_PAUSE } else { limits::FIRST_AFTER };
    let end = Instant::now() + if scanner.has_scanned() { interval.max(least) } else { least };
    let earliest = Instant::now() + least;
    let mut until = end;
    loop {
        match commanded.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(()) => {
                scanner.tell_again();
                until = earliest;
            }
            Err(mpsc::RecvTimeoutError::Timeout) => return true,
            Err(mpsc::RecvTimeoutError::Disconnected) => return false,
        }
    }
}
