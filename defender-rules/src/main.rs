//! `defender-rules`: see its `--help`.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    defender_rules::run(&defender_rules::Arguments::parse())
}
