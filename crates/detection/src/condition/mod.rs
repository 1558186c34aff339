//! The syntax of conditions, as written: nothing is looked up yet.

mod parse;
mod print;

use crate::source::Place;

pub(crate) use parse::{parse, parse_items, parse_leading_subject, parse_list, parse_subject};

/// A condition, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expression {
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    Macro(Name),
    Check(Check),
}

/// A name as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub text: String,
    pub place: Place,
}

/// A comparison of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    pub subject: Subject,
    pub comparison: Comparison,
    /// From the field's first character to the last value's last.
    pub place: Place,
}

/// The left side: a field, possibly with an argument, possibly transformed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The outermost first.
    pub transformers: Vec<Transformer>,
    pub field: String,
    /// What stands in brackets behind the field.
    pub argument: Option<String>,
    /// A function of several; the field is empty then.
    pub call: Option<Box<Call>>,
    pub place: Place,
}

/// A function of fields and texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub function: Function,
    pub parts: Vec<CallPart>,
}

/// What a function is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallPart {
    Text(String),
    Subject(Subject),
}

/// Functions of several fields or texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// Puts them one behind the other.
    Concat,
    /// Puts a text between them.
    Join,
    /// Finds options on a command line.
    Getopt,
}

/// What is done to a field's value before it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Transformer {
    /// ASCII letters to lower case.
    Lower,
    /// ASCII letters to upper case.
    Upper,
    /// What follows the last slash.
    Basename,
    /// What stands in base64.
    Base64,
    /// How many bytes; of a list, how many values.
    Length,
}

/// The right side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// The field has a value.
    Exists,
    /// With one value.
    Value(Operator, Literal),
    /// With the value of another field.
    Field(Operator, Subject),
    /// With each value of a list, by an operator that takes one.
    Quantified(Operator, Quantifier, Vec<Literal>),
    /// With a list as such.
    List(ListOperator, Vec<Literal>),
}

/// A value as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    pub text: String,
    /// In quotation marks: then it is never the name of a list.
    pub quoted: bool,
    pub place: Place,
}

/// Operators between a field and a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // Named as they are written.
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
    IContains,
    BContains,
    StartsWith,
    BStartsWith,
    EndsWith,
    Glob,
    IGlob,
    Regex,
}

/// Operators between a field and a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ListOperator {
    /// Each value of the field is in the list.
    In,
    /// Some value of the field is in the list.
    Intersects,
    /// The field is one of the paths of the list, or lies below one.
    PathMatch,
    /// The field is one of the domains of the list, or lies below one. Ours.
    InDomain,
    /// The field mentions an address, a network's address or a domain of the list. Ours.
    Mentions,
}

/// How many values of a list must satisfy an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Quantifier {
    ExactlyOne,
    Any,
    All,
}

impl Transformer {
    pub const ALL: [Self; 5] =
        [Self::Lower, Self::Upper, Self::Basename, Self::Base64, Self::Length];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Lower => "tolower",
            Self::Upper => "toupper",
            Self::Basename => "basename",
            Self::Base64 => "b64",
            Self::Length => "len",
        }
    }
}

impl Function {
    pub const ALL: [Self; 3] = [Self::Concat, Self::Join, Self::Getopt];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Concat => "concat",
            Self::Join => "join",
            Self::Getopt => "getopt",
        }
    }
}

impl Operator {
    /// In the order in which the parser tries them: a longer spelling before its prefix.
    pub const ALL: [Self; 15] = [
        Self::LessOrEqual,
        Self::Less,
        Self::GreaterOrEqual,
        Self::Greater,
        Self::Equal,
        Self::NotEqual,
        Self::Contains,
        Self::IContains,
        Self::BContains,
        Self::StartsWith,
        Self::BStartsWith,
        Self::EndsWith,
        Self::Glob,
        Self::IGlob,
        Self::Regex,
    ];

    pub const fn spelling(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Contains => "contains",
            Self::IContains => "icontains",
            Self::BContains => "bcontains",
            Self::StartsWith => "startswith",
            Self::BStartsWith => "bstartswith",
            Self::EndsWith => "endswith",
            Self::Glob => "glob",
            Self::IGlob => "iglob",
            Self::Regex => "regex",
        }
    }
}

impl ListOperator {
    pub const ALL: [Self; 5] =
        [Self::Intersects, Self::In, Self::PathMatch, Self::InDomain, Self::Mentions];

    pub const fn spelling(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Intersects => "intersects",
            Self::PathMatch => "pmatch",
            Self::InDomain => "in_domain",
            Self::Mentions => "mentions",
        }
    }
}

impl Quantifier {
    pub const ALL: [Self; 3] = [Self::ExactlyOne, Self::Any, Self::All];

    pub const fn spelling(self) -> &'static str {
        match self {
            Self::ExactlyOne => "oneof",
            Self::Any => "anyof",
            Self::All => "allof",
        }
    }
}

/// All spellings of operators, for messages.
pub(crate) fn operator_spellings() -> impl Iterator<Item = &'static str> {
    let values = Operator::ALL.into_iter().map(Operator::spelling);
    values.chain(ListOperator::ALL.into_iter().map(ListOperator::spelling)).chain(["exists"])
}
