//! What a build machine's node does.

use crate::work::{Ground, run};
use anyhow::Result;
use std::fs;
use std::path::Path;
use std::process::Command;

pub fn prepare(folder: &Path) -> Result<()> {
    let project = folder.join("project");
    let create = ["init", "--quiet", "--bin", "--vcs", "none", "--name", "everyday"];
    run(Command::new("cargo").args(create).arg(&project))?;
    run(Command::new("git").args(["init", "--quiet"]).arg(&project))?;
    run(&mut in_project(folder, &["add", "--all"]))?;
    let who = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
    run(&mut in_project(
        folder,
        &[&who[..], &["commit", "--quiet", "--message", "A beginning"]].concat(),
    ))
}

fn in_project(folder: &Path, arguments: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder.join("project")).args(arguments);
    git
}

/// Built anew each time, tests and all.
pub fn build(ground: &Ground<'_>) -> Result<()> {
    let (project, target) = (ground.folder().join("project"), ground.folder().join("target"));
    let _ = fs::remove_dir_all(&target);
    for command in ["build", "test"] {
        let mut cargo = Command::new("cargo");
        cargo.args([command, "--quiet", "--offline"]).env("CARGO_TARGET_DIR", &target);
        run(cargo.current_dir(&project))?;
    }
    Ok(())
}

pub fn check_out(ground: &Ground<'_>) -> Result<()> {
    let copy = ground.folder().join("copy");
    let _ = fs::remove_dir_all(&copy);
    run(Command::new("git")
        .args(["clone", "--quiet"])
        .arg(ground.folder().join("project"))
        .arg(&copy))?;
    run(Command::new("git").arg("-C").arg(&copy).args(["log", "--oneline"]))
}
