//! The command line for authors of rules.

mod explain;

use clap::{Args, Parser, Subcommand};
use detection::{Engine, EventType, RuleSet};
use rule_files::RulesError;
use std::path::PathBuf;
use std::process::ExitCode;

/// Ends with this where rules are wrong, as a compiler does.
const WRONG: u8 = 1;

/// For authors of rules: checks, lists and explains rule files.
///
/// Rules are written in Falco's rule language; docs/detections.md lists the fields and types of events.
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
}

#[derive(Debug, Args)]
struct Files {
    /// Rule files, and folders of them, in the order in which they are loaded: later ones override earlier ones.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Files of suppressions, and folders of them, which are checked against the rules.
    #[arg(long, value_name = "PATH")]
    suppressions: Vec<PathBuf>,
}

/// Does what the command line asks for. What was found goes to standard output, errors to standard error.
pub fn run(arguments: &Arguments) -> ExitCode {
    let done = match &arguments.command {
        Command::Check(files) => files.load().map(|rules| check(&rules)),
        Command::List(files) => files.load().map(|rules| list(&rules)),
        Command::Explain { rule, files } => {
            files.load().map(|rules| explain::explain(Engine::compile(rules), rule))
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::from(WRONG)
    })
}

impl Files {
    fn load(&self) -> Result<RuleSet, RulesError> {
        rule_files::load_with_suppressions(&self.paths, &self.suppressions)
    }
}

fn check(rules: &RuleSet) -> ExitCode {
    for warning in rules.warnings() {
        eprintln!("{warning}");
    }
    let (loaded, warnings) = (rules.rules().len(), rules.warnings().len());
    match rules.suppressions().count() {
        0 => println!("{loaded} rules load, {warnings} warnings"),
        suppressions => {
            println!("{loaded} rules and {suppressions} suppressions load, {warnings} warnings");
        }
    }
    ExitCode::SUCCESS
}

fn list(rules: &RuleSet) -> ExitCode {
    for rule in rules.rules() {
        println!(
            "{:13} {}  [{}]",
            rule.priority().to_string(),
            rule.name(),
            rule.tags().join(", ")
        );
    }
    ExitCode::SUCCESS
}

/// The rules of these names that no event can match, whatever is seen.
fn why_blind(engine: &Engine, rule: &str) -> Option<String> {
    let blind = engine.blind_rules(EventType::is_seen);
    blind.into_iter().find(|blind| blind.rule == rule).map(|blind| blind.reason)
}
