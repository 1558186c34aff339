//! The steps of the test command.

use super::outcome::Outcome;
use crate::binaries::{self, Profile};
use crate::{folders, step};
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use suite::docker::Docker;

/// One step.
pub struct Step {
    pub name: &'static str,
    /// What it shows when it passes.
    pub shows: &'static str,
    pub run: fn(&Setting) -> Result<Outcome>,
}

/// In this order: what fails fast stands first, what needs the binaries after them.
pub const STEPS: [Step; 12] = [
    Step { name: "format", shows: "rustfmt finds nothing to change", run: format },
    Step { name: "lint", shows: "clippy finds nothing, warnings included", run: lint },
    Step {
        name: "supply-chain",
        shows: "licences, banned crates and sources (cargo-deny)",
        run: supply_chain,
    },
    Step { name: "binaries", shows: "static release binaries are built", run: build },
    Step {
        name: "workspace",
        shows: "unit, property and integration tests; eBPF in this kernel; crashes",
        run: workspace,
    },
    Step {
        name: "quiet-node",
        shows: "a node's everyday work raises no alert above Informational",
        run: quiet_node,
    },
    Step {
        name: "kernel-matrix",
        shows: "the sensor's capture test in virtual machines with other kernels",
        run: kernel_matrix,
    },
    Step {
        name: "chart",
        shows: "the Helm chart: linted, rendered, checked against schemas",
        run: chart,
    },
    Step {
        name: "compose",
        shows: "images and limits: an attack under docker compose, scraped by Prometheus",
        run: compose,
    },
    Step { name: "kind", shows: "the chart in a real kind cluster", run: kind },
    Step {
        name: "admission",
        shows: "the chart's admission policies at a real API server",
        run: admission,
    },
    Step {
        name: "audit-webhook",
        shows: "audit events that a real API server sends by its webhook",
        run: audit_webhook,
    },
];

/// The steps' names, for the command line.
pub fn names() -> [&'static str; STEPS.len()] {
    STEPS.each_ref().map(|step| step.name)
}

/// What every step finds.
pub struct Setting {
    environment: Vec<(&'static str, OsString)>,
}

impl Setting {
    /// The tests talk to this engine.
    pub fn new(docker: &Docker) -> Result<Self> {
        let mut host = OsString::from("unix://");
        host.push(docker.socket());
        Ok(Self {
            environment: vec![
                ("DOCKER_HOST", host),
                ("DEFENDER_TEST_DOCKER_SOCKET", docker.socket().into()),
                ("DEFENDER_TEST_BINARIES", binaries::folder(Profile::Release)?.into()),
                ("CARGO_TARGET_DIR", folders::cargo_target()?.into()),
                // A test's environment overrides must come from the test alone.
                ("NODE_NAME", OsString::new()),
            ],
        })
    }

    /// Runs a command with its output shown and read.
    fn read(&self, command: &mut Command) -> Result<Outcome> {
        self.read_and_note(command, |_| Vec::new())
    }

    /// The same, with lines for the summary that `note` makes of the output.
    fn read_and_note(
        &self,
        command: &mut Command,
        note: fn(&[String]) -> Vec<String>,
    ) -> Result<Outcome> {
        let (reader, writer) = std::io::pipe()?;
        command
            .envs(self.environment.iter().cloned())
            .current_dir(folders::repository())
            .stdin(std::process::Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().with_context(|| format!("starting {program}"))?;
        // The command keeps the pipe's writing end open until it is set anew.
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let lines = show_and_keep(BufReader::new(reader))?;
        let status = child.wait()?;
        let outcome = Outcome::from_output(&lines);
        match outcome {
            Some(mut outcome) if status.success() || outcome.failed > 0 => {
                outcome.notes.extend(note(&lines));
                Ok(outcome.with_ending_of(&lines))
            }
            None if status.success() => {
                Err(anyhow::anyhow!("{program} closed without a count: it tested nothing"))
            }
            _ => Ok(Outcome::failed().with_ending_of(&lines)),
        }
    }

    fn script(&self, path: &str) -> Result<Outcome> {
        let dist = folders::repository().join("dist");
        self.read(Command::new("bash").arg(path).env("DEFENDER_DIST", dist))
    }
}

fn show_and_keep(output: impl BufRead) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for line in output.split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        lines.push(line);
    }
    Ok(lines)
}

