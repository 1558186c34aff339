//! Running another program, with its output shown as it comes.

use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};

/// Runs a command to its end and gives what it printed; an error where it fails.
pub fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("starting {program}"))?;
    if !output.status.success() {
        bail!("{program}: {}", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a command to its end; an error where it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("starting {program}"))?;
    if status.success() {
        return Ok(());
    }
    let arguments: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    bail!("{program} {}: {status}", arguments.join(" "))
}
