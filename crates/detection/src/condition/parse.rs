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
mod check;
mod token;

use super::{Check, Expression, Literal, Name, Subject};
use crate::source::{LocatedText, Place};
use check::{comparison, items, list_in_parentheses, subject};
use token::{
    Input, Parsed, Problem, expect, fail, found, is_reserved, keyword, name, next_character,
    next_word, place_since, skip_blank,
};
use winnow::error::{ErrMode, ParserError};
use winnow::stream::{LocatingSlice, Location as _, Stateful, Stream as _};

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

#[cfg(test)]
mod tests;
