//! Names of the domain name system with all that lies below them.

use foldhash::HashSet;
use std::iter;

/// Longer names are none: RFC 1035, section 3.1, less the root's empty label.
const LONGEST: usize = 253;

/// Domains, whatever the case of their letters.
#[derive(Debug, Default)]
pub(crate) struct DomainSet {
    /// In small letters, without a dot at either end.
    names: HashSet<Box<[u8]>>,
}

impl DomainSet {
    pub fn new<'t>(names: impl IntoIterator<Item = &'t str>) -> Self {
        let names = names.into_iter().filter_map(normal);
        Self { names: names.map(|name| name.into_bytes().into()).collect() }
    }

    /// Whether the name is one of the domains, or lies below one: `a.example.org` below `example.org`, `anexample.org` not.
    pub fn holds(&self, name: &str) -> bool {
        if self.names.is_empty() {
            return false;
        }
        let name = name.strip_suffix('.').unwrap_or(name).as_bytes();
        let kept = &name[name.len().saturating_sub(LONGEST)..];
        let mut small = [0; LONGEST];
        let small = &mut small[..kept.len()];
        small.copy_from_slice(kept);
        small.make_ascii_lowercase();
        // Of a longer text the beginning is not looked at: what is left need not begin a label.
        let begins = (kept.len() == name.len()).then_some(0);
        let labels = small.iter().enumerate().filter(|(_, byte)| **byte == b'.');
        begins
            .into_iter()
            .chain(labels.map(|(dot, _)| dot + 1))
            .any(|begin| self.names.contains(&small[begin..]))
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The names, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(|name| str::from_utf8(name).ok())
    }
}

/// Whether a text is a domain that `in_domain` and `mentions` compare with: `example.org`, `*.example.org`.
pub fn is_domain(text: &str) -> bool {
    normal(text).is_some_and(|name| name.contains('.'))
}

/// A domain as it is kept: `*.Example.org`, `.example.org` and `example.org.` are `example.org`. None for what is no name.
pub(crate) fn normal(written: &str) -> Option<String> {
    let name = written.strip_prefix("*.").or(written.strip_prefix('.')).unwrap_or(written);
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let is_name =
        name.len() <= LONGEST && iter::once(name).flat_map(|it| it.split('.')).all(is_label);
    is_name.then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_lies_below_whole_labels_only() {
        let set = DomainSet::new(["*.Evil.example", "bad.test.", ".x.y"]);
        for name in ["evil.example", "A.EVIL.example.", "a.b.bad.test", "x.y"] {
            assert!(set.holds(name), "{name}");
        }
        for name in ["anevil.example", "evil.example.org", "example", "", ".", "..", "y"] {
            assert!(!set.holds(name), "{name}");
        }
    }

    #[test]
    fn of_a_text_that_is_too_long_the_end_is_looked_at() {
        let set = DomainSet::new(["evil.example"]);
        assert!(set.holds(&format!("{}.evil.example", "a".repeat(1 << 20))));
        assert!(!set.holds(&format!("{}evil.example", "a".repeat(1 << 20))));
    }

    #[test]
    fn what_is_no_name_is_none() {
        for written in
            ["", ".", "a..b", "a b", "10.0.0.0/8", "http://x", &"a".repeat(64), &"a.".repeat(128)]
        {
            assert_eq!(normal(written), None, "{written}");
        }
        assert_eq!(normal("_dmarc.Example.org"), Some("_dmarc.example.org".to_owned()));
    }
}
