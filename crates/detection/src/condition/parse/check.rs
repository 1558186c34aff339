//! One comparison: a field, an operator and values.

use super::token::{
    Input, Parsed, expect, fail, fail_since, found, is_reserved, name, next_character, place_since,
    quoted, skip_blank, value,
};
use crate::condition::{
    Call, CallPart, Comparison, Function, ListOperator, Literal, Operator, Quantifier, Subject,
    Transformer, operator_spellings,
};
use crate::diagnostic::nearest;
use winnow::combinator::opt;
use winnow::prelude::*;
use winnow::stream::Location as _;
use winnow::token::{one_of, take_while};

/// Most functions within one another.
const DEEPEST: usize = 8;

pub(super) fn subject(input: &mut Input<'_>) -> Parsed<Subject> {
    subject_within(input, 0)
}

fn subject_within(input: &mut Input<'_>, depth: usize) -> Parsed<Subject> {
    skip_blank(input);
    let start = input.current_token_start();
    let mut transformers = Vec::new();
    let (field, argument, call) = loop {
        skip_blank(input);
        let word_start = input.current_token_start();
        let before = input.checkpoint();
        let word = name(input);
        if let Some(function) = function(input, word) {
            let parts = call_parts(input, depth)?;
            break (String::new(), argument(input)?, Some(Box::new(Call { function, parts })));
        } else if next_character(input) == Some('(') {
            transformers.push(transformer(input, word_start, word)?);
            expect(input, '(')?;
        } else if word.contains('.') {
            break (word.to_owned(), argument(input)?, None);
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
    Ok(Subject { transformers, field, argument, call, place: place_since(input, start) })
}

/// The function of that name, where a parenthesis follows.
fn function(input: &mut Input<'_>, word: &str) -> Option<Function> {
    let is_call = next_character(input) == Some('(');
    Function::ALL.into_iter().find(|known| is_call && known.name() == word)
}

/// What a function is given, in parentheses.
fn call_parts(input: &mut Input<'_>, depth: usize) -> Parsed<Vec<CallPart>> {
    if depth == DEEPEST {
        let message = format!("functions nested more than {DEEPEST} levels deep");
        return fail(input, message, None);
    }
    expect(input, '(')?;
    let mut parts = vec![];
    loop {
        skip_blank(input);
        parts.push(match next_character(input) {
            Some('"' | '\'') => CallPart::Text(quoted(input)?),
            _ => CallPart::Subject(subject_within(input, depth + 1)?),
        });
        skip_blank(input);
        if next_character(input) != Some(',') {
            break;
        }
        expect(input, ',')?;
    }
    expect(input, ')')?;
    Ok(parts)
}

fn transformer(input: &Input<'_>, start: usize, word: &str) -> Parsed<Transformer> {
    if let Some(transformer) = Transformer::ALL.into_iter().find(|known| known.name() == word) {
        return Ok(transformer);
    }
    let names: Vec<&str> = Transformer::ALL
        .into_iter()
        .map(Transformer::name)
        .chain(Function::ALL.into_iter().map(Function::name))
        .collect();
    let help = nearest(word, names.iter().copied()).map_or_else(
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

pub(super) fn comparison(input: &mut Input<'_>) -> Parsed<Comparison> {
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
    if let Some(other) = other_field(input)? {
        return Ok(Comparison::Field(operator, other));
    }
    Ok(Comparison::Value(operator, value(input)?))
}

/// The field on the right side: within `val`, or transformed.
fn other_field(input: &mut Input<'_>) -> Parsed<Option<Subject>> {
    let before = input.checkpoint();
    let start = input.current_token_start();
    let word = name(input);
    if next_character(input) != Some('(') || word.is_empty() {
        input.reset(&before);
        return Ok(None);
    }
    if word != "val" {
        input.reset(&before);
        return subject(input).map(Some);
    }
    expect(input, '(')?;
    let other = subject(input)?;
    skip_blank(input);
    expect(input, ')')?;
    Ok(Some(Subject { place: place_since(input, start), ..other }))
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

pub(super) fn list_in_parentheses(input: &mut Input<'_>) -> Parsed<Vec<Literal>> {
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

pub(super) fn items(input: &mut Input<'_>) -> Parsed<Vec<Literal>> {
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
