//! Texts that many objects share, held once.

use foldhash::HashSet;
use std::sync::Arc;

/// A text that is held once.
pub(crate) type Name = Arc<str>;

/// Longest text that is held, in bytes: names of Kubernetes have 253, images some hundreds.
const LONGEST: usize = 1_024;
/// Fewest texts before any are looked for that nobody holds any more.
const FEWEST: usize = 4_096;

/// The texts.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: HashSet<Name>,
    /// How many there may be before those that nobody holds are let go.
    sweep_at: usize,
}

impl Names {
    /// The beginning of a text, as far as it is not longer than any name should be.
    pub(crate) fn of(&mut self, text: &str) -> Name {
        let text = beginning(text, LONGEST);
        if let Some(name) = self.known.get(text) {
            return Arc::clone(name);
        }
        if self.known.len() >= self.sweep_at {
            self.known.retain(|name| Arc::strong_count(name) > 1);
            self.sweep_at = FEWEST.max(self.known.len() + self.known.len() / 2);
        }
        let name = Name::from(text);
        self.known.insert(Arc::clone(&name));
        name
    }
}

/// At most so many bytes of a text, in whole characters.
pub(crate) fn beginning(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_nobody_holds_are_let_go() {
        let mut names = Names::default();
        let held = names.of("held");
        for number in 0..10 * FEWEST {
            names.of(&number.to_string());
        }
        assert!(names.known.len() <= 2 * FEWEST, "{}", names.known.len());
        assert!(Arc::ptr_eq(&held, &names.of("held")));
    }

    #[test]
    fn an_absurd_name_is_cut_between_characters() {
        let name = Names::default().of(&"ä".repeat(LONGEST));
        assert!(name.len() <= LONGEST && name.chars().all(|character| character == 'ä'));
    }
}
