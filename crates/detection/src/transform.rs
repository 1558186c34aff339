//! What transformers make of values.

use crate::condition::Transformer;
use crate::field::Value;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
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
            Transformer::Base64 => match decoded(&text) {
                Some(decoded) => Cow::Owned(decoded),
                None => return Value::Missing,
            },
            Transformer::Length => {
                return Value::Number(i64::try_from(text.len()).unwrap_or(i64::MAX));
            }
        };
    }
    Value::Text(text)
}

/// What stands in it in base64 (RFC 4648, section 4), with or without padding. Bytes that are no text become U+FFFD.
fn decoded(text: &str) -> Option<String> {
    let bytes = STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
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
    fn what_is_no_base64_is_missing() {
        let b64 =
            |text: &str| transformed(&[Transformer::Base64], &Value::Text(text.into())).to_string();
        assert_eq!(
            (b64("aGVsbG8="), b64("aGVsbG8"), b64("/w==")),
            ("hello".into(), "hello".into(), "\u{fffd}".into())
        );
        assert_eq!(transformed(&[Transformer::Base64], &Value::Text("a b".into())), Value::Missing);
    }

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
