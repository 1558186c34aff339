//! What is wrong with a rule file, told as a good compiler tells it.

use crate::source::{Place, SourceFile};
use std::fmt;

/// Longest part of a source line that a message shows.
const SHOWN_WIDTH: usize = 120;
/// How much of a longer line is shown before the mark.
const SHOWN_BEFORE: usize = 40;

/// Whether a finding prevents the rules from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The rules can't be used.
    Error,
    /// The rules can be used, but something is likely not meant so.
    Warning,
}

/// One finding in a rule file. `Display` prints it over several lines, with the line it points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// The file's name.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The line it points at.
    pub source_line: String,
    /// How many characters it points at, at least 1.
    pub width: usize,
    /// The rule, macro or list in which it was found.
    pub subject: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let (line, mark) = self.shown_line();
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(f, "{severity}: {}", self.message)?;
        writeln!(f, "{margin}--> {}:{}:{}", self.file, self.line, self.column)?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {line}")?;
        write!(f, "{margin} | {mark}")?;
        if let Some(subject) = &self.subject {
            write!(f, "\n{margin} = in the {subject}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n{margin} = help: {help}")?;
        }
        Ok(())
    }
}

impl Diagnostic {
    /// The source line, cut where it is very long, and the carets below it.
    fn shown_line(&self) -> (String, String) {
        let characters: Vec<char> =
            self.source_line.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
        let column = self.column - 1;
        let start =
            if characters.len() > SHOWN_WIDTH { column.saturating_sub(SHOWN_BEFORE) } else { 0 };
        let end = characters.len().min(start + SHOWN_WIDTH);
        let before = if start > 0 { "…" } else { "" };
        let after = if end < characters.len() { "…" } else { "" };
        let shown: String = characters.get(start..end).unwrap_or_default().iter().collect();
        let width = self.width.clamp(1, SHOWN_WIDTH.min(end.saturating_sub(column)).max(1));
        let indent = column - start + before.chars().count();
        (
            format!("{before}{}{after}", shown.trim_end()),
            format!("{}{}", " ".repeat(indent), "^".repeat(width)),
        )
    }
}

/// The rules could not be loaded: every error that was found, in the order of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The errors; never empty.
    pub diagnostics: Vec<Diagnostic>,
    /// The names of the rules that have errors, in their own text or in a macro they use.
    pub faulty_rules: Vec<String>,
}

impl std::error::Error for LoadError {}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.diagnostics {
            writeln!(f, "{diagnostic}\n")?;
        }
        match self.diagnostics.len() {
            1 => write!(f, "1 error; the rules were not loaded"),
            count => write!(f, "{count} errors; the rules were not loaded"),
        }
    }
}

/// Collects findings while files are read.
pub(crate) struct Report<'s> {
    pub files: &'s [SourceFile<'s>],
    pub diagnostics: Vec<Diagnostic>,
    /// The item that is being read, such as "rule `Shell in a container`".
    pub subject: Option<String>,
}

impl<'s> Report<'s> {
    pub fn new(files: &'s [SourceFile<'s>]) -> Self {
        Self { files, diagnostics: Vec::new(), subject: None }
    }

    pub fn file_text(&self, place: Place) -> &'s str {
        self.files.get(place.file as usize).map_or("", |file| file.text)
    }

    pub fn error(&mut self, place: Place, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Error, place, message.into())
    }

    pub fn warning(&mut self, place: Place, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Warning, place, message.into())
    }

    fn add(&mut self, severity: Severity, place: Place, message: String) -> &mut Diagnostic {
        let diagnostic = self.diagnostic(severity, place, message);
        self.diagnostics.push(diagnostic);
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }

    /// A finding that is not yet part of the report.
    pub fn diagnostic(&self, severity: Severity, place: Place, message: String) -> Diagnostic {
        let name = self.files.get(place.file as usize).map_or("", |file| file.name);
        let spot = Spot::new(self.file_text(place), place);
        Diagnostic {
            severity,
            message,
            file: name.to_owned(),
            line: spot.line,
            column: spot.column,
            source_line: spot.text.to_owned(),
            width: spot.width,
            subject: self.subject.clone(),
            help: None,
        }
    }
}

/// A place as a reader counts: lines and columns.
struct Spot<'s> {
    line: usize,
    column: usize,
    text: &'s str,
    width: usize,
}

impl<'s> Spot<'s> {
    fn new(file: &'s str, place: Place) -> Self {
        let start = floor_boundary(file, place.start as usize);
        let end = floor_boundary(file, place.end as usize).max(start);
        let before = &file[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = file[start..].find('\n').map_or(file.len(), |newline| start + newline);
        Self {
            line: before.matches('\n').count() + 1,
            column: file[line_start..start].chars().count() + 1,
            text: file[line_start..line_end].trim_end_matches('\r'),
            width: file[start..end.min(line_end).max(start)].chars().count().max(1),
        }
    }
}

/// The last character boundary at or before `offset`.
fn floor_boundary(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

impl Diagnostic {
    pub(crate) fn help(&mut self, help: impl Into<String>) {
        self.help = Some(help.into());
    }

    /// Suggests the known name nearest to the one that was written, if one is near.
    pub(crate) fn suggest<'n>(&mut self, written: &str, known: impl IntoIterator<Item = &'n str>) {
        if let Some(name) = nearest(written, known) {
            self.help(format!("did you mean `{name}`?"));
        }
    }
}

/// The known name that is most like `written`, unless none is much like it.
pub(crate) fn nearest<'n>(
    written: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    const LIKENESS: f64 = 0.75;
    let lowercase = written.to_lowercase();
    known
        .into_iter()
        .map(|name| {
            (strsim::normalized_damerau_levenshtein(&lowercase, &name.to_lowercase()), name)
        })
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_name_is_not_suggested() {
        assert_eq!(nearest("proc.nmae", ["proc.name", "proc.cmdline"]), Some("proc.name"));
        assert_eq!(nearest("Condition", ["condition"]), Some("condition"));
        assert_eq!(nearest("zzz", ["proc.name"]), None);
    }

    #[test]
    fn a_very_long_line_is_shown_around_the_mark() {
        let text = format!("{}needle{}", "a".repeat(500), "b".repeat(500));
        let files = [SourceFile { name: "long.yaml", text: &text }];
        let report = Report::new(&files);
        let place = Place { file: 0, start: 500, end: 506 };
        let shown = report.diagnostic(Severity::Error, place, "found".to_owned()).to_string();
        let lines: Vec<&str> = shown.lines().collect();
        let mark = lines[4].chars().position(|c| c == '^').unwrap();
        let pointed: String = lines[3].chars().skip(mark).take(6).collect();
        assert_eq!(pointed, "needle", "{shown}");
        assert!(lines[3].chars().count() < 140, "{shown}");
    }
}
