//! The grammar of conditions:
//!
//! ```text
//! condition   = conjunction { "or" conjunction }
//! conjunction = negation { "and" negation }
//! negation    = { "not" } ( "(" condition ")" | check | MACRO )
//! check       = subject ( "exists" | operator value | operator quantifier list | list-operator list )
//! subject     = FIELD [ "[" argument "]" ] | transformer "(" subject ")"
//! list        = "(" [ value { "," value } ] ")" | NAME
//! value       = "…" | '…' | any characters but blanks, quotation marks, parentheses, "=" and ","
//! ```

use super::{
    Check, Comparison, Expression, ListOperator, Literal, Name, Operator, Quantifier, Subject,
    Transformer, operator_spellings,
};
use crate::diagnostic::nearest;
use crate::source::{LocatedText, Place};
use winnow::combinator::{opt, peek};
use winnow::error::{ErrMode, ParserError};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location as _, Stateful};
use winnow::token::{any, literal, one_of, take_while};

/// Deepest nesting of parentheses.
const DEEPEST: usize = 256;

/// What keeps a text from being a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub place: Place,
    pub message: String,
    pub help: Option<String>,
}

/// Parses a condition.
pub(crate) fn parse(text: &LocatedText) -> Result<Expression, SyntaxError> {
    whole(text, disjunction)
}

/// Parses the left side of a comparison.
pub(crate) fn parse_subject(text: &LocatedText) -> Result<Subject, SyntaxError> {
    whole(text, subject)
}

/// Parses a left side that begins at byte `start`; tells the byte behind it too.
pub(crate) fn parse_leading_subject(
    text: &LocatedText,
    start: usize,
) -> Result<(Subject, usize), SyntaxError> {
    let mut input = input(text);
    input.next_slice(start);
    let subject = subject(&mut input).map_err(|mode| syntax_error(text, mode, &input))?;
    Ok((subject, input.previous_token_end()))
}

/// Parses a list in parentheses.
pub(crate) fn parse_list(text: &LocatedText) -> Result<Vec<Literal>, SyntaxError> {
    whole(text, list_in_parentheses)
}

/// Parses values that stand between commas, as an item of a list may.
pub(crate) fn parse_items(text: &LocatedText) -> Result<Vec<Literal>, SyntaxError> {
    whole(text, items)
}

/// The text, with the places in files of its bytes beside it.
type Input<'i> = Stateful<LocatingSlice<&'i str>, &'i LocatedText>;
type Parsed<T> = Result<T, ErrMode<Problem>>;

#[derive(Debug)]
struct Problem {
    start: usize,
    end: usize,
    message: String,
    help: Option<String>,
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

fn input(text: &LocatedText) -> Input<'_> {
    Stateful { input: LocatingSlice::new(text.as_str()), state: text }
}

fn whole<T>(text: &LocatedText, part: fn(&mut Input<'_>) -> Parsed<T>) -> Result<T, SyntaxError> {
    let mut input = input(text);
    let parsed = part(&mut input).and_then(|value| at_end(&mut input).map(|()| value));
    parsed.map_err(|mode| syntax_error(text, mode, &input))
}

fn syntax_error(text: &LocatedText, mode: ErrMode<Problem>, input: &Input<'_>) -> SyntaxError {
    let problem = match mode {
        ErrMode::Backtrack(problem) | ErrMode::Cut(problem) => problem,
        ErrMode::Incomplete(_) => Problem::from_input(input),
    };
    let place = text.place(problem.start..problem.end);
    SyntaxError { place, message: problem.message, help: problem.help }
}

fn at_end(input: &mut Input<'_>) -> Parsed<()> {
    skip_blank(input);
    match next_word(input) {
        None => Ok(()),
        Some(")") => fail(input, "this `)` closes nothing", None),
        Some(word) => {
            let help = "a value with spaces in it needs quotation marks";
            fail(
                input,
                format!("expected `and`, `or` or the end, found `{word}`"),
                Some(help.to_owned()),
            )
        }
    }
}

/// An error at the next word.
fn fail<T>(input: &mut Input<'_>, message: impl Into<String>, help: Option<String>) -> Parsed<T> {
    let here = input.current_token_start();
    let (start, end) = match next_word(input) {
        Some(word) => (here, here + word.len()),
        // At the end: behind the last word, not behind the blanks and line breaks that may follow it.
        None => (input.state.as_str().trim_end().len(), here + 1),
    };
    Err(ErrMode::Cut(Problem { start, end, message: message.into(), help }))
}

/// An error at what was just read.
fn fail_since<T>(
    input: &Input<'_>,
    start: usize,
    message: String,
    help: Option<String>,
) -> Parsed<T> {
    Err(ErrMode::Cut(Problem { start, end: input.previous_token_end(), message, help }))
}

/// What a reader would call the next word. None at the end.
fn next_word<'i>(input: &Input<'i>) -> Option<&'i str> {
    let rest: &'i str = input.input.peek_finish();
    let first = rest.chars().next()?;
    let length = rest.find(|c: char| is_blank(c) || "()\"',=".contains(c)).unwrap_or(rest.len());
    rest.get(..length.max(first.len_utf8()))
}

