//! Reads processes in threads that may be left behind. A process that is stuck in the kernel, because a file server
//! is gone, holds up whoever reads its command line or looks at its program until the server is back.

use super::cgroups::Hierarchies;
use super::process::{Reader, Unreadable};
use ebpf_probes::ExecRecord;
use event_model::ProcessKey;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// After so many stuck processes the rest is left unread: each costs the sensor its patience, and a thread.
const MAXIMUM_STUCK: usize = 4;

/// A process with its parent's id.
pub type Found = (ExecRecord, u32);

/// What a thread tells of one process: None where it is gone, or a thread of the kernel's.
type Outcome = (Option<Found>, Unreadable);

/// Which processes are to be read, and how.
pub struct Readers {
    pub proc_root: PathBuf,
    pub hierarchies: Hierarchies,
    /// The processes that the kernel has listed, without their arguments.
    pub listed: Arc<HashMap<ProcessKey, ExecRecord>>,
    pub pids: Vec<u32>,
    /// How long one process may take.
    pub patience: Duration,
}

impl Readers {
    /// Reads the processes, but for those that are stuck; they stand among the problems, and with all that nobody came to
    /// among the unread.
    pub fn read(self, unread: &mut Vec<u32>, problems: &mut Vec<String>) -> Vec<Found> {
        let readers = Arc::new(self);
        let mut found = vec![];
        let mut unreadable = Unreadable::default();
        let mut stuck = vec![];
        let mut next = 0;
        while next < readers.pids.len() && stuck.len() < MAXIMUM_STUCK {
            let outcomes = match readers.start(next) {
                Ok(outcomes) => outcomes,
                Err(error) => {
                    problems.push(format!("running processes can't be listed: {error}"));
                    break;
                }
            };
            loop {
                match outcomes.recv_timeout(readers.patience) {
                    Ok((process, also_unreadable)) => {
                        found.extend(process);
                        unreadable.add(&also_unreadable);
                        next += 1;
                    }
                    Err(RecvTimeoutError::Disconnected) if next == readers.pids.len() => break,
                    Err(_) => {
                        stuck.push(readers.pids[next]);
                        next += 1;
                        break;
                    }
                }
            }
        }
        unread.extend(stuck.iter().chain(readers.pids.iter().skip(next)));
        problems.extend(unreadable.problem());
        problems.extend(stuck_problem(&stuck));
        found
    }

    /// Starts a thread that reads from the process at place `from` on.
    fn start(self: &Arc<Self>, from: usize) -> io::Result<Receiver<Outcome>> {
        let (outcomes, told) = mpsc::channel();
        let readers = Arc::clone(self);
        thread::Builder::new().name("snapshot".to_owned()).spawn(move || {
            for pid in readers.pids.iter().skip(from) {
                let mut unreadable = Unreadable::default();
                let mut reader = Reader {
                    proc_root: &readers.proc_root,
                    hierarchies: &readers.hierarchies,
                    listed: &readers.listed,
                    unreadable: &mut unreadable,
                };
                let found = reader.read(*pid);
                // Nobody listens to one that was left behind.
                if outcomes.send((found, unreadable)).is_err() {
                    return;
                }
            }
        })?;
        Ok(told)
    }
}

fn stuck_problem(stuck: &[u32]) -> Option<String> {
    let pids: Vec<_> = stuck.iter().map(u32::to_string).collect();
    let rest = if stuck.len() < MAXIMUM_STUCK { "" } else { ", and no more were read" };
    (!stuck.is_empty()).then(|| {
        format!(
            "running processes can't be read, they are stuck in the kernel (state D): {}{rest}. Often a file server is gone",
            pids.join(", ")
        )
    })
}
