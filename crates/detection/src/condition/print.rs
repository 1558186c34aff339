//! Conditions back to text that parses to the same condition.

use super::{Call, CallPart, Check, Comparison, Expression, Literal, Subject};
use std::fmt::{self, Display, Formatter, Write as _};

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => joined(f, parts, " and "),
            Self::Or(parts) => joined(f, parts, " or "),
            Self::Not(part) => {
                f.write_str("not ")?;
                operand(f, part)
            }
            Self::Macro(name) => f.write_str(&name.text),
            Self::Check(check) => check.fmt(f),
        }
    }
}

fn joined(f: &mut Formatter<'_>, parts: &[Expression], separator: &str) -> fmt::Result {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            f.write_str(separator)?;
        }
        operand(f, part)?;
    }
    Ok(())
}

/// A part, in parentheses where it has parts of its own.
fn operand(f: &mut Formatter<'_>, part: &Expression) -> fmt::Result {
    match part {
        Expression::Macro(_) | Expression::Check(_) => part.fmt(f),
        _ => write!(f, "({part})"),
    }
}

impl Display for Check {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.subject)?;
        match &self.comparison {
            Comparison::Exists => f.write_str("exists"),
            Comparison::Value(operator, value) => write!(f, "{} {value}", operator.spelling()),
            Comparison::Field(operator, other) => {
                write!(f, "{} val({other})", operator.spelling())
            }
            Comparison::Quantified(operator, quantifier, values) => {
                write!(f, "{} {} ", operator.spelling(), quantifier.spelling())?;
                list(f, values)
            }
            Comparison::List(operator, values) => {
                write!(f, "{} ", operator.spelling())?;
                list(f, values)
            }
        }
    }
}

fn list(f: &mut Formatter<'_>, values: &[Literal]) -> fmt::Result {
    f.write_char('(')?;
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            f.write_str(", ")?;
        }
        value.fmt(f)?;
    }
    f.write_char(')')
}

impl Display for Subject {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for transformer in &self.transformers {
            write!(f, "{}(", transformer.name())?;
        }
        match &self.call {
            Some(call) => call.fmt(f)?,
            None => f.write_str(&self.field)?,
        }
        if let Some(argument) = &self.argument {
            f.write_char('[')?;
            if argument.is_empty()
                || argument.contains(|c: char| c.is_whitespace() || "[]\"'\\".contains(c))
            {
                quoted(f, argument)?;
            } else {
                f.write_str(argument)?;
            }
            f.write_char(']')?;
        }
        f.write_str(&")".repeat(self.transformers.len()))
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.function.name())?;
        for (place, part) in self.parts.iter().enumerate() {
            if place > 0 {
                f.write_str(", ")?;
            }
            match part {
                CallPart::Text(text) => quoted(f, text)?,
                CallPart::Subject(subject) => subject.fmt(f)?,
            }
        }
        f.write_char(')')
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.quoted { quoted(f, &self.text) } else { f.write_str(&self.text) }
    }
}

fn quoted(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            other => f.write_char(other)?,
        }
    }
    f.write_char('"')
}
