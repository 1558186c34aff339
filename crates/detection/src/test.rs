//! What is asked of a field's value.

use crate::domain_set::DomainSet;
use crate::field::Value;
use crate::mention::Mention;
use crate::network_set::NetworkSet;
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use foldhash::HashSet;
use memchr::memmem;
use regex::Regex;

/// A question to a value. A missing value is never asked.
#[derive(Debug)]
pub(crate) enum Test {
    /// The value is there.
    Exists,
    Text(TextTest),
    Number(NumberTest),
    Boolean(bool),
    /// An address of one of the networks.
    AddressIn(NetworkSet),
    /// An address of none of them.
    AddressOutside(NetworkSet),
    /// No value answers: an empty list, say.
    Never,
    /// How many of several questions must be answered with yes.
    Any(Box<[Test]>),
    All(Box<[Test]>),
    ExactlyOne(Box<[Test]>),
}

#[derive(Debug)]
pub(crate) enum TextTest {
    Equal(Box<str>),
    NotEqual(Box<str>),
    OneOf(TextSet),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    Contains(Box<str>),
    /// Compared without regard to the case of ASCII letters.
    ContainsIgnoringCase(Box<str>),
    /// One of several parts, all searched for at once.
    ContainsOneOf(Parts),
    /// The expression matches the whole text.
    Matches(Regex),
    /// Paths without a slash at their ends: the text is one of them or lies below one.
    Below(Box<[Box<str>]>),
    /// The text is one of the domains or lies below one.
    InDomain(DomainSet),
    /// The text mentions one of the addresses or domains.
    Mentions(Mention),
}

#[derive(Debug)]
pub(crate) enum NumberTest {
    Equal(i64),
    NotEqual(i64),
    Less(i64),
    LessOrEqual(i64),
    Greater(i64),
    GreaterOrEqual(i64),
    /// Sorted.
    OneOf(Box<[i64]>),
}

/// Texts that are searched for at once.
#[derive(Debug)]
pub(crate) struct Parts {
    texts: Box<[Box<str>]>,
    searcher: AhoCorasick,
}

impl Parts {
    /// None where there are too many of them. The case that is ignored is that of ASCII letters.
    pub fn new(texts: Box<[Box<str>]>, ignoring_case: bool) -> Option<Self> {
        let mut builder = AhoCorasick::builder();
        let patterns = texts.iter().map(|text| text.as_bytes());
        // A tenth of the memory that its quickest form takes, for what the index leaves to be asked.
        builder.kind(Some(AhoCorasickKind::ContiguousNFA));
        let searcher = builder.ascii_case_insensitive(ignoring_case).build(patterns).ok()?;
        Some(Self { texts, searcher })
    }

    pub fn texts(&self) -> &[Box<str>] {
        &self.texts
    }
}

/// A set of texts.
#[derive(Debug)]
pub(crate) enum TextSet {
    Few(Box<[Box<str>]>),
    Many(HashSet<Box<str>>),
}

/// Of texts of so many bytes.
const LONG: usize = 256;

/// Up to here comparing with each text is quicker than hashing.
const FEW: usize = 8;

impl TextSet {
    pub fn new(texts: Vec<Box<str>>) -> Self {
        if texts.len() <= FEW {
            Self::Few(texts.into())
        } else {
            Self::Many(texts.into_iter().collect())
        }
    }

    /// The texts, in no order.
    pub fn iter(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Few(texts) => Box::new(texts.iter().map(|text| &**text)),
            Self::Many(texts) => Box::new(texts.iter().map(|text| &**text)),
        }
    }

    fn contains(&self, text: &str) -> bool {
        match self {
            Self::Few(texts) => texts.iter().any(|known| **known == *text),
            Self::Many(texts) => texts.contains(text),
        }
    }
}

impl Test {
    pub fn holds(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Exists, value) => *value != Value::Missing,
            (Self::Text(test), Value::Text(value)) => test.holds(value),
            (Self::Number(test), Value::Number(number)) => test.holds(*number),
            (Self::Boolean(wanted), Value::Boolean(truth)) => wanted == truth,
            (Self::AddressIn(networks), Value::Address(address)) => networks.contains(*address),
            (Self::AddressOutside(networks), Value::Address(address)) => {
                !networks.contains(*address)
            }
            (Self::Any(tests), _) => tests.iter().any(|test| test.holds(value)),
            (Self::All(tests), _) => {
                !tests.is_empty() && tests.iter().all(|test| test.holds(value))
            }
            (Self::ExactlyOne(tests), _) => {
                tests.iter().filter(|test| test.holds(value)).count() == 1
            }
            (
                Self::Text(_)
                | Self::Number(_)
                | Self::Boolean(_)
                | Self::AddressIn(_)
                | Self::AddressOutside(_)
                | Self::Never,
                _,
            ) => false,
        }
    }
}