fn found(input: &Input<'_>) -> String {
    next_word(input).map_or_else(|| "the end".to_owned(), |word| format!("`{word}`"))
}

const fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\u{8}' | '\r' | '\n')
}

fn is_bare(character: char) -> bool {
    !character.is_whitespace() && !"()\"'=,".contains(character)
}

fn skip_blank(input: &mut Input<'_>) -> bool {
    let blank: Parsed<&str> = take_while(0.., is_blank).parse_next(input);
    blank.is_ok_and(|blank| !blank.is_empty())
}

fn place_since(input: &Input<'_>, start: usize) -> Place {
    input.state.place(start..input.previous_token_end())
}

/// One pair of parentheses that is being read, or the whole condition.
#[derive(Default)]
struct Level {
    /// Joined by `or`; each complete.
    alternatives: Vec<Expression>,
    /// Joined by `and`, since the last `or`.
    conjuncts: Vec<Expression>,
    /// Whether a `not` stands before what comes next.
    negated: bool,
    /// Where the parenthesis stands that closes with the level inside this one.
    parenthesis: usize,
}

impl Level {
    fn operand(&mut self, operand: Expression) {
        let negated = std::mem::take(&mut self.negated);
        self.conjuncts.push(if negated { Expression::Not(Box::new(operand)) } else { operand });
    }

    fn alternative(&mut self) {
        let conjuncts = std::mem::take(&mut self.conjuncts);
        self.alternatives.push(joined(conjuncts, Expression::And));
    }

    fn complete(mut self) -> Expression {
        self.alternative();
        joined(self.alternatives, Expression::Or)
    }
}

fn joined(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    if parts.len() == 1 { parts.remove(0) } else { join(parts) }
}

/// A whole condition. Its nesting is kept on the heap: no depth of parentheses exhausts the stack.
fn disjunction(input: &mut Input<'_>) -> Parsed<Expression> {
    let mut outer: Vec<Level> = Vec::new();
    let mut level = Level::default();
    loop {
        while keyword(input, "not") {
            level.negated = !level.negated;
        }
        skip_blank(input);
        if next_character(input) == Some('(') {
            if outer.len() == DEEPEST {
                let help = "give a part of it a name, as a macro".to_owned();
                return fail(input, format!("nested more than {DEEPEST} levels deep"), Some(help));
            }
            level.parenthesis = input.current_token_start();
            expect(input, '(')?;
            outer.push(std::mem::take(&mut level));
            continue;
        }
        level.operand(term(input)?);
        level = closed(input, level, &mut outer)?;
        if keyword(input, "or") {
            level.alternative();
        } else if !keyword(input, "and") {
            break;
        }
    }
    let Some(unclosed) = outer.last() else {
        return Ok(level.complete());
    };
    skip_blank(input);
    if next_word(input).is_none() {
        let (start, message) = (unclosed.parenthesis, "this `(` is never closed".to_owned());
        return Err(ErrMode::Cut(Problem { start, end: start + 1, message, help: None }));
    }
    fail(input, format!("expected `and`, `or` or `)`, found {}", found(input)), None)
}

/// Goes past the parentheses that close here; tells the level that is open then.
fn closed(input: &mut Input<'_>, mut level: Level, outer: &mut Vec<Level>) -> Parsed<Level> {
    loop {
        skip_blank(input);
        if outer.is_empty() || next_character(input) != Some(')') {
            return Ok(level);
        }
        expect(input, ')')?;
        let operand = level.complete();
        level = outer.pop().unwrap_or_default();
        level.operand(operand);
    }
}

