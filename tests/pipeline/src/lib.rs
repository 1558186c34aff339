//! What the pipeline tests begin with: the suite, started in a folder of its own, and a container to act in.

pub mod numbered;

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use suite::configuration::Places;
use suite::docker::{Docker, PodNames};
use suite::program::Launch;
use suite::{Machine, Options};
use tempfile::TempDir;

/// A suite that is ready, with an engine to run containers.
pub struct Fixture {
    /// The suite.
    pub machine: Machine,
    /// The engine.
    pub docker: Docker,
    /// Holds the suite's files until the test ends.
    pub folder: TempDir,
}

impl Fixture {
    /// Starts all programs but collector-misc and waits until they are ready.
    pub fn start() -> Result<Self> {
        let folder = TempDir::new()?;
        let docker = Docker::find().context(
            "no Docker Engine answers at DOCKER_HOST or /run/docker.sock; `cargo xtask test` starts one",
        )?;
        let mut machine = Machine::start(options(folder.path(), Some(&docker))?)?;
        machine.wait_ready()?;
        Ok(Self { machine, docker, folder })
    }

    /// The image that acts are performed in.
    pub fn image(&self) -> Result<String> {
        self.docker.busybox_image(&binaries()?.join("acts"))
    }
}

/// A suite below `directory`.
pub fn options(directory: &Path, docker: Option<&Docker>) -> Result<Options> {
    Ok(Options {
        binaries: binaries()?,
        rules: repository().join("rules"),
        places: Places::below(directory, "test-node"),
        cluster: "test".into(),
        docker_socket: docker.map(|docker| docker.socket().to_owned()),
        kubeconfig: None,
        sensor: true,
    })
}

/// The names of a pod made for a test.
pub fn pod(name: &str, uid: &str) -> PodNames {
    PodNames {
        uid: uid.into(),
        name: name.into(),
        namespace: "shop".into(),
        container: "web".into(),
    }
}

/// Has the publisher's program look into its spool: an error, with what it says, where something is wrong.
pub fn verify_spool(publisher: &Launch) -> Result<()> {
    let mut command = Command::new(&publisher.binary);
    command.arg("--config").arg(&publisher.configuration).args(["spool", "verify"]);
    let verified = command.output()?;
    let said = String::from_utf8_lossy(&verified.stdout);
    let error = String::from_utf8_lossy(&verified.stderr);
    ensure!(verified.status.success(), "spool verify says:\n{said}{error}");
    Ok(())
}

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The release binaries that `cargo xtask test` builds before it runs these tests.
pub fn binaries() -> Result<PathBuf> {
    let folder = std::env::var_os("DEFENDER_TEST_BINARIES").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| repository().join("dist"));
    ensure!(
        folder.join("backend").exists(),
        "no binaries in {}: run `cargo xtask test`, or `cargo xtask dist` before a single test",
        folder.display()
    );
    Ok(folder)
}
