//! The kinds of work, and the ground on which they are done.

use crate::{builds, containers, logins, maintenance};
use anyhow::{Context, Result, ensure};
use logins::SshServer;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use suite::api::Api;
use suite::docker::{Container, Docker, PodNames};
use tempfile::TempDir;

/// Between two rounds.
pub const PAUSE: Duration = Duration::from_secs(20);

/// A kind of everyday work.
pub struct Work {
    pub what: &'static str,
    /// Programs that it runs, by which it is known that the sensor saw it.
    pub programs: &'static [&'static str],
    pub run: fn(&Ground<'_>) -> Result<()>,
}

pub const WORKS: [Work; 9] = [
    Work {
        what: "containers that come and go",
        programs: &["runc", "docker"],
        run: containers::come_and_go,
    },
    Work { what: "probes of a running container", programs: &["busybox"], run: containers::probe },
    Work {
        what: "packages that are updated",
        programs: &["apt-get", "dpkg"],
        run: maintenance::update_packages,
    },
    Work {
        what: "a backup of the node's configuration",
        programs: &["tar"],
        run: maintenance::back_up,
    },
    Work { what: "logs that are rotated", programs: &["logrotate"], run: maintenance::rotate_logs },
    Work {
        what: "a look at the node's state",
        programs: &["ps", "df", "ip"],
        run: maintenance::look_around,
    },
    Work { what: "logins by SSH", programs: &["sshd", "ssh"], run: logins::log_in },
    Work { what: "a build by cargo", programs: &["cargo", "rustc"], run: builds::build },
    Work { what: "a checkout by git", programs: &["git"], run: builds::check_out },
];

/// What the works share.
pub struct Ground<'a> {
    pub docker: &'a Docker,
    pub image: String,
    /// A pod's container that runs all the time.
    pub container: Container<'a>,
    pub ssh: SshServer,
    pub api: Api,
    folder: TempDir,
}

impl<'a> Ground<'a> {
    pub fn prepare(docker: &'a Docker, image: String, api: Api) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let names = PodNames {
            uid: "0b5e1f1e-6d1c-4a7a-9f35-5d3b6a0c5a11".into(),
            name: "web-0".into(),
            namespace: "shop".into(),
            container: "web".into(),
        };
        let container = docker.start_pod(&image, &names)?;
        let ssh = SshServer::start(folder.path())?;
        builds::prepare(folder.path())?;
        maintenance::prepare(folder.path())?;
        Ok(Self { docker, image, container, ssh, api, folder })
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Runs a command to its end; its failure is an error that holds what it said.
pub fn run(command: &mut Command) -> Result<()> {
    let name = format!("{command:?}");
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("starting {name}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} ended with {}: {}", output.status, said.trim());
    Ok(())
}
