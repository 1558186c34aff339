use crate::printable::printable;
use crate::{Feeds, WRONG, capture_file};
use capture::{Replayed, Summary, Verdict, replay};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Asks rules of what a sensor recorded, and tells how the alerts differ from those that it raised then.
///
/// Each alert is a line: `same` as it was recorded, `changed` in its message, `missing` now, or `new`.
#[derive(Debug, Args)]
pub struct Replay {
    /// What `collector-ds --record FILE` wrote.
    capture: PathBuf,
    /// Rule files, and folders of them, to ask instead of those that stand in the capture. Can be given more than once.
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    feeds: Feeds,
    /// How alerts are printed. `json`: a line for each, with the alert as a whole; the summary goes to standard error.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Ends with 1 where the alerts are not those that were recorded.
    #[arg(long)]
    compare: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// A line of `--output json`.
#[derive(Serialize)]
struct Line<'a> {
    event: u64,
    verdict: &'static str,
    alert: &'a event_model::Alert,
}

impl Replay {
    pub fn run(&self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let capture = capture_file::open(&self.capture)?;
        let own_rules =
            if self.rules.is_empty() { None } else { Some(self.feeds.load(&self.rules)?) };
        let mut written = Ok(());
        let summary = replay(capture, own_rules, |replayed| {
            if written.is_ok() {
                written = self.write(&replayed, out);
            }
        })?;
        written?;
        self.summarise(&summary, out)
    }

    fn write(&self, replayed: &Replayed, out: &mut impl Write) -> anyhow::Result<()> {
        let Replayed { number, verdict, alert } = replayed;
        let verdict = verdict.name();
        if self.output == Output::Json {
            let line = Line { event: *number, verdict, alert };
            serde_json::to_writer(&mut *out, &line)?;
            writeln!(out)?;
        } else {
            let (time, rule, priority) = (alert.time, &alert.rule, alert.priority);
            let message = printable(&alert.message);
            writeln!(out, "{verdict:8} {time} {priority} {rule}: {message} (event {number})")?;
        }
        Ok(())
    }

    fn summarise(&self, summary: &Summary, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let counts = Verdict::ALL.map(|it| format!("{} {}", summary.of(it), it.name()));
        let asked = summary.asked;
        let line = format!("{asked} acts and requests; alerts: {}", counts.join(", "));
        match self.output {
            Output::Text => writeln!(out, "{line}")?,
            Output::Json => eprintln!("{line}"),
        }
        let is_damaged = match &summary.end {
            Ok(_) => false,
            Err(error) if error.is_broken_off() => {
                eprintln!("warning: {error}");
                false
            }
            Err(error) => {
                eprintln!("error: {error}; what stands before it was replayed");
                true
            }
        };
        let differs = self.compare && !summary.is_as_recorded();
        Ok(if is_damaged || differs { ExitCode::from(WRONG) } else { ExitCode::SUCCESS })
    }
}
