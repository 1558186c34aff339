//! From the text of a file to cases.

use crate::{Case, RuleCases};
use detection::{Diagnostic, Severity};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_saphyr::{Location, Spanned};
use std::fmt;

/// Why a file's cases can't be used: every error that was found.
#[derive(Debug, thiserror::Error)]
pub struct CaseError {
    /// Never empty.
    pub diagnostics: Vec<Diagnostic>,
}

impl fmt::Display for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, diagnostic) in self.diagnostics.iter().enumerate() {
            f.write_str(if place > 0 { "\n\n" } else { "" })?;
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

/// The cases of a rule, as a file has them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    rule: Spanned<String>,
    #[serde(default)]
    in_order: bool,
    #[serde(default)]
    alerts: Vec<Spanned<Case>>,
    #[serde(default)]
    silent: Vec<Spanned<Case>>,
}

/// Reads a file of cases, such as those of `rules/tests`. `name` stands in messages.
pub fn read_cases(name: &str, text: &str) -> Result<Vec<RuleCases>, CaseError> {
    let source = Source { name, text };
    let written: Vec<Written> = source.parse()?;
    let mut problems = vec![];
    let cases = written.into_iter().map(|written| source.cases(written, &mut problems)).collect();
    CaseError::unless_empty(problems).map(|()| cases)
}

/// Reads a file that is a list of cases, of no rule in particular. `name` stands in messages.
pub fn read_acts(name: &str, text: &str) -> Result<Vec<Case>, CaseError> {
    let source = Source { name, text };
    let written: Vec<Spanned<Case>> = source.parse()?;
    let mut problems = vec![];
    let cases = written.into_iter().map(|case| source.case(case, &mut problems)).collect();
    CaseError::unless_empty(problems).map(|()| cases)
}

impl CaseError {
    fn unless_empty(diagnostics: Vec<Diagnostic>) -> Result<(), Self> {
        if diagnostics.is_empty() { Ok(()) } else { Err(Self { diagnostics }) }
    }
}

#[derive(Clone, Copy)]
struct Source<'s> {
    name: &'s str,
    text: &'s str,
}

impl Source<'_> {
    fn parse<T: DeserializeOwned>(self) -> Result<T, CaseError> {
        let options = serde_saphyr::options! { with_snippet: false };
        serde_saphyr::from_str_with_options(self.text, options).map_err(|error| {
            let message = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
            let line = message.lines().next().unwrap_or_default();
            let message = line.split(" at line ").next().unwrap_or(line).to_owned();
            let at = error.location().unwrap_or(Location::UNKNOWN);
            CaseError { diagnostics: vec![self.error(at, message, None)] }
        })
    }

    fn cases(self, written: Written, problems: &mut Vec<Diagnostic>) -> RuleCases {
        let Written { rule, in_order, alerts, silent } = written;
        if alerts.is_empty() && silent.is_empty() {
            let help = "list acts under `alerts`, and acts that are like them under `silent`";
            let message = format!("there is no case for `{}`", rule.value);
            problems.push(self.error(rule.defined, message, Some(help)));
        }
        let line = line_of(rule.defined);
        let mut read = |cases: Vec<Spanned<Case>>| -> Vec<Case> {
            cases.into_iter().map(|case| self.case(case, problems)).collect()
        };
        let (alerts, silent) = (read(alerts), read(silent));
        RuleCases { rule: rule.value, in_order, line, alerts, silent }
    }

    fn case(self, written: Spanned<Case>, problems: &mut Vec<Diagnostic>) -> Case {
        let Spanned { value: mut case, defined, .. } = written;
        case.line = line_of(defined);
        if let Some((problem, help)) = case.problem() {
            let message = format!("{problem} (`{}`)", case.what);
            problems.push(self.error(defined, message, Some(help)));
        }
        case
    }

    fn error(self, at: Location, message: String, help: Option<&str>) -> Diagnostic {
        let line = line_of(at).max(1);
        let source_line = self.text.lines().nth(line - 1).unwrap_or_default();
        Diagnostic {
            severity: Severity::Error,
            message,
            file: self.name.to_owned(),
            line,
            column: usize::try_from(at.column()).unwrap_or(1).max(1),
            source_line: source_line.to_owned(),
            width: 1,
            subject: None,
            help: help.map(str::to_owned),
        }
    }
}

fn line_of(at: Location) -> usize {
    usize::try_from(at.line()).unwrap_or(usize::MAX)
}
