//! The cluster, and who takes what is told of it: processes of their own, outside the limits.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use suite::deadline::wait_for;

/// Pods of the cluster.
pub const PODS: u64 = 150_000;

const MADE_WITHIN: Duration = Duration::from_mins(8);
const REFLECTED_WITHIN: Duration = Duration::from_mins(10);

/// A running cluster and its receiver. Dropped, they are killed.
pub struct Load {
    program: PathBuf,
    folder: PathBuf,
    pub kubeconfig: PathBuf,
    pub socket: PathBuf,
    _processes: [Process; 2],
}

/// A process that is killed with its handle.
pub struct Process(Child);

impl Process {
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Load {
    /// Starts both, and waits until the cluster is made.
    pub fn start(binaries: &Path, folder: &Path) -> Result<Self> {
        let program = binaries.join("cluster-load");
        let (kubeconfig, socket) = (folder.join("kubeconfig"), folder.join("publisher.sock"));
        let start = |name: &str, flag: &str, value: &Path| {
            let mut command = Command::new(&program);
            command.arg(name).arg(flag).arg(value);
            spawn(&mut command, &folder.join(format!("{name}.log")))
        };
        let serve = start("serve", "--kubeconfig", &kubeconfig)?;
        let receive = start("receive", "--socket", &socket)?;
        wait_for("the cluster made", MADE_WITHIN, || {
            ensure!(kubeconfig.exists() && socket.exists(), "not yet");
            Ok(())
        })?;
        let folder = folder.to_owned();
        Ok(Self { program, folder, kubeconfig, socket, _processes: [serve, receive] })
    }

    /// From now on objects change.
    pub fn change(&self) -> Result<()> {
        Ok(fs::write(self.folder.join("change"), "")?)
    }

    /// What came until about a second ago.
    pub fn came(&self) -> Result<Value> {
        last_line(&self.folder.join("receive.log"))
    }

    /// Fills the peer's memory. Gives it, and how long it took in seconds.
    pub fn reflect(&self) -> Result<(Process, f64)> {
        let log = self.folder.join("reflect.log");
        let mut command = Command::new(&self.program);
        let peer = spawn(command.args(["reflect", "--kubeconfig"]).arg(&self.kubeconfig), &log)?;
        let seconds = wait_for("the peer filled", REFLECTED_WITHIN, || {
            last_line(&log)?["seconds"].as_f64().context("no seconds")
        })?;
        Ok((peer, seconds))
    }
}

fn spawn(command: &mut Command, log: &Path) -> Result<Process> {
    let log = File::create(log)?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let child = command.spawn().with_context(|| format!("starting {command:?}"))?;
    Ok(Process(child))
}

/// The last whole line of JSON in a file.
fn last_line(file: &Path) -> Result<Value> {
    let text = fs::read_to_string(file)?;
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let line = whole.lines().last().context("nothing yet")?;
    serde_json::from_str(line).with_context(|| format!("{}: {line}", file.display()))
}
