//! The command `test`.

use crate::explain::unknown;
use crate::{Feeds, WRONG};
use clap::Args;
use detection::{Engine, Rule};
use rule_cases::{Case, Failure, RuleCases, Wrong, judge, read_cases};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Larger files are no cases.
const MAXIMUM_FILE_BYTES: u64 = 16 << 20;

/// So many rules without a case are named.
const MOST_NAMED: usize = 5;

/// Runs the cases that lie beside rules: acts and requests, and whether a rule's alert is to be raised by them.
///
/// A folder of rules has its cases in the files of its folder `tests`. docs/rule-authors.md describes them. Ends with 1 where a
/// case does not do as it says.
#[derive(Debug, Args)]
pub struct Test {
    /// Folders with rule files and a folder `tests` of cases.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Rule files, and folders of them, that are loaded before those of the folders: ours, say, for their macros. Can be given
    /// more than once.
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    feeds: Feeds,
    /// Only cases whose rule or words contain this text, in capitals or not.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

/// A file of cases.
struct CaseFile {
    name: String,
    cases: Vec<RuleCases>,
}

/// What was counted.
#[derive(Default)]
struct Count {
    cases: usize,
    rules: BTreeSet<String>,
    failures: usize,
}

impl Test {
    pub fn run(&self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let paths: Vec<_> = self.rules.iter().chain(&self.folders).cloned().collect();
        let mut engine = self.feeds.load(&paths)?;
        let files = self.read()?;
        let mut count = Count::default();
        for file in &files {
            for cases in &file.cases {
                self.test(&mut engine, &file.name, cases, &mut count, out)?;
            }
        }
        if count.cases == 0 {
            anyhow::bail!("{}", self.nothing_to_test());
        }
        if self.filter.is_none() && self.rules.is_empty() {
            tell_untested(&engine, &count, out)?;
        }
        let Count { cases, rules, failures } = count;
        let kept = cases - failures;
        writeln!(
            out,
            "{cases} cases of {} rules: {kept} do as they say, {failures} do not",
            rules.len()
        )?;
        Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::from(WRONG) })
    }

    fn nothing_to_test(&self) -> String {
        let folders: Vec<_> =
            self.folders.iter().map(|folder| folder.display().to_string()).collect();
        let folders = folders.join(", ");
        match &self.filter {
            Some(filter) => format!("no case of {folders} contains `{filter}`"),
            None => {
                format!("no case lies in {folders}: write some into {}", "a folder `tests` there")
            }
        }
    }

    fn read(&self) -> anyhow::Result<Vec<CaseFile>> {
        let mut files = vec![];
        for folder in &self.folders {
            let tests = folder.join("tests");
            if !tests.is_dir() {
                continue;
            }
            for path in yaml_files(&tests)? {
                files.push(read_file(&path)?);
            }
        }
        Ok(files)
    }

    fn test(
        &self,
        engine: &mut Engine,
        file: &str,
        cases: &RuleCases,
        count: &mut Count,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        let RuleCases { rule, line, .. } = cases;
        let asked = |case: &&Case| self.asks_for(rule, case);
        let number = cases.alerts.iter().chain(&cases.silent).filter(asked).count();
        if number == 0 {
            return Ok(());
        }
        count.cases += number;
        count.rules.insert(rule.clone());
        if !engine.rules().iter().any(|known| known.name() == rule) {
            count.failures += number;
            writeln!(out, "{}\n --> {file}:{line}\n", unknown(engine, rule))?;
            return Ok(());
        }
        let failures = judge(engine, cases);
        for failure in failures.iter().filter(|failure| self.asks_for(rule, failure.case)) {
            count.failures += 1;
            writeln!(out, "{}\n", told(engine, file, rule, failure))?;
        }
        Ok(())
    }

    fn asks_for(&self, rule: &str, case: &Case) -> bool {
        self.filter.as_ref().is_none_or(|filter| {
            let filter = filter.to_lowercase();
            rule.to_lowercase().contains(&filter) || case.what.to_lowercase().contains(&filter)
        })
    }
}

/// What is wrong with a case, as a compiler would tell it.
fn told(engine: &Engine, file: &str, rule: &str, failure: &Failure<'_>) -> String {
    let Failure { case, wrong, raised } = failure;
    let (what, expected, remark) = match wrong {
        Wrong::Alerts => ("matches, and should not", format!("no alert of `{rule}`"), ""),
        Wrong::Silent { metadata_known: true } => {
            ("does not match, and should", format!("an alert of `{rule}`"), "")
        }
        Wrong::Silent { metadata_known: false } => (
            "does not match, and should",
            format!("an alert of `{rule}`"),
            "\n  = while nothing but the container's id is known; where the rule needs more, write `needs_metadata: true`",
        ),
    };
    let names: Vec<_> = raised.iter().map(|name| format!("`{name}`")).collect();
    let raised = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    let mut text = format!(
        "error: `{rule}` {what}: {}\n --> {file}:{}\n  = expected: {expected}\n  = raised: {raised}{remark}\n  = because:",
        case.what, case.line
    );
    if let Some(why) = case.why(engine, rule, wrong.metadata_known()) {
        for line in why.decisive().to_string().lines() {
            text.push_str("\n    ");
            text.push_str(line);
        }
    }
    text
}

fn tell_untested(engine: &Engine, count: &Count, out: &mut impl Write) -> anyhow::Result<()> {
    let untested: Vec<_> =
        engine.rules().iter().map(Rule::name).filter(|name| !count.rules.contains(*name)).collect();
    if untested.is_empty() {
        return Ok(());
    }
    let more = untested.len().saturating_sub(MOST_NAMED);
    let named = untested[..untested.len() - more].join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    writeln!(out, "warning: no case for {named}{more}")?;
    Ok(())
}

fn read_file(path: &Path) -> anyhow::Result<CaseFile> {
    let cannot = |error| anyhow::anyhow!("cannot read the cases of {}: {error}", path.display());
    if std::fs::metadata(path).map_err(cannot)?.len() > MAXIMUM_FILE_BYTES {
        anyhow::bail!(
            "{} has over {MAXIMUM_FILE_BYTES} bytes: is it the right file?",
            path.display()
        );
    }
    let text = std::fs::read_to_string(path).map_err(cannot)?;
    let name = path.display().to_string();
    Ok(CaseFile { cases: read_cases(&name, &text)?, name })
}

/// The YAML files of a folder, by their names.
fn yaml_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let cannot = |error| anyhow::anyhow!("cannot read {}: {error}", folder.display());
    let entries = std::fs::read_dir(folder).map_err(cannot)?;
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let is_yaml = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
    };
    let mut paths: Vec<_> = paths.map_err(cannot)?.into_iter().filter(is_yaml).collect();
    paths.sort();
    Ok(paths)
}
