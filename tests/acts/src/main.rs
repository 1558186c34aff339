//! Acts that a shell can't perform.
//!
//! - `acts memfd FILE [ARGUMENT…]` copies FILE into anonymous memory and executes it there.
//! - `acts spawn COUNT FILE [ARGUMENT…]` runs FILE to its end COUNT times, one after the
//!   other, and prints the nanoseconds that one took.

use nix::sys::memfd::{MFdFlags, memfd_create};
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Instant;

const USAGE: &str = "usage: acts memfd FILE [ARGUMENT…] | acts spawn COUNT FILE [ARGUMENT…]";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [act, file, rest @ ..] if act == "memfd" => memfd(file, rest),
        [act, count, file, rest @ ..] if act == "spawn" => {
            spawn(count.to_str().ok_or(USAGE)?.parse()?, file, rest)
        }
        _ => Err(USAGE.into()),
    }
}

/// Never returns where it succeeds.
fn memfd(file: &OsString, arguments: &[OsString]) -> Result<(), Box<dyn Error>> {
    let memory = memfd_create("acts", MFdFlags::empty())?;
    let mut memory = fs::File::from(memory);
    memory.write_all(&fs::read(file)?)?;
    let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
    Err(Command::new(path).arg0(file).args(arguments).exec().into())
}

fn spawn(count: u32, file: &OsString, arguments: &[OsString]) -> Result<(), Box<dyn Error>> {
    let begin = Instant::now();
    for _ in 0..count {
        Command::new(file).args(arguments).status()?;
    }
    let each = begin.elapsed().as_nanos() / u128::from(count.max(1));
    writeln!(io::stdout(), "{each}")?;
    Ok(())
}
