//! Files of threat intelligence: what is known to be malicious, told by others, for the lists that rules compare with.

mod indicator;
mod notes;
mod pattern;
mod plain;
mod stix;

use crate::RulesError;
use crate::disk::{read, visible_files};
use crate::rule_paths::THREAT_INTELLIGENCE;
use detection::ListAddition;
use indicator::Indicator;
use notes::Notes;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Larger files are no lists.
const MAXIMUM_FILE_BYTES: u64 = 64 << 20;

/// Most values of all files together: the rest is left out, and told.
const MOST_VALUES: usize = 1_000_000;

/// Most parts of command lines, and most bytes of them together: each is searched for in every command line, and takes memory by its length.
const MOST_COMMAND_LINES: usize = 10_000;
const MOST_COMMAND_LINE_BYTES: usize = 1 << 20;

/// What some files say.
#[derive(Debug, Default)]
pub struct ThreatIntelligence {
    by_list: BTreeMap<String, Vec<String>>,
    values: usize,
    left_out: usize,
    warnings: Vec<String>,
}

impl ThreatIntelligence {
    /// Reads files, and those in folders (`*.txt` and `*.json`, by the order of their names). `LIST.txt` and `LIST.anything.txt` have a value of the
    /// list LIST in each line; `*.json` are bundles of STIX 2.1, whose indicators feed the lists `malicious_domains`, `malicious_addresses`,
    /// `anonymising_addresses`, `malicious_hashes` and `malicious_command_lines`. What can't be used is left out, with a warning.
    ///
    /// # Errors
    /// A path that can't be read, a file that is too large, and JSON that is no bundle.
    pub fn read(paths: &[PathBuf]) -> Result<Self, RulesError> {
        let mut files = vec![];
        for path in paths {
            visible_files(path, &THREAT_INTELLIGENCE, &mut files)?;
        }
        let mut all = Self::default();
        for file in files {
            all.read_file(&file)?;
        }
        all.sort();
        Ok(all)
    }

    fn read_file(&mut self, path: &Path) -> Result<(), RulesError> {
        let text = read(path, MAXIMUM_FILE_BYTES)?;
        let mut notes = Notes::of(path);
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        if is_json {
            let now = jiff::Timestamp::now();
            stix::bundle(&text, now, &mut notes, |indicator| self.add(indicator))
                .map_err(|reason| RulesError::NoBundle { path: path.to_owned(), reason })?;
        } else {
            plain::lines(path, &text, &mut notes, |indicator| self.add(indicator));
        }
        self.warnings.extend(notes.into_warnings());
        Ok(())
    }

    fn add(&mut self, Indicator { list, value }: Indicator) {
        let of_list = self.by_list.entry(list).or_default();
        if self.values >= MOST_VALUES {
            self.left_out += 1;
            return;
        }
        of_list.push(value);
        self.values += 1;
    }

    fn sort(&mut self) {
        for values in self.by_list.values_mut() {
            values.sort_unstable();
            values.dedup();
        }
        let is_of_command_lines = |(list, _): &(&String, &mut Vec<String>)| {
            indicator::Kind::of_list(list) == indicator::Kind::CommandLine
        };
        for (_, values) in self.by_list.iter_mut().filter(is_of_command_lines) {
            let before = values.len();
            let mut bytes = 0;
            values.retain(|value| {
                bytes += value.len();
                bytes <= MOST_COMMAND_LINE_BYTES
            });
            values.truncate(MOST_COMMAND_LINES);
            self.left_out += before - values.len();
        }
        if self.left_out > 0 {
            let message = format!(
                "{} values of threat intelligence are left out: at most {MOST_VALUES} are taken, and {MOST_COMMAND_LINES}, or 1 MiB, of a list of command lines",
                self.left_out
            );
            self.warnings.push(message);
        }
    }

    /// How many different values the lists have.
    pub fn values(&self) -> usize {
        self.by_list.values().map(Vec::len).sum()
    }

    /// What could not be used, and why, file by file.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// For the rules.
    pub(crate) fn into_additions(self) -> Vec<ListAddition> {
        let additions = self.by_list.into_iter();
        additions.map(|(list, values)| ListAddition { list, values }).collect()
    }
}

#[cfg(test)]
mod tests;
