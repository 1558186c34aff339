//! Acts in a row, for measuring what one costs.

use crate::Outcome;
use clap::Subcommand;
use nix::libc;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

#[derive(Subcommand)]
pub enum Repeated {
    /// A system call that nobody has a rule for.
    Getpid,
    /// Opens a file for reading and closes it.
    Open { file: PathBuf },
    /// Opens a file for writing, without changing it, and closes it.
    Write { file: PathBuf },
    /// The same with the files of a folder, one after the other.
    WriteEach { folder: PathBuf },
    /// Asks for a file's attributes.
    Stat { file: PathBuf },
    /// Connects to where nobody listens.
    Connect { address: SocketAddr },
    /// Runs a program to its end.
    Run {
        file: PathBuf,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

pub fn nanoseconds_each(count: u32, act: &Repeated) -> Outcome<u128> {
    let files = match act {
        Repeated::WriteEach { folder } => files_of(folder)?,
        _ => vec![],
    };
    let mut files = files.iter().cycle();
    let begin = Instant::now();
    for _ in 0..count {
        match files.next() {
            Some(file) => open_to_write(file)?,
            None => once(act)?,
        }
    }
    Ok(begin.elapsed().as_nanos() / u128::from(count.max(1)))
}

/// The files of a folder.
pub fn files_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
}

pub fn open_to_write(file: &Path) -> io::Result<()> {
    File::options().write(true).open(file).map(drop)
}

pub fn run(file: &Path, arguments: &[OsString]) -> io::Result<()> {
    Command::new(file).args(arguments).status().map(drop)
}

fn once(act: &Repeated) -> io::Result<()> {
    match act {
        Repeated::Getpid => {
            // SAFETY: the call takes no argument and changes nothing. The library's own might remember the answer.
            unsafe { libc::syscall(libc::SYS_getpid) };
        }
        Repeated::Open { file } => drop(File::open(file)?),
        Repeated::Write { file } => open_to_write(file)?,
        // An empty folder: there is nothing to do.
        Repeated::WriteEach { folder } => {
            return Err(io::Error::other(format!("{} has no files", folder.display())));
        }
        Repeated::Stat { file } => {
            fs::metadata(file)?;
        }
        // That it is refused is what is wanted.
        Repeated::Connect { address } => drop(TcpStream::connect(address)),
        Repeated::Run { file, arguments } => run(file, arguments)?,
    }
    Ok(())
}
