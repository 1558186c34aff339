//! Acts that a shell can't perform, or not fast enough to be measured.

mod repeat;
mod sustain;

use clap::{Parser, Subcommand};
use nix::sys::memfd::{MFdFlags, memfd_create};
use repeat::Repeated;
use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Performs harmless acts.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Copies a program into anonymous memory and executes it there.
    Memfd {
        /// The program.
        file: PathBuf,
        /// What it is given.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Performs an act over and over, and prints the nanoseconds that one took.
    Repeat {
        /// How often.
        count: u32,
        #[command(subcommand)]
        act: Repeated,
    },
    /// Opens files and runs programs at a steady pace, and prints the seconds that it took.
    Sustain(sustain::Pace),
}

fn main() -> Outcome<()> {
    match Arguments::parse().act {
        Act::Memfd { file, arguments } => match memfd(&file, &arguments)? {},
        Act::Repeat { count, act } => {
            let nanoseconds = repeat::nanoseconds_each(count, &act)?;
            Ok(writeln!(io::stdout(), "{nanoseconds}")?)
        }
        Act::Sustain(pace) => Ok(writeln!(io::stdout(), "{}", sustain::sustain(&pace)?)?),
    }
}

/// Never returns where it succeeds.
fn memfd(file: &PathBuf, arguments: &[OsString]) -> Outcome<Infallible> {
    let memory = memfd_create("acts", MFdFlags::empty())?;
    let mut memory = fs::File::from(memory);
    memory.write_all(&fs::read(file)?)?;
    let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
    Err(Command::new(path).arg0(file).args(arguments).exec().into())
}
