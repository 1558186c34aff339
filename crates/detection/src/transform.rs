//! What transformers make of values.

use crate::condition::Transformer;
use crate::field::Value;
use std::borrow::Cow;

/// The value after all transformers; the outermost comes first, as written.
pub(crate) fn transformed<'v>(transformers: &[Transformer], value: &'v Value<'_>) -> Value<'v> {
    let Value::Text(text) = value else {
        return value.clone();
    };
    let mut text: Cow<'v, str> = Cow::Borrowed(text);
    for transformer in transformers.iter().rev() {
        text = match transformer {
            // Most names have nothing to change, and then need no copy.
            Transformer::Lower if !text.bytes().any(|byte| byte.is_ascii_uppercase()) => text,
            Transformer::Lower => Cow::Owned(text.to_ascii_lowercase()),
            Transformer::Upper => Cow::Owned(text.to_ascii_uppercase()),
            Transformer::Basename => basename(text),
            Transformer::Length => {
                return Value::Number(i64::try_from(text.len()).unwrap_or(i64::MAX));
            }
        };
    }
    Value::Text(text)
}

/// What follows the last slash.
fn basename(path: Cow<'_, str>) -> Cow<'_, str> {
    match path {
        Cow::Borrowed(path) => Cow::Borrowed(path.rsplit('/').next().unwrap_or(path)),
        Cow::Owned(path) => Cow::Owned(path.rsplit('/').next().unwrap_or(&path).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_transformer_comes_first() {
        let value = Value::Text("/usr/bin/Python3".into());
        let both = transformed(&[Transformer::Lower, Transformer::Basename], &value);
        assert_eq!(both, Value::Text("python3".into()));
        assert_eq!(
            transformed(&[Transformer::Length, Transformer::Basename], &value),
            Value::Number(7)
        );
    }
}
