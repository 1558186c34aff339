//! What can be set of a policy.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What values a parameter takes.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ParameterType {
    /// True or false.
    Boolean,
    /// A list of whole numbers.
    Integers,
    /// A list of texts.
    Strings,
    /// A regular expression.
    Pattern,
    /// A quantity of Kubernetes (`500m`, `8Gi`), or nothing.
    Quantity,
}

/// A value, of one of the types.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum ParameterValue {
    Boolean(bool),
    Integers(Vec<i64>),
    Strings(Vec<String>),
    Text(String),
}

/// A parameter, read by its policy as `variables.NAME`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// What values it takes.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// Its value unless set.
    pub default: ParameterValue,
    /// What it does.
    pub description: String,
}

impl Parameter {
    /// Why a value can't be this parameter's, if so.
    pub fn problem(&self, value: &ParameterValue) -> Option<String> {
        self.kind.problem(value).map(|wanted| format!("`{}` must be {wanted}", self.name))
    }
}

impl ParameterType {
    /// What it should be, where the value is not of the type.
    fn problem(self, value: &ParameterValue) -> Option<String> {
        use ParameterValue::{Boolean, Integers, Strings, Text};
        match (self, value) {
            (Self::Boolean, Boolean(_))
            | (Self::Integers, Integers(_))
            | (Self::Strings, Strings(_)) => None,
            // An empty list has no type of its own.
            (Self::Strings, Integers(list)) if list.is_empty() => None,
            (Self::Pattern, Text(text)) => {
                let error = regex::Regex::new(text).err()?;
                Some(format!("a regular expression: {error}"))
            }
            (Self::Quantity, Text(text)) => {
                (!text.is_empty() && !is_quantity(text)).then(|| Self::Quantity.wanted())
            }
            _ => Some(self.wanted()),
        }
    }

    fn wanted(self) -> String {
        match self {
            Self::Boolean => "true or false",
            Self::Integers => "a list of whole numbers",
            Self::Strings => "a list of texts",
            Self::Pattern => "a regular expression",
            Self::Quantity => "a quantity such as 500m or 8Gi, in quotes, or empty",
        }
        .to_owned()
    }
}

/// The quantities that a limit of CPU or memory is written as. Kubernetes knows more.
fn is_quantity(text: &str) -> bool {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = text.get(number.len()..).unwrap_or_default();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let suffixes = ["", "m", "k", "Ki", "M", "Mi", "G", "Gi", "T", "Ti"];
    is_digits(whole) && is_digits(fraction) && suffixes.contains(&suffix)
}

impl ParameterValue {
    /// As JSON, which is how the expression language writes it too.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Boolean(value) => Value::from(*value),
            Self::Integers(values) => Value::from(values.clone()),
            Self::Strings(values) => Value::from(values.clone()),
            Self::Text(text) => Value::from(text.clone()),
        }
    }
}
