//! Containers of a Docker Engine: the one that answers, or one started for the purpose.

use crate::attack::Target;
use crate::deadline::wait_for;
use crate::root_folder;
use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// A Docker Engine.
#[derive(Debug)]
pub struct Docker {
    socket: PathBuf,
    daemon: Option<Child>,
}

impl Docker {
    /// The engine at DOCKER_HOST or at the usual socket; else a dockerd of our own, with its data and
    /// its socket below `directory`, which ends with this value.
    pub fn find_or_start(directory: &Path) -> Result<Self> {
        match Self::find() {
            Some(found) => Ok(found),
            None => Self::start(directory),
        }
    }

    /// The engine at DOCKER_HOST or at the usual socket, where one answers.
    pub fn find() -> Option<Self> {
        let engines = usual_sockets().into_iter().map(|socket| Self { socket, daemon: None });
        engines.into_iter().find(Self::answers)
    }

    fn start(directory: &Path) -> Result<Self> {
        let data = directory.join("docker");
        fs::create_dir_all(&data)?;
        let log = fs::File::create(data.join("dockerd.log"))?;
        let socket = data.join("docker.sock");
        let daemon = Command::new("dockerd")
            .arg("--host")
            .arg(format!("unix://{}", socket.display()))
            .args(["--data-root".into(), data.join("data")])
            .args(["--exec-root".into(), data.join("exec")])
            .args(["--pidfile".into(), data.join("dockerd.pid")])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .context("starting dockerd (Debian's package docker.io has it)")?;
        let docker = Self { socket, daemon: Some(daemon) };
        wait_for("dockerd answers", Duration::from_secs(30), || {
            ensure!(docker.answers(), "see {}", data.join("dockerd.log").display());
            Ok(())
        })?;
        Ok(docker)
    }

    /// The engine's socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The client, set to talk to this engine.
    pub fn command(&self) -> Command {
        let mut command = Command::new("docker");
        command.arg("--host").arg(format!("unix://{}", self.socket.display()));
        command
    }

    fn answers(&self) -> bool {
        self.socket.exists() && self.output(&["version"]).is_ok()
    }

    /// What the client prints; an error where it fails.
    pub fn output(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command().args(arguments).stdin(Stdio::null()).output()?;
        text_of(&output).with_context(|| format!("docker {}", arguments.join(" ")))
    }

    /// An image with a static busybox, its applets, `acts`, and harmless stand-ins. Made from files of
    /// this machine: nothing is pulled.
    pub fn busybox_image(&self, acts: &Path) -> Result<String> {
        let root = std::env::temp_dir().join(format!("defender-image-{}", std::process::id()));
        let archive = root.with_extension("tar");
        let made = root_folder::fill(&root, acts).and_then(|()| {
            run(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg("."))?;
            let archive = archive.to_str().context("a temporary folder with a plain name")?;
            self.output(&["import", archive, "defender-test/busybox:1"])
        });
        let _ = fs::remove_dir_all(&root);
        let _ = fs::remove_file(&archive);
        made.map(|_| "defender-test/busybox:1".to_owned())
    }

    /// The value of `--cgroup-parent` that gives a container the path that kubelet gives one of pod `uid`.
    fn kubelet_parent(&self, uid: &str) -> Result<String> {
        Ok(match self.output(&["info", "--format", "{{.CgroupDriver}}"])?.trim() {
            "systemd" => format!("kubepods-burstable-pod{}.slice", uid.replace('-', "_")),
            _ => format!("/kubepods/burstable/pod{uid}"),
        })
    }

    /// A container as kubelet would start it: its cgroup below the pod's, the pod in its labels.
    pub fn start_pod(&self, image: &str, pod: &PodNames) -> Result<Container<'_>> {
        let label = |key: &str, value: &str| format!("--label=io.kubernetes.{key}={value}");
        let id = self.output(&[
            "run",
            "--detach",
            "--network=none",
            "--memory=128m",
            &format!("--cgroup-parent={}", self.kubelet_parent(&pod.uid)?),
            &label("pod.uid", &pod.uid),
            &label("pod.name", &pod.name),
            &label("pod.namespace", &pod.namespace),
            &label("container.name", &pod.container),
            image,
            "sleep",
            "3600",
        ])?;
        Ok(Container { docker: self, id: id.trim().to_owned() })
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        if let Ok(pid) = i32::try_from(daemon.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = daemon.wait();
    }
}

fn usual_sockets() -> Vec<PathBuf> {
    let named = std::env::var("DOCKER_HOST").ok();
    let named = named.as_deref().and_then(|host| host.strip_prefix("unix://")).map(PathBuf::from);
    named.into_iter().chain([PathBuf::from("/run/docker.sock")]).collect()
}

/// What a container of a pod is called.
#[derive(Clone, Debug)]
pub struct PodNames {
    /// The pod's uid.
    pub uid: String,
    /// The pod's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The container's name in the pod.
    pub container: String,
}

/// A running container. Dropped, it is removed.
#[derive(Debug)]
pub struct Container<'a> {
    docker: &'a Docker,
    /// The engine's id of it.
    pub id: String,
}

impl Target for Container<'_> {
    fn id(&self) -> &str {
        &self.id
    }

    fn exec(&self, user: &str, command: &[&str]) -> Result<()> {
        let output = self
            .docker
            .command()
            .args(["exec", "--user", user, &self.id])
            .args(command)
            .stdin(Stdio::null())
            .output()?;
        // 125: docker itself failed. Anything else is the command's own status.
        if output.status.code() == Some(125) {
            text_of(&output)?;
        }
        Ok(())
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _ = self.docker.output(&["rm", "--force", &self.id]);
    }
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("running {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

fn text_of(output: &Output) -> Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    bail!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())
}
