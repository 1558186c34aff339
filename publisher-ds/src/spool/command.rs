//! `publisher-ds spool`: the spool as a person sees it.

use super::inspection::{self, Listing, Seen, Verification, each_segment};
use super::scan::Found;
use crate::config::Config;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use event_model::{Lane, SourceId};
use prost::Message;
use proto::{Envelope, decode_batch, wire};
use serde_json::json;
use service_runtime::Tool;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use uuid::Uuid;

const EXPLANATION: &str = "\
Nothing is changed, and no lock is taken: a publisher may be running on the spool. Where each
destination stands is told by the cursor, which a running publisher saves every five seconds.

Exit codes: 0 good, 1 damage was found or the spool can't be read, 2 wrong arguments or a wrong
configuration.";

/// Look into the spool without changing it
#[derive(Debug, Parser)]
#[command(name = "spool", after_help = EXPLANATION)]
struct SpoolCommand {
    /// The spool's directory; otherwise spool.directory of the configuration
    #[arg(long, value_name = "DIRECTORY", global = true)]
    directory: Option<PathBuf>,
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List segments and where each destination stands
    Ls {
        #[command(flatten)]
        which: Lanes,
        /// As a table or as JSON
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Check each frame, checksum, the order of each source, and the cursor
    Verify {
        #[command(flatten)]
        which: Lanes,
        /// As text or as JSON
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Print envelopes, a line each, in the order in which they are sent
    Dump {
        #[command(flatten)]
        which: Lanes,
        /// Only what this source sent
        #[arg(long, value_name = "UUID")]
        source: Option<Uuid>,
        /// Print the records in them, as lines of JSON. They tell what runs on the node
        #[arg(long)]
        records: bool,
    },
}

#[derive(Debug, Args)]
struct Lanes {
    /// Only this lane; may be given again for another
    #[arg(long = "lane", value_name = "LANE", value_parser = lane)]
    lanes: Vec<Lane>,
}

impl Lanes {
    fn all_or_these(&self) -> Vec<Lane> {
        if self.lanes.is_empty() { Lane::ALL.to_vec() } else { self.lanes.clone() }
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    #[default]
    Text,
    Json,
}

fn lane(name: &str) -> Result<Lane, String> {
    let names: Vec<&str> = Lane::ALL.iter().map(|lane| lane.name()).collect();
    let found = Lane::ALL.into_iter().find(|lane| lane.name() == name);
    found.ok_or_else(|| format!("there is no such lane; the lanes are {}", names.join(", ")))
}

/// The subcommand `spool` of the publisher.
pub fn tool() -> Tool<Config> {
    Tool { command: SpoolCommand::command, run }
}

fn run(matches: &ArgMatches, config: Config) -> anyhow::Result<ExitCode> {
    answer(matches, config, &mut io::stdout().lock())
}

/// Does what the command line asks for.
///
/// # Errors
/// Where the spool can't be read, or `out` not written to.
pub fn answer(
    matches: &ArgMatches,
    config: Config,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    // Clap matched them already: what fails here is a mistake of ours, and told as such.
    let command = SpoolCommand::from_arg_matches(matches)?;
    let directory = command.directory.unwrap_or(config.spool.directory);
    anyhow::ensure!(
        directory.is_dir(),
        "there is no spool at {}: give --directory, or the --config of the publisher",
        directory.display()
    );
    let done = match command.act {
        Act::Ls { which, output } => list(&directory, &which.all_or_these(), output, out),
        Act::Verify { which, output } => verify(&directory, &which.all_or_these(), output, out),
        Act::Dump { which, source, records } => {
            let filter = Filter { lanes: which.all_or_these(), source: source.map(SourceId) };
            dump(&directory, &filter, records, out)
        }
    };
    // Whoever reads may have seen enough.
    let is_closed = |error: &anyhow::Error| {
        let io = error.downcast_ref::<io::Error>();
        io.is_some_and(|it| it.kind() == io::ErrorKind::BrokenPipe)
    };
    done.or_else(|error| if is_closed(&error) { Ok(ExitCode::SUCCESS) } else { Err(error) })
}

fn list(
    spool: &Path,
    lanes: &[Lane],
    output: Output,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let listing = inspection::list(spool, lanes)?;
    match output {
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&listing)?)?,
        Output::Text => write_tables(&listing, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn write_tables(listing: &Listing, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{:<10} {:>8} {:>12} {:>10} {:>10} {:>9}",
        "LANE", "SEGMENT", "BYTES", "ENVELOPES", "RECORDS", "AGE"
    )?;
    for it in &listing.segments {
        let mark = if it.is_damaged { "  damaged" } else { "" };
        writeln!(
            out,
            "{:<10} {:>8} {:>12} {:>10} {:>10} {:>9}{mark}",
            it.lane,
            it.segment,
            it.bytes,
            it.envelopes,
            it.records,
            duration(it.age_seconds)
        )?;
    }
    writeln!(
        out,
        "\n{:<20} {:<10} {:>8} {:>12} {:>10} {:>10}",
        "DESTINATION", "LANE", "SEGMENT", "OFFSET", "WAITING", "LOST"
    )?;
    for it in &listing.destinations {
        writeln!(
            out,
            "{:<20} {:<10} {:>8} {:>12} {:>10} {:>10}",
            it.destination, it.lane, it.segment, it.offset, it.waiting_records, it.lost_records
        )?;
    }
    Ok(())
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

fn verify(
    spool: &Path,
    lanes: &[Lane],
    output: Output,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let found = inspection::verify(spool, lanes)?;
    match output {
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?,
        Output::Text => write_verification(&found, out)?,
    }
    Ok(if found.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write_verification(found: &Verification, out: &mut impl Write) -> io::Result<()> {
    for fault in &found.faults {
        writeln!(out, "{} at {}: {}", fault.file, fault.offset, fault.what)?;
    }
    let Verification { segments, envelopes, records, .. } = found;
    writeln!(
        out,
        "{segments} segments, {envelopes} envelopes ({} twice), {records} records, {} bytes of a write that was not \
         finished: {} faults",
        found.repeated_envelopes,
        found.unfinished_bytes,
        found.faults.len()
    )
}

/// What is to be printed.
struct Filter {
    lanes: Vec<Lane>,
    source: Option<SourceId>,
}

fn dump(
    spool: &Path,
    filter: &Filter,
    with_records: bool,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    each_segment(spool, &filter.lanes, |seen| {
        let is_wanted = |it: &&Found| filter.source.is_none_or(|source| source == it.source);
        for found in seen.contents.frames.iter().filter(is_wanted) {
            if with_records {
                write_records(&seen, found, out)?;
            } else {
                write_envelope(&seen, found, out)?;
            }
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn write_envelope(seen: &Seen, found: &Found, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{:<10} {} {}-{} {} bytes at {} {}",
        seen.lane.name(),
        found.source,
        found.first_sequence,
        found.last_sequence,
        found.end - found.start,
        seen.path.display(),
        found.start,
    )
}

fn write_records(seen: &Seen, found: &Found, out: &mut impl Write) -> anyhow::Result<()> {
    let raw = wire::Envelope::decode(found.body(&seen.file))?;
    let records = decode_batch(&Envelope::try_from(raw)?)?;
    for (record, sequence) in records.iter().zip(found.first_sequence..) {
        let line = json!({
            "lane": seen.lane.name(),
            "source": found.source,
            "sequence": sequence,
            "record": record,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}
