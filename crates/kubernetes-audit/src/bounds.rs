//! How much of a field is kept. Clients choose most of them, and none may fill a node's queue.

use std::collections::BTreeMap;

/// Names, groups, addresses: DNS names have at most 253 bytes.
const NAME: usize = 512;
/// Groups of a user, addresses of proxies.
const NAMES: usize = 64;
/// Annotations, and entries of a user's extra.
const ENTRIES: usize = 32;
/// The value of an annotation.
const VALUE: usize = 1024;
/// Path and query of a request.
pub const URI: usize = 4096;
/// What a client calls itself.
pub const USER_AGENT: usize = 1024;
/// Why a request failed.
pub const MESSAGE: usize = 2048;
/// A request's object, trimmed.
pub const OBJECT: usize = 64 << 10;

/// The text's beginning, with `…` where that is not all.
pub fn text(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most);
    format!("{}…", &text[..end])
}

/// A name.
pub fn name(name: &str) -> String {
    text(name, NAME)
}

/// Names, the first ones.
pub fn names(names: &[impl AsRef<str>]) -> Vec<String> {
    names.iter().take(NAMES).map(|one| name(one.as_ref())).collect()
}

/// Entries, the first by their keys.
pub fn map<K: AsRef<str>, V: AsRef<str>>(
    entries: impl IntoIterator<Item = (K, V)>,
) -> BTreeMap<String, String> {
    let bounded =
        entries.into_iter().map(|(key, value)| (name(key.as_ref()), text(value.as_ref(), VALUE)));
    bounded.take(ENTRIES).collect()
}
