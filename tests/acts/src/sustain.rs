//! Acts at a steady pace.

use crate::Outcome;
use crate::repeat::{files_of, open_to_write, run};
use clap::Args;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A turn: its share of the acts, then a pause for what is left of it.
const TURN: Duration = Duration::from_millis(10);
const TURNS_A_SECOND: u32 = 100;

#[derive(Args)]
pub struct Pace {
    /// For how long.
    #[arg(long)]
    seconds: u32,
    /// Files opened for writing, a second.
    #[arg(long)]
    opens: u32,
    /// Programs run, a second.
    #[arg(long)]
    runs: u32,
    /// Where the files are.
    folder: PathBuf,
    /// The program.
    program: PathBuf,
}

/// Returns the seconds that it took: more than asked for where the machine is too slow.
pub fn sustain(pace: &Pace) -> Outcome<f64> {
    let files = files_of(&pace.folder)?;
    let mut files = files.iter().cycle();
    let begin = Instant::now();
    for turn in 1..=pace.seconds * TURNS_A_SECOND {
        for file in files.by_ref().take((pace.opens / TURNS_A_SECOND) as usize) {
            open_to_write(file)?;
        }
        for _ in 0..pace.runs / TURNS_A_SECOND {
            run(&pace.program, &["true".into()])?;
        }
        sleep((TURN * turn).saturating_sub(begin.elapsed()));
    }
    Ok(begin.elapsed().as_secs_f64())
}
