//! What of a file could not be used.

use std::path::Path;

/// So many are told one by one, the rest as a number.
const MOST_TOLD: usize = 20;

/// Notes on one file.
#[derive(Debug)]
pub(super) struct Notes {
    file: String,
    told: Vec<String>,
    untold: usize,
}

impl Notes {
    pub fn of(path: &Path) -> Self {
        Self { file: path.display().to_string(), told: vec![], untold: 0 }
    }

    /// About a line of the file, from 1.
    pub fn of_line(&mut self, line: usize, what: impl FnOnce() -> String) {
        let file = self.file.clone();
        self.note(|| format!("{file}:{line}: {}", what()));
    }

    /// About an object of the file.
    pub fn of_object(&mut self, id: &str, what: impl FnOnce() -> String) {
        let file = self.file.clone();
        self.note(|| format!("{file}: {id}: {}", what()));
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        if self.told.len() < MOST_TOLD {
            self.told.push(text());
        } else {
            self.untold += 1;
        }
    }

    pub fn into_warnings(self) -> Vec<String> {
        let mut warnings = self.told;
        if self.untold > 0 {
            warnings.push(format!("{}: {} more can't be used", self.file, self.untold));
        }
        warnings
    }
}