fn format(_: &Setting) -> Result<Outcome> {
    step::run(binaries::cargo("fmt")?.args(["--all", "--check"]))?;
    Ok(Outcome::passed())
}

fn lint(_: &Setting) -> Result<Outcome> {
    let arguments = ["--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    step::run(binaries::cargo("clippy")?.args(arguments))?;
    Ok(Outcome::passed())
}

fn supply_chain(_: &Setting) -> Result<Outcome> {
    let deny = tool("cargo-deny", &["--no-default-features"])?;
    let checks = ["check", "licenses", "bans", "sources"];
    step::run(Command::new(deny).args(checks).current_dir(folders::repository()))?;
    Ok(Outcome::passed())
}

fn build(_: &Setting) -> Result<Outcome> {
    binaries::dist()?;
    Ok(Outcome::passed())
}

fn workspace(setting: &Setting) -> Result<Outcome> {
    if Command::new("cargo-nextest").arg("--version").output().is_err() {
        step::run(binaries::cargo("install")?.args(["--locked", "cargo-nextest"]))?;
    }
    let arguments = ["run", "--locked", "--workspace", "--no-fail-fast", "--color=never"];
    setting.read_and_note(binaries::cargo("nextest")?.args(arguments), note_real_acts)
}

/// How many of the tests loaded eBPF programs into this kernel and performed the acts that they look for.
fn note_real_acts(lines: &[String]) -> Vec<String> {
    let passed = |suite: &str| {
        lines.iter().filter(|line| line.contains(" PASS [") && line.contains(suite)).count()
    };
    vec![format!(
        "shown: eBPF loaded into this kernel: {} capture tests, {} tests of the sensor with containers, {} of the whole way passed",
        passed(" collector-ds::capture "),
        passed(" collector-ds::node "),
        passed(" pipeline::"),
    )]
}

/// DEFENDER_QUIET_MINUTES lets the node work longer.
fn quiet_node(setting: &Setting) -> Result<Outcome> {
    let minutes = std::env::var("DEFENDER_QUIET_MINUTES").unwrap_or_else(|_| "2".to_owned());
    let mut run = binaries::cargo("run")?;
    run.args(["--quiet", "--locked", "--package", "quiet-node", "--", "--minutes", &minutes]);
    run.arg("--rules").arg(folders::repository().join("rules"));
    run.arg("--binaries").arg(binaries::folder(Profile::Release)?);
    setting.read(&mut run)
}

fn kernel_matrix(setting: &Setting) -> Result<Outcome> {
    setting.script("tests/kernel-matrix/run.sh")
}

fn chart(setting: &Setting) -> Result<Outcome> {
    setting.script("tests/chart/run.sh")
}

fn compose(setting: &Setting) -> Result<Outcome> {
    setting.script("tests/compose/run.sh")
}

fn kind(setting: &Setting) -> Result<Outcome> {
    setting.script("tests/kind/run.sh")
}

fn admission(setting: &Setting) -> Result<Outcome> {
    setting.script("tests/admission/run.sh")
}

fn audit_webhook(setting: &Setting) -> Result<Outcome> {
    setting.script("tests/audit-webhook/run.sh")
}

/// A tool from crates.io, installed into the cache once.
fn tool(name: &str, features: &[&str]) -> Result<PathBuf> {
    let root = folders::cache()?.join("tools");
    let binary: PathBuf = root.join("bin").join(name);
    if !Path::new(&binary).exists() {
        println!("installing {name} (the first time takes some minutes)");
        let mut install = binaries::cargo("install")?;
        install.args(["--quiet", "--locked", name]).args(features).arg("--root").arg(&root);
        step::run(&mut install)?;
    }
    Ok(binary)
}