/// Goes past blanks and `word`, where it stands alone or before a parenthesis.
fn keyword(input: &mut Input<'_>, word: &'static str) -> bool {
    skip_blank(input);
    let start = input.checkpoint();
    let found: Parsed<&str> = literal(word).parse_next(input);
    if found.is_ok() && next_character(input).is_none_or(|next| next == '(' || is_blank(next)) {
        return true;
    }
    input.reset(&start);
    false
}

fn next_character(input: &mut Input<'_>) -> Option<char> {
    let next: Parsed<Option<char>> = opt(peek(any)).parse_next(input);
    next.ok().flatten()
}

fn expect(input: &mut Input<'_>, character: char) -> Parsed<()> {
    let read: Parsed<char> = one_of(character).parse_next(input);
    match read {
        Ok(_) => Ok(()),
        Err(_) => fail(input, format!("expected `{character}`, found {}", found(input)), None),
    }
}

/// A check or the name of a macro.
fn term(input: &mut Input<'_>) -> Parsed<Expression> {
    let start = input.current_token_start();
    let before = input.checkpoint();
    let name = name(input);
    if name.is_empty() || is_reserved(name) {
        input.reset(&before);
        return fail(
            input,
            format!("expected a comparison or a macro's name, found {}", found(input)),
            None,
        );
    }
    if !name.contains('.') && next_character(input) != Some('(') {
        let place = place_since(input, start);
        return Ok(Expression::Macro(Name { text: name.to_owned(), place }));
    }
    input.reset(&before);
    let subject = subject(input)?;
    let comparison = comparison(input)?;
    Ok(Expression::Check(Check { subject, comparison, place: place_since(input, start) }))
}

fn is_reserved(word: &str) -> bool {
    matches!(word, "and" | "or" | "not")
}

/// One or more identifiers joined by dots; empty where there is none.
fn name<'i>(input: &mut Input<'i>) -> &'i str {
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

fn subject(input: &mut Input<'_>) -> Parsed<Subject> {
    skip_blank(input);
    let start = input.current_token_start();
    let mut transformers = Vec::new();
    let (field, argument) = loop {
        skip_blank(input);
        let word_start = input.current_token_start();
        let before = input.checkpoint();
        let word = name(input);
        if next_character(input) == Some('(') {
            transformers.push(transformer(input, word_start, word)?);
            expect(input, '(')?;
        } else if word.contains('.') {
            break (word.to_owned(), argument(input)?);
        } else {
            input.reset(&before);
            let message = format!("expected a field such as `proc.name`, found {}", found(input));
            return fail(input, message, None);
        }
    };
    for _ in &transformers {
        skip_blank(input);
        expect(input, ')')?;
    }
    Ok(Subject { transformers, field, argument, place: place_since(input, start) })
}

fn transformer(input: &Input<'_>, start: usize, word: &str) -> Parsed<Transformer> {
    if let Some(transformer) = Transformer::ALL.into_iter().find(|known| known.name() == word) {
        return Ok(transformer);
    }
    let names = Transformer::ALL.map(Transformer::name);
    let help = nearest(word, names).map_or_else(
        || format!("the transformers are {}", names.join(", ")),
        |name| format!("did you mean `{name}`?"),
    );
    fail_since(input, start, format!("there is no transformer `{word}`"), Some(help))
}

/// What stands in brackets behind a field.
fn argument(input: &mut Input<'_>) -> Parsed<Option<String>> {
    let bracket: Parsed<Option<char>> = opt(one_of('[')).parse_next(input);
    if !bracket.is_ok_and(|bracket| bracket.is_some()) {
        return Ok(None);
    }
    let text = if matches!(next_character(input), Some('"' | '\'')) {
        quoted(input)?
    } else {
        let bare = |c: char| !c.is_whitespace() && !"[]\"'".contains(c);
        take_while(0.., bare).map(str::to_owned).parse_next(input)?
    };
    if next_character(input) != Some(']') {
        return fail(input, format!("expected `]`, found {}", found(input)), None);
    }
    expect(input, ']')?;
    Ok(Some(text))
}

