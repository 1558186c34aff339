//! The work that is done bare and under the sensor.

use super::files::WatchedFiles;
use crate::bench::report::Goal;
use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

/// What the works need.
pub struct Bench {
    pub binaries: PathBuf,
    pub files: WatchedFiles,
}

/// Stands in a work's arguments for the folder of [`Bench::files`].
const FOLDER: &str = "FOLDER";

/// Some work, many times over.
pub struct Work {
    /// What one of them is.
    pub what: &'static str,
    /// How many.
    pub count: u32,
    /// The arguments of `acts repeat COUNT`; none: a compiler run.
    act: &'static [&'static str],
    /// How much slower it may be.
    pub ratio: Goal,
    /// Microseconds of the sensor's CPU that one may cost.
    pub cpu: Goal,
}

/// The goals are those of the fall-back hooks, where a kernel has no better ones; on a kernel with LSM or fentry hooks
/// the table of docs/performance.md is stricter.
pub const WORKS: [Work; 9] = [
    Work {
        what: "getpid",
        count: 2_000_000,
        act: &["getpid"],
        ratio: Goal::AtMost(1.12),
        cpu: Goal::None,
    },
    Work {
        what: "open+close, unwatched",
        count: 300_000,
        act: &["open", "/bin/busybox"],
        ratio: Goal::AtMost(1.25),
        cpu: Goal::AtMost(0.01),
    },
    Work {
        what: "open+close for writing, watched, one file",
        count: 100_000,
        act: &["write", "/etc/hosts"],
        ratio: Goal::None,
        cpu: Goal::AtMost(0.3),
    },
    Work {
        what: "open+close for writing, watched, 4,096 files",
        count: 20_000,
        act: &["write-each", FOLDER],
        ratio: Goal::None,
        cpu: Goal::None,
    },
    Work {
        what: "open+close, a watched secret",
        count: 20_000,
        act: &["open", "/etc/shadow"],
        ratio: Goal::None,
        cpu: Goal::None,
    },
    Work {
        what: "stat",
        count: 500_000,
        act: &["stat", "/bin/busybox"],
        ratio: Goal::AtMost(1.12),
        cpu: Goal::None,
    },
    Work {
        what: "connect, refused",
        count: 20_000,
        act: &["connect", "127.0.0.1:1"],
        ratio: Goal::AtMost(1.10),
        cpu: Goal::None,
    },
    Work {
        what: "fork+exec+exit",
        count: 4000,
        act: &["run", "/bin/busybox", "true"],
        ratio: Goal::AtMost(1.05),
        cpu: Goal::AtMost(20.0),
    },
    Work {
        what: "compiling a small file",
        count: 30,
        act: &[],
        ratio: Goal::AtMost(1.05),
        cpu: Goal::None,
    },
];

impl Work {
    /// Nanoseconds that one takes.
    pub fn nanoseconds(&self, bench: &Bench) -> Result<f64> {
        if self.act.is_empty() { self.compile() } else { self.repeat(bench) }
    }

    fn repeat(&self, bench: &Bench) -> Result<f64> {
        let (acts, count) = (bench.binaries.join("acts"), self.count.to_string());
        let arguments = self.act.iter().map(|argument| match *argument {
            FOLDER => bench.files.folder().as_os_str(),
            other => OsStr::new(other),
        });
        let output = Command::new(&acts)
            .args(["repeat", &count])
            .args(arguments)
            .output()
            .with_context(|| format!("starting {}", acts.display()))?;
        let told = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        told.parse().with_context(|| {
            format!(
                "acts repeat {count} {:?}: {}",
                self.act,
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }

    /// What a build does: many processes, many files opened, looked for and read.
    fn compile(&self) -> Result<f64> {
        let folder = tempfile::tempdir()?;
        let source = folder.path().join("source.c");
        std::fs::write(
            &source,
            "#include <stdio.h>\n#include <stdlib.h>\nint main(void) { return puts(\"\") == EOF; }\n",
        )?;
        let begin = Instant::now();
        for _ in 0..self.count {
            let mut compiler = Command::new("cc");
            compiler.arg("-c").arg(&source).arg("-o").arg(folder.path().join("object.o"));
            ensure!(compiler.stdin(Stdio::null()).status()?.success(), "cc failed");
        }
        #[allow(clippy::cast_precision_loss)] // Minutes at most.
        let nanoseconds = begin.elapsed().as_nanos() as f64;
        Ok(nanoseconds / f64::from(self.count))
    }
}
