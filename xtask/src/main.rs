//! `cargo xtask`: the commands of the people who work here.

mod attack_table;
mod bench;
mod binaries;
mod debian;
#[cfg(test)]
mod documented;
mod folders;
mod step;
mod test;
mod up;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Runs, tests and measures Defender on this machine.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Subcommand)]
enum Subcommands {
    /// Starts the whole suite here and prints each alert as it comes. Ctrl-C stops it.
    Up(up::Arguments),
    /// Runs every check and test, and closes with a summary.
    Test(test::Arguments),
    /// Measures, prints tables, and writes target/bench/NAME.json.
    Bench(bench::Arguments),
    /// Builds the static binaries and copies them to dist/, for the Dockerfile.
    Dist,
}

fn main() -> Result<ExitCode> {
    match Arguments::parse().command {
        Subcommands::Up(arguments) => up::run(&arguments),
        Subcommands::Test(arguments) => test::run(&arguments),
        Subcommands::Bench(arguments) => bench::run(&arguments),
        Subcommands::Dist => binaries::dist().map(|()| ExitCode::SUCCESS),
    }
}