impl TextTest {
    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Equal(wanted) => text == &**wanted,
            Self::NotEqual(unwanted) => text != &**unwanted,
            Self::OneOf(set) => set.contains(text),
            Self::StartsWith(start) => text.starts_with(&**start),
            Self::EndsWith(end) => text.ends_with(&**end),
            // The quicker search takes longer to begin.
            Self::Contains(part) if text.len() < LONG => text.contains(&**part),
            Self::Contains(part) => memmem::find(text.as_bytes(), part.as_bytes()).is_some(),
            Self::ContainsIgnoringCase(part) => contains_ignoring_case(text, part),
            Self::ContainsOneOf(parts) => parts.searcher.is_match(text),
            Self::Matches(expression) => expression.is_match(text),
            Self::Below(paths) => paths.iter().any(|path| lies_below(text, path)),
            Self::InDomain(domains) => domains.holds(text),
            Self::Mentions(mention) => mention.is_in(text),
        }
    }
}

fn contains_ignoring_case(text: &str, part: &str) -> bool {
    part.is_empty()
        || text
            .as_bytes()
            .windows(part.len())
            .any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

fn lies_below(text: &str, path: &str) -> bool {
    text.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl NumberTest {
    fn holds(&self, number: i64) -> bool {
        match self {
            Self::Equal(wanted) => number == *wanted,
            Self::NotEqual(unwanted) => number != *unwanted,
            Self::Less(bound) => number < *bound,
            Self::LessOrEqual(bound) => number <= *bound,
            Self::Greater(bound) => number > *bound,
            Self::GreaterOrEqual(bound) => number >= *bound,
            Self::OneOf(numbers) => numbers.binary_search(&number).is_ok(),
        }
    }
}

/// A pattern of fnmatch(3) without flags as a regular expression: `*` and `?` match slashes too.
pub(crate) fn glob_expression(pattern: &str) -> String {
    let mut expression = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern.chars();
    while let Some(character) = rest.next() {
        match character {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            '[' => match bracket(rest.as_str()) {
                Some((class, length)) => {
                    expression.push_str(&class);
                    rest = rest.as_str()[length..].chars();
                }
                None => expression.push_str("\\["),
            },
            '\\' => expression.push_str(&regex::escape(&rest.next().unwrap_or('\\').to_string())),
            other => expression.push_str(&regex::escape(&other.to_string())),
        }
    }
    expression
}

/// The class behind an opening bracket, and how long it is. None where no bracket closes it.
fn bracket(text: &str) -> Option<(String, usize)> {
    let negated = text.starts_with(['!', '^']);
    let start = usize::from(negated);
    // A closing bracket that stands first is a member.
    let end = start + 1 + text.get(start + 1..)?.find(']')?;
    let mut class = if negated { "[^".to_owned() } else { "[".to_owned() };
    for character in text.get(start..end)?.chars() {
        if matches!(character, '[' | ']' | '\\' | '^' | '&' | '~') {
            class.push('\\');
        }
        class.push(character);
    }
    class.push(']');
    Some((class, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(pattern: &str, text: &str) -> bool {
        Regex::new(&format!("(?s)^(?:{})$", glob_expression(pattern))).unwrap().is_match(text)
    }

    #[test]
    fn globs_match_as_fnmatch_does() {
        assert!(glob("/proc/*/environ", "/proc/1/task/2/environ"));
        assert!(glob("?ash", "bash") && !glob("?ash", "ash"));
        assert!(glob("[a-c]x[!0-9]", "bxz") && !glob("[a-c]x[!0-9]", "bx1"));
        assert!(glob("a[]]b", "a]b") && glob("a[b", "a[b"));
        assert!(glob("a\\*b", "a*b") && !glob("a\\*b", "axb"));
        assert!(glob("a.b", "a.b") && !glob("a.b", "axb"));
    }

    #[test]
    fn a_path_lies_below_whole_components_only() {
        let below = TextTest::Below(Box::new(["/var/run".into()]));
        assert!(below.holds("/var/run") && below.holds("/var/run/docker.sock"));
        assert!(!below.holds("/var/running"));
    }

    #[test]
    fn case_is_ignored_where_the_operator_says_so() {
        let test = TextTest::ContainsIgnoringCase("Sys_Module".into());
        assert!(test.holds("CAP_SYS_MODULE") && !test.holds("CAP_SYS"));
    }
}
