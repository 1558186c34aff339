use serde_json::Value as Json;

const HIDDEN: &str = "(hidden)";

/// The configuration as YAML, without secrets: neither values of keys that hold one, nor the
/// user and password of a URL.
pub(crate) fn printable(config: &impl serde::Serialize) -> anyhow::Result<String> {
    let mut value = serde_json::to_value(config)?;
    hide_secrets(&mut value);
    Ok(serde_saphyr::to_string(&value)?)
}

fn hide_secrets(value: &mut Json) {
    match value {
        Json::Object(keys) => {
            for (key, value) in keys {
                if holds_secret(key) && value.as_str().is_some_and(|text| !text.is_empty()) {
                    *value = HIDDEN.into();
                }
                hide_secrets(value);
            }
        }
        Json::Array(items) => items.iter_mut().for_each(hide_secrets),
        Json::String(text) => {
            if let Some(hidden) = without_user_information(text) {
                *text = hidden;
            }
        }
        _ => {}
    }
}

/// Keys that end in `_file` name a file that holds the secret: the name is none.
fn holds_secret(key: &str) -> bool {
    ["password", "token", "secret"].iter().any(|word| key.ends_with(word))
}

/// `scheme://user:password@host/path` without what stands before the `@`.
fn without_user_information(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (_, host) = authority.rsplit_once('@')?;
    Some(format!("{scheme}://{HIDDEN}@{host}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::printable;
    use serde_json::json;

    #[test]
    fn secrets_are_hidden_and_the_names_of_their_files_are_not() {
        let config = json!({
            "api": {"token": "s3cret", "token_file": "/run/token"},
            "proxies": ["http://user:pa55@proxy:3128/path", "http://proxy:3128"],
        });
        let text = printable(&config).unwrap();
        assert!(!text.contains("s3cret") && !text.contains("pa55"), "{text}");
        assert!(text.contains("/run/token"), "{text}");
        assert!(text.contains("http://(hidden)@proxy:3128/path"), "{text}");
    }
}
