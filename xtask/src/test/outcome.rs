//! What a step came to, read off what it printed.

/// How many of a failed step's last lines are shown again below the summary.
const ENDING_LINES: usize = 300;

/// Counts of a step's tests, and lines of it that belong in the summary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
    pub notes: Vec<String>,
    /// The last lines of a step that failed.
    pub ending: Vec<String>,
}

impl Outcome {
    /// A check that holds as a whole.
    pub fn passed() -> Self {
        Self { passed: 1, ..Self::default() }
    }

    /// A check that does not.
    pub fn failed() -> Self {
        Self { failed: 1, ..Self::default() }
    }

    /// With the last of these lines, where something failed.
    pub fn with_ending_of(mut self, lines: &[String]) -> Self {
        if self.failed > 0 {
            self.ending = lines[lines.len().saturating_sub(ENDING_LINES)..].to_vec();
        }
        self
    }

    /// Both together; notes and endings stay behind.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
            ..Self::default()
        }
    }

    /// Reads closing lines: nextest's `Summary […] 9 tests run: 8 passed, 1 failed, 0 skipped` and the plain
    /// `8 passed, 1 failed, 0 skipped`. None where the output has neither: then nothing was tested.
    pub fn from_output(lines: &[String]) -> Option<Self> {
        let closings: Vec<Self> = lines.iter().filter_map(|line| closing_line(line)).collect();
        let mut sum =
            closings.iter().skip(1).fold(closings.first()?.clone(), |sum, next| sum.plus(next));
        let notes =
            lines.iter().map(|line| line.trim_start()).filter(|line| line.starts_with("shown: "));
        sum.notes = notes.map(str::to_owned).collect();
        Some(sum)
    }
}

fn closing_line(line: &str) -> Option<Outcome> {
    let line = line.trim();
    let counts = match line.split_once("tests run: ") {
        Some((summary, counts)) if summary.starts_with("Summary [") => counts,
        _ => line,
    };
    let mut outcome = Outcome::default();
    let mut found_passed = false;
    for part in counts.split(", ") {
        let (number, what) = part.split_once(' ')?;
        let number: u64 = number.parse().ok()?;
        match what.split(' ').next()? {
            "passed" => (outcome.passed, found_passed) = (number, true),
            "failed" | "timed" => outcome.failed += number,
            "skipped" => outcome.skipped = number,
            _ => return None,
        }
    }
    found_passed.then_some(outcome)
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    fn read(text: &str) -> Option<Outcome> {
        Outcome::from_output(&text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn closing_lines_of_both_kinds_are_read_and_summed() {
        let nextest = "     Summary [   1.014s] 12 tests run: 9 passed (1 slow), 2 failed, 1 timed out, 4 skipped";
        let plain = "3 passed, 0 failed, 1 skipped";
        let both = read(&format!("{nextest}\nPASS something\n{plain}\n")).unwrap();
        assert_eq!(both, Outcome { passed: 12, failed: 3, skipped: 5, ..Outcome::default() });
    }

    #[test]
    fn output_without_a_closing_line_tested_nothing() {
        assert_eq!(read("compiling\nfinished\n"), None);
        assert_eq!(read("12 files, 3 folders"), None);
    }

    #[test]
    fn a_step_that_failed_shows_its_end_and_one_that_passed_does_not() {
        let lines: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        let failed = Outcome::failed().with_ending_of(&lines);
        assert_eq!(failed.ending.first().map(String::as_str), Some("700"));
        assert_eq!(failed.ending.last().map(String::as_str), Some("999"));
        assert_eq!(Outcome::passed().with_ending_of(&lines), Outcome::passed());
        assert_eq!(Outcome::failed().with_ending_of(&lines[..2]).ending, ["0", "1"]);
    }
}
