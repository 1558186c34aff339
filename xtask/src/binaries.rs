//! Building our programs: static binaries, the same for this machine, the images and the virtual machines.

use crate::{debian, folders, step};
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// What goes into images.
pub const PROGRAMS: [&str; 5] =
    ["backend", "publisher-ds", "prepare-node", "collector-ds", "collector-misc"];

/// How hard the compiler tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// What users get.
    Release,
    /// Quick to build.
    Dev,
}

/// Builds all programs and the tests' acts; gives the folder with the binaries.
///
/// `--target` is named although it is the host's own: only so do the flags for static
/// linking keep away from build scripts and procedural macros, which can't be static.
pub fn build(profile: Profile) -> Result<PathBuf> {
    debian::install(&debian::BUILD)?;
    let target = host_target()?;
    let flags_of_target =
        format!("CARGO_TARGET_{}_RUSTFLAGS", target.to_uppercase().replace('-', "_"));
    let mut cargo = cargo("build")?;
    cargo
        .args(["--locked", "--target", &target])
        .env(flags_of_target, "-Ctarget-feature=+crt-static");
    for package in PROGRAMS.into_iter().chain([
        "acts",
        "cluster-load",
        "line-load",
        "load-generator",
        "rule-load",
    ]) {
        cargo.args(["--package", package]);
    }
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    step::run(&mut cargo)?;
    folder(profile)
}

/// Where [`build`] puts them.
pub fn folder(profile: Profile) -> Result<PathBuf> {
    let name = if profile == Profile::Release { "release" } else { "debug" };
    Ok(folders::cargo_target()?.join(host_target()?).join(name))
}

/// Copies the programs to dist/, which the Dockerfile takes with BINARIES=prebuilt.
pub fn dist() -> Result<()> {
    let built = build(Profile::Release)?;
    let dist = folders::repository().join("dist");
    fs::create_dir_all(&dist)?;
    for program in PROGRAMS {
        let (from, to) = (built.join(program), dist.join(program));
        fs::copy(&from, &to).with_context(|| format!("copying {}", from.display()))?;
    }
    println!("static binaries in {}", dist.display());
    Ok(())
}

/// Cargo, with the build products outside the repository.
pub fn cargo(subcommand: &str) -> Result<Command> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .arg(subcommand)
        .current_dir(folders::repository())
        .env("CARGO_TARGET_DIR", folders::cargo_target()?);
    Ok(cargo)
}

fn host_target() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("starting rustc")?;
    String::from_utf8(output.stdout)?
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("rustc -vV names no host")
}
