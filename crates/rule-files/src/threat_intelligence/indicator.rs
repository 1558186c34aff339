//! A value of a list, and what values a list may have.

/// Shorter parts stand in ordinary command lines.
const SHORTEST_PART: usize = 6;
/// Longer ones are no part of a command line any more.
const LONGEST_PART: usize = 1024;

/// A value, and the list that it is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Indicator {
    pub list: String,
    pub value: String,
}

/// What the values of a list are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Domain,
    Address,
    Hash,
    CommandLine,
    /// Any text.
    Other,
}

impl Kind {
    /// By the end of the list's name.
    pub fn of_list(name: &str) -> Self {
        match name.rsplit('_').next().unwrap_or_default() {
            "domains" => Self::Domain,
            "addresses" | "networks" => Self::Address,
            "hashes" => Self::Hash,
            "lines" => Self::CommandLine,
            _ => Self::Other,
        }
    }

    /// Why the value can't be of such a list.
    pub fn objection(self, value: &str) -> Option<&'static str> {
        match self {
            Self::Domain if !detection::is_domain(value) => {
                Some("is no domain such as example.org")
            }
            Self::Address if !detection::is_network(value) => {
                Some("is neither an address nor a network such as 192.0.2.0/24")
            }
            Self::Address if is_everywhere(value) => Some("is the network of all addresses"),
            Self::Hash if !is_hash(value) => {
                Some("is no MD5, SHA-1, SHA-256 or SHA-512 in hexadecimal digits")
            }
            Self::CommandLine if value.len() < SHORTEST_PART => {
                Some("is too short: it would stand in ordinary command lines")
            }
            Self::CommandLine | Self::Other if value.len() > LONGEST_PART => Some("is too long"),
            _ => None,
        }
    }
}

fn is_everywhere(network: &str) -> bool {
    network.ends_with("/0")
}

fn is_hash(value: &str) -> bool {
    matches!(value.len(), 32 | 40 | 64 | 128) && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}
