//! Where text came from: every name and value of a rule can be pointed at in its file.

use crate::addition::ListAddition;
use event_model::Timestamp;
use std::ops::Range;

/// A rule file: the name that stands in messages, and the text.
#[derive(Clone, Copy, Debug)]
pub struct SourceFile<'a> {
    /// Such as `rules/execution.yaml`. Only printed; nothing is opened.
    pub name: &'a str,
    /// The file's contents.
    pub text: &'a str,
}

/// What rules are loaded from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sources<'a> {
    /// Rule files.
    pub rules: &'a [SourceFile<'a>],
    /// Files of suppressions of their alerts.
    pub suppressions: &'a [SourceFile<'a>],
    /// Values for lists that the rules define.
    pub additions: &'a [ListAddition],
    /// Decides which suppressions have expired, and how long they may last.
    pub now: Timestamp,
}

/// A stretch of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// Index into the files that were loaded together.
    pub file: u32,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A value and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pub value: String,
    pub place: Place,
}

/// A string of which each byte remembers where it stood in a file.
///
/// A condition's text differs from the file's: YAML folds lines and decodes escapes, and an override may append text
/// from another file. Errors inside of it must point into the file all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LocatedText {
    text: String,
    /// For each byte of `text`: file and offset.
    origins: Vec<(u32, u32)>,
}

impl LocatedText {
    /// The value of a YAML scalar that stands at `place`.
    pub fn of_scalar(value: &str, place: Place, file_text: &str) -> Self {
        let raw = file_text.get(place.start as usize..place.end as usize).unwrap_or_default();
        let origins = Alignment::new(raw, value)
            .of(value)
            .map(|offset| (place.file, place.start + u32::try_from(offset).unwrap_or(0)))
            .collect();
        Self { text: value.to_owned(), origins }
    }

    /// A text that stands nowhere: for conditions that are not read from a file.
    pub fn detached(text: &str) -> Self {
        let origins =
            (0..text.len()).map(|offset| (0, u32::try_from(offset).unwrap_or(0))).collect();
        Self { text: text.to_owned(), origins }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Appends `other` after a space.
    pub fn append(&mut self, other: &Self) {
        let seam = other.origins.first().or(self.origins.last()).copied().unwrap_or_default();
        self.text.push(' ');
        self.origins.push(seam);
        self.text.push_str(&other.text);
        self.origins.extend_from_slice(&other.origins);
    }

    /// Where a range of the text stands. An empty range at the end stands behind the last byte.
    pub fn place(&self, range: Range<usize>) -> Place {
        let Some(&(file, start)) = self.origins.get(range.start) else {
            let (file, last) = self.origins.last().copied().unwrap_or_default();
            return Place { file, start: last + 1, end: last + 1 };
        };
        let last = self.origins.get(range.end.saturating_sub(1)).copied().unwrap_or_default();
        let end = if last.0 == file && last.1 >= start { last.1 + 1 } else { start + 1 };
        Place { file, start, end }
    }
}

/// Walks a scalar's value and its YAML spelling side by side.
struct Alignment<'a> {
    raw: &'a str,
    at: usize,
    quote: Option<char>,
}

impl<'a> Alignment<'a> {
    /// `raw` is the spelling with its quotes, but without the indicator of a block scalar.
    fn new(raw: &'a str, value: &str) -> Self {
        let quote = raw.chars().next().filter(|first| matches!(first, '"' | '\''));
        // Text of a block may begin with a quotation mark too: it is then part of the value, as is what follows it.
        let quote = quote.filter(|_| !raw.get(..2).is_some_and(|start| value.starts_with(start)));
        Self { raw, at: usize::from(quote.is_some()), quote }
    }

    /// For each byte of `value`, its offset in the spelling.
    fn of(mut self, value: &str) -> impl Iterator<Item = usize> {
        let mut origins = Vec::with_capacity(value.len());
        for character in value.chars() {
            let start = self.step(character);
            origins.extend((0..character.len_utf8()).map(|byte| start + byte));
        }
        origins.into_iter()
    }

    /// Finds one character of the value and goes past it. Spaces need not match: YAML folds and indents.
    fn step(&mut self, character: char) -> usize {
        if character.is_whitespace() && !self.rest().starts_with('\\') {
            return self.at;
        }
        let rest = self.rest();
        let blank = rest.len() - rest.trim_start().len();
        if !character.is_whitespace() {
            self.at += blank;
        }
        let start = self.at;
        self.at += self.spelled_length(character);
        start
    }

    fn spelled_length(&self, character: char) -> usize {
        let rest = self.rest();
        match self.quote {
            Some('"') if rest.starts_with('\\') => match rest.as_bytes().get(1) {
                Some(b'x') => 4,
                Some(b'u') => 6,
                Some(b'U') => 10,
                _ => 2,
            },
            Some('\'') if rest.starts_with("''") => 2,
            _ if rest.starts_with(character) => character.len_utf8(),
            _ => 0,
        }
    }

    fn rest(&self) -> &'a str {
        self.raw.get(self.at..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelling_of(value: &str, raw: &str, word: &str) -> String {
        let end = u32::try_from(raw.len()).unwrap();
        let text = LocatedText::of_scalar(value, Place { file: 0, start: 0, end }, raw);
        let start = value.find(word).unwrap();
        let place = text.place(start..start + word.len());
        raw[place.start as usize..place.end as usize].to_owned()
    }

    #[test]
    fn words_are_found_in_every_way_to_spell_a_scalar() {
        assert_eq!(spelling_of("a and b_c", "a and b_c", "b_c"), "b_c");
        assert_eq!(spelling_of("a and b_c\n", "a\n    and b_c\n", "b_c"), "b_c");
        assert_eq!(spelling_of("a\nand b_c", "a\n  and b_c", "b_c"), "b_c");
        assert_eq!(spelling_of("x = \"y\" and b_c", "\"x = \\\"y\\\" and b_c\"", "b_c"), "b_c");
        assert_eq!(spelling_of("'x' and b_c", "'x'\n  and b_c\n", "b_c"), "b_c");
        assert_eq!(spelling_of("x = 'y' and b_c", "'x = ''y'' and b_c'", "b_c"), "b_c");
    }

    #[test]
    fn appended_text_points_into_its_own_file() {
        let mut text = LocatedText::detached("a and");
        text.append(&LocatedText::of_scalar(
            "b",
            Place { file: 1, start: 40, end: 41 },
            &" ".repeat(50),
        ));
        assert_eq!(text.as_str(), "a and b");
        assert_eq!(text.place(6..7).file, 1);
    }
}
