//! The command line for authors of rules.

mod capture_file;
mod events;
mod explain;
mod occurrence;
mod printable;
mod replay;
mod test_cases;
mod why;

use clap::{Args, Parser, Subcommand};
use detection::{Engine, EventType, RuleSet};
use rule_files::{LoadedRules, RulePaths, RulesError};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Ends with this where rules are wrong, as a compiler does.
const WRONG: u8 = 1;

/// For authors of rules: checks, lists, explains and tests rule files, replays what a sensor recorded, and tells why a rule
/// matches something or does not.
///
/// Rules are written in Falco's rule language; docs/detections.md lists the fields and types of events, docs/rule-authors.md
/// shows how a rule is made and tested.
#[derive(Debug, Parser)]
#[command(name = "defender-rules", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Loads the rules and tells everything that is wrong or doubtful in them, with file, line and column.
    Check(Files),
    /// Lists the rules that are switched on: priority, name and tags.
    List(Files),
    /// Tells what a rule asks for: its condition with macros and lists written out, the events and fields that it needs, by what
    /// an act is told from it, and which files the kernel is asked to tell of.
    Explain {
        /// The rule's name.
        rule: String,
        #[command(flatten)]
        files: Files,
    },
    Test(test_cases::Test),
    Events(events::Events),
    Replay(replay::Replay),
    Why(why::WhyCommand),
}

#[derive(Debug, Args)]
struct Files {
    /// Rule files, and folders of them, in the order in which they are loaded: later ones override earlier ones.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Files of suppressions, and folders of them, which are checked against the rules.
    #[arg(long, value_name = "PATH")]
    suppressions: Vec<PathBuf>,
    #[command(flatten)]
    feeds: Feeds,
}

/// Does what the command line asks for. What was found goes to standard output, errors to standard error.
pub fn run(arguments: &Arguments) -> ExitCode {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let done = arguments.command.run(&mut out).and_then(|code| {
        out.flush()?;
        Ok(code)
    });
    done.unwrap_or_else(|error| {
        // Who reads no further has seen enough.
        let pipe = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
        if error.downcast_ref::<std::io::Error>().is_some_and(pipe) {
            return ExitCode::SUCCESS;
        }
        let text = error.to_string();
        eprintln!("{}{text}", if text.starts_with("error") { "" } else { "error: " });
        ExitCode::from(WRONG)
    })
}

impl Command {
    fn run(&self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        match self {
            Self::Check(files) => check(&files.load()?, out),
            Self::List(files) => list(&files.load()?.rules, out),
            Self::Explain { rule, files } => {
                Ok(explain::explain(Engine::compile(files.load()?.rules), rule))
            }
            Self::Test(test) => test.run(out),
            Self::Events(events) => events.run(out),
            Self::Replay(replay) => replay.run(out),
            Self::Why(why) => why.run(out),
        }
    }
}

/// What rules compare with beside their own lists.
#[derive(Debug, Args)]
struct Feeds {
    /// Files of threat intelligence, and folders of them, which feed the lists of the rules that are named.
    #[arg(long, value_name = "PATH")]
    threat_intelligence: Vec<PathBuf>,
}

impl Feeds {
    fn load(&self, rules: &[PathBuf]) -> Result<Engine, RulesError> {
        let threat_intelligence = self.threat_intelligence.clone();
        let paths = RulePaths { threat_intelligence, ..RulePaths::of_rules(rules) };
        Ok(Engine::compile(rule_files::load_from(&paths)?.rules))
    }
}

impl Files {
    fn load(&self) -> Result<LoadedRules, RulesError> {
        rule_files::load_from(&RulePaths {
            rules: self.paths.clone(),
            suppressions: self.suppressions.clone(),
            threat_intelligence: self.feeds.threat_intelligence.clone(),
        })
    }
}

fn check(loaded: &LoadedRules, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let LoadedRules { rules, warnings } = loaded;
    for warning in warnings {
        eprintln!("{warning}");
    }
    let (loaded, warnings) = (rules.rules().len(), warnings.len());
    match rules.suppressions().count() {
        0 => writeln!(out, "{loaded} rules load, {warnings} warnings")?,
        suppressions => writeln!(
            out,
            "{loaded} rules and {suppressions} suppressions load, {warnings} warnings"
        )?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(rules: &RuleSet, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    for rule in rules.rules() {
        let (priority, tags) = (rule.priority().to_string(), rule.tags().join(", "));
        writeln!(out, "{priority:13} {}  [{tags}]", rule.name())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The rules of these names that no event can match, whatever is seen.
fn why_blind(engine: &Engine, rule: &str) -> Option<String> {
    let blind = engine.blind_rules(EventType::is_seen);
    blind.into_iter().find(|blind| blind.rule == rule).map(|blind| blind.reason)
}