fn comparison(input: &mut Input<'_>) -> Parsed<Comparison> {
    skip_blank(input);
    let start = input.current_token_start();
    if let Some(operator) = symbol(input) {
        return value_comparison(input, operator);
    }
    let before = input.checkpoint();
    let word = name(input);
    if word == "exists" {
        return Ok(Comparison::Exists);
    }
    if let Some(operator) = ListOperator::ALL.into_iter().find(|known| known.spelling() == word) {
        return Ok(Comparison::List(operator, list(input)?));
    }
    if let Some(operator) = Operator::ALL.into_iter().find(|known| known.spelling() == word) {
        return value_comparison(input, operator);
    }
    if word.is_empty() || is_reserved(word) {
        input.reset(&before);
        return fail(
            input,
            format!("expected an operator, found {}", found(input)),
            Some(operators_help()),
        );
    }
    let help = nearest(word, operator_spellings())
        .map_or_else(operators_help, |name| format!("did you mean `{name}`?"));
    fail_since(input, start, format!("there is no operator `{word}`"), Some(help))
}

fn operators_help() -> String {
    format!("the operators are {}", operator_spellings().collect::<Vec<_>>().join(" "))
}

/// An operator that is spelled without letters.
fn symbol(input: &mut Input<'_>) -> Option<Operator> {
    let rest = input.input.peek_finish();
    if rest.starts_with("==") {
        input.next_slice(2);
        return Some(Operator::Equal);
    }
    let symbolic = |operator: &Operator| !operator.spelling().starts_with(char::is_alphabetic);
    let operator = Operator::ALL
        .into_iter()
        .filter(symbolic)
        .find(|operator| rest.starts_with(operator.spelling()))?;
    input.next_slice(operator.spelling().len());
    Some(operator)
}

fn value_comparison(input: &mut Input<'_>, operator: Operator) -> Parsed<Comparison> {
    skip_blank(input);
    if let Some(quantifier) = quantifier(input) {
        return Ok(Comparison::Quantified(operator, quantifier, list(input)?));
    }
    let value = value(input)?;
    if !value.quoted && next_character(input) == Some('(') {
        let help = format!("compare `{}` with a fixed value", operator.spelling());
        return fail(input, "a field can't be compared with another field here", Some(help));
    }
    Ok(Comparison::Value(operator, value))
}

/// `oneof`, `anyof` or `allof`, where a list follows: else the word is a value.
fn quantifier(input: &mut Input<'_>) -> Option<Quantifier> {
    let before = input.checkpoint();
    let word = name(input);
    let quantifier = Quantifier::ALL.into_iter().find(|known| known.spelling() == word);
    let blank = skip_blank(input);
    let list_follows = {
        let next = name_ahead(input);
        next_character(input) == Some('(') || !next.is_empty() && !is_reserved(next)
    };
    if quantifier.is_some() && blank && list_follows {
        return quantifier;
    }
    input.reset(&before);
    None
}

fn name_ahead<'i>(input: &mut Input<'i>) -> &'i str {
    let before = input.checkpoint();
    let word = name(input);
    input.reset(&before);
    word
}

/// A list in parentheses, or the name of one.
fn list(input: &mut Input<'_>) -> Parsed<Vec<Literal>> {
    skip_blank(input);
    if next_character(input) == Some('(') {
        return list_in_parentheses(input);
    }
    if name_ahead(input).is_empty() {
        return fail(
            input,
            format!("expected a list in parentheses, found {}", found(input)),
            None,
        );
    }
    Ok(vec![value(input)?])
}

fn list_in_parentheses(input: &mut Input<'_>) -> Parsed<Vec<Literal>> {
    skip_blank(input);
    expect(input, '(')?;
    skip_blank(input);
    let values = if next_character(input) == Some(')') { Vec::new() } else { items(input)? };
    if next_character(input) != Some(')') {
        return fail(input, format!("expected `,` or `)`, found {}", found(input)), None);
    }
    expect(input, ')')?;
    Ok(values)
}

fn items(input: &mut Input<'_>) -> Parsed<Vec<Literal>> {
    let mut values = Vec::new();
    loop {
        skip_blank(input);
        values.push(value(input)?);
        skip_blank(input);
        if next_character(input) != Some(',') {
            return Ok(values);
        }
        expect(input, ',')?;
    }
}

fn value(input: &mut Input<'_>) -> Parsed<Literal> {
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
fn quoted(input: &mut Input<'_>) -> Parsed<String> {
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

#[cfg(test)]
mod tests;
