use crate::capture_file;
use crate::occurrence::Occurrence;
use crate::printable::printable;
use capture::Entry;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Lists what stands in a capture: each act and request with its number, and the alerts that it raised.
#[derive(Debug, Args)]
pub struct Events {
    /// What `collector-ds --record FILE` wrote.
    capture: PathBuf,
    /// Only those whose line contains this text.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

impl Events {
    pub fn run(&self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        for entry in capture_file::open(&self.capture)? {
            match entry? {
                Entry::Act(act) => self.list(act.number, &Occurrence::Act(act), out)?,
                Entry::Request(request) => {
                    self.list(request.number, &Occurrence::Request(request), out)?;
                }
                Entry::Alert(alert) => {
                    self.write(&format!("{:9} {}: {}", "alert", alert.rule, alert.message), out)?;
                }
                Entry::Rules(_) | Entry::End(_) => {}
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn list(&self, number: u64, it: &Occurrence, out: &mut impl Write) -> anyhow::Result<()> {
        let time = it.time().unwrap_or_default();
        self.write(&format!("{number:9} {time} {}", it.in_words()), out)
    }

    fn write(&self, line: &str, out: &mut impl Write) -> anyhow::Result<()> {
        if self.filter.as_ref().is_none_or(|filter| line.contains(filter)) {
            writeln!(out, "{}", printable(line))?;
        }
        Ok(())
    }
}
