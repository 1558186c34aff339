//! Addresses and domains that stand somewhere in a text, such as a command line.

use crate::domain_set::DomainSet;
use crate::network::Network;
use crate::network_set::NetworkSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// So many are kept as they are written: by them acts are told apart before the text is read.
const MOST_WRITTEN: usize = 512;

/// What a text is searched for.
#[derive(Debug)]
pub(crate) struct Mention {
    domains: DomainSet,
    networks: NetworkSet,
    /// A text that mentions one contains one of these; empty where that is not so.
    written: Box<[Box<str>]>,
}

impl Mention {
    /// Addresses, networks and domains. The first that is none of them, as an error.
    pub fn new<'t>(values: &[&'t str]) -> Result<Self, &'t str> {
        let (mut domains, mut networks) = (Vec::new(), Vec::new());
        for value in values {
            match (Network::parse(value), crate::domain_set::normal(value)) {
                (Some(network), _) => networks.push(network),
                (None, Some(domain)) => domains.push(domain),
                (None, None) => return Err(value),
            }
        }
        let is_plain = values.len() <= MOST_WRITTEN
            && networks.iter().all(|it| matches!(it.range(), (IpAddr::V4(a), b) if b == a));
        let written = values.iter().filter(|_| is_plain);
        // A domain counts by its name alone.
        let written = written.map(|value| value.trim_start_matches('*').trim_matches('.').into());
        Ok(Self {
            written: written.collect(),
            domains: DomainSet::new(domains.iter().map(String::as_str)),
            networks: NetworkSet::new(networks),
        })
    }

    /// Parts of which a text that mentions something contains one, whatever its case. Empty where none are known.
    pub fn written(&self) -> &[Box<str>] {
        &self.written
    }

    /// Whether the text mentions one of them, as a word of its own.
    pub fn is_in(&self, text: &str) -> bool {
        let is_word = |byte: char| byte.is_ascii_alphanumeric() || matches!(byte, '.' | '-' | '_');
        text.split(|byte| !is_word(byte)).any(|word| self.is_word(word)) || self.has_v6(text)
    }

    fn is_word(&self, word: &str) -> bool {
        let word = word.trim_matches(['.', '-']);
        if !word.contains('.') {
            return false;
        }
        let address: Option<Ipv4Addr> =
            if word.ends_with(|c: char| c.is_ascii_digit()) { word.parse().ok() } else { None };
        match address {
            Some(address) => {
                !self.networks.is_empty() && self.networks.contains(IpAddr::V4(address))
            }
            None => !self.domains.is_empty() && self.domains.holds(word),
        }
    }

    fn has_v6(&self, text: &str) -> bool {
        let is_part = |byte: char| byte.is_ascii_hexdigit() || matches!(byte, ':' | '.');
        self.networks.has_v6()
            && text
                .split(|byte| !is_part(byte))
                .filter(|word| {
                    word.len() <= 45 && word.bytes().filter(|byte| *byte == b':').count() > 1
                })
                .filter_map(|word| word.parse::<Ipv6Addr>().ok())
                .any(|address| self.networks.contains(IpAddr::V6(address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_is_a_word_of_its_own() {
        let mention =
            Mention::new(&["evil.example", "192.0.2.7", "198.51.100.0/24", "2001:db8::/32"])
                .unwrap();
        for text in [
            "curl http://evil.example/x",
            "curl -x a.EVIL.example:8080 y",
            "ping 192.0.2.7",
            "nc 198.51.100.200 4444",
            "curl http://[2001:db8::5]:80/",
            "user@evil.example.",
        ] {
            assert!(mention.is_in(text), "{text}");
        }
        for text in [
            "curl http://notevil.example/x",
            "evil.example.org",
            "ping 1192.0.2.7",
            "ping 192.0.2.70",
            "198.51.101.1",
            "2001:db9::5",
            "",
        ] {
            assert!(!mention.is_in(text), "{text}");
        }
    }

    #[test]
    fn what_is_neither_address_nor_domain_is_refused() {
        assert_eq!(Mention::new(&["evil.example", "a b"]).unwrap_err(), "a b");
    }
}
