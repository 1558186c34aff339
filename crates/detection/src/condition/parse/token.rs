//! Words and values, and errors that point at them.

use crate::condition::Literal;
use crate::source::{LocatedText, Place};
use winnow::combinator::{opt, peek};
use winnow::error::{ErrMode, ParserError};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location as _, Stateful};
use winnow::token::{any, literal, one_of, take_while};

/// The text, with the places in files of its bytes beside it.
pub(super) type Input<'i> = Stateful<LocatingSlice<&'i str>, &'i LocatedText>;
pub(super) type Parsed<T> = Result<T, ErrMode<Problem>>;

#[derive(Debug)]
pub(super) struct Problem {
    pub start: usize,
    pub end: usize,
    pub message: String,
    pub help: Option<String>,
}

impl<'i> ParserError<Input<'i>> for Problem {
    type Inner = Self;

    fn from_input(input: &Input<'i>) -> Self {
        let at = input.current_token_start();
        Self { start: at, end: at + 1, message: "this can't be read".to_owned(), help: None }
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// An error at the next word.
pub(super) fn fail<T>(
    input: &mut Input<'_>,
    message: impl Into<String>,
    help: Option<String>,
) -> Parsed<T> {
    let here = input.current_token_start();
    let (start, end) = match next_word(input) {
        Some(word) => (here, here + word.len()),
        // At the end: behind the last word, not behind the blanks and line breaks that may follow it.
        None => (input.state.as_str().trim_end().len(), here + 1),
    };
    Err(ErrMode::Cut(Problem { start, end, message: message.into(), help }))
}

/// An error at what was just read.
pub(super) fn fail_since<T>(
    input: &Input<'_>,
    start: usize,
    message: String,
    help: Option<String>,
) -> Parsed<T> {
    Err(ErrMode::Cut(Problem { start, end: input.previous_token_end(), message, help }))
}

/// What a reader would call the next word. None at the end.
pub(super) fn next_word<'i>(input: &Input<'i>) -> Option<&'i str> {
    let rest: &'i str = input.input.peek_finish();
    let first = rest.chars().next()?;
    let length = rest.find(|c: char| is_blank(c) || "()\"',=".contains(c)).unwrap_or(rest.len());
    rest.get(..length.max(first.len_utf8()))
}

pub(super) fn found(input: &Input<'_>) -> String {
    next_word(input).map_or_else(|| "the end".to_owned(), |word| format!("`{word}`"))
}

const fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\u{8}' | '\r' | '\n')
}

fn is_bare(character: char) -> bool {
    !character.is_whitespace() && !"()\"'=,".contains(character)
}

pub(super) fn skip_blank(input: &mut Input<'_>) -> bool {
    let blank: Parsed<&str> = take_while(0.., is_blank).parse_next(input);
    blank.is_ok_and(|blank| !blank.is_empty())
}

pub(super) fn place_since(input: &Input<'_>, start: usize) -> Place {
    input.state.place(start..input.previous_token_end())
}

/// Goes past blanks and `word`, where it stands alone or before a parenthesis.
pub(super) fn keyword(input: &mut Input<'_>, word: &'static str) -> bool {
    skip_blank(input);
    let start = input.checkpoint();
    let found: Parsed<&str> = literal(word).parse_next(input);
    if found.is_ok() && next_character(input).is_none_or(|next| next == '(' || is_blank(next)) {
        return true;
    }
    input.reset(&start);
    false
}

pub(super) fn next_character(input: &mut Input<'_>) -> Option<char> {
    let next: Parsed<Option<char>> = opt(peek(any)).parse_next(input);
    next.ok().flatten()
}

pub(super) fn expect(input: &mut Input<'_>, character: char) -> Parsed<()> {
    let read: Parsed<char> = one_of(character).parse_next(input);
    match read {
        Ok(_) => Ok(()),
        Err(_) => fail(input, format!("expected `{character}`, found {}", found(input)), None),
    }
}

pub(super) fn is_reserved(word: &str) -> bool {
    matches!(word, "and" | "or" | "not")
}

/// One or more identifiers joined by dots; empty where there is none.
pub(super) fn name<'i>(input: &mut Input<'i>) -> &'i str {
    let rest: &'i str = input.input.peek_finish();
    let mut length = identifier_length(rest);
    while length > 0 && rest[length..].starts_with('.') {
        match identifier_length(&rest[length + 1..]) {
            0 => break,
            more => length += 1 + more,
        }
    }
    input.next_slice(length)
}

fn identifier_length(text: &str) -> usize {
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return 0;
    }
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

pub(super) fn value(input: &mut Input<'_>) -> Parsed<Literal> {
    let start = input.current_token_start();
    if matches!(next_character(input), Some('"' | '\'')) {
        let text = quoted(input)?;
        return Ok(Literal { text, quoted: true, place: place_since(input, start) });
    }
    let bare: Parsed<&str> = take_while(1.., is_bare).parse_next(input);
    match bare {
        Ok(text) => {
            Ok(Literal { text: text.to_owned(), quoted: false, place: place_since(input, start) })
        }
        Err(_) => fail(input, format!("expected a value, found {}", found(input)), None),
    }
}

/// A string in quotation marks of either kind, with the escapes of the language.
pub(super) fn quoted(input: &mut Input<'_>) -> Parsed<String> {
    let start = input.current_token_start();
    let rest = input.input.peek_finish();
    let delimiter = rest.bytes().next().unwrap_or(b'"');
    let mut bytes = rest.bytes().enumerate().skip(1);
    let mut value = Vec::new();
    while let Some((at, byte)) = bytes.next() {
        if byte == delimiter {
            input.next_slice(at + 1);
            return Ok(String::from_utf8_lossy(&value).into_owned());
        }
        if byte != b'\\' {
            value.push(byte);
            continue;
        }
        let escape = bytes.next().map(|(_, escape)| escape);
        let hex = if escape == Some(b'x') { rest.get(at + 2..at + 4) } else { None };
        let Some(decoded) = unescaped(escape, hex) else {
            let shown = escape
                .filter(u8::is_ascii_graphic)
                .map_or("\\".to_owned(), |c| format!("\\{}", char::from(c)));
            let help = "a backslash itself is written `\\\\`".to_owned();
            let message = format!("`{shown}` is no escape");
            return Err(ErrMode::Cut(Problem {
                start: start + at,
                end: start + at + shown.len(),
                message,
                help: Some(help),
            }));
        };
        value.push(decoded);
        if hex.is_some() {
            bytes.nth(1);
        }
    }
    let problem = Problem {
        start,
        end: start + 1,
        message: "this quotation mark is never closed".to_owned(),
        help: None,
    };
    Err(ErrMode::Cut(problem))
}

/// The byte that an escape stands for.
fn unescaped(escape: Option<u8>, hex: Option<&str>) -> Option<u8> {
    Some(match escape? {
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        // Existing rule files write `\ ` where they mean a backslash.
        b' ' => b'\\',
        plain @ (b'\\' | b'/' | b'"' | b'\'') => plain,
        b'x' => u8::from_str_radix(hex?, 16).ok()?,
        _ => return None,
    })
}
