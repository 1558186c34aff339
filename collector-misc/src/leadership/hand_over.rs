use crate::publish::{Delivered, Kind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The annotation of the Lease in which its holder tells what it delivered.
pub(crate) const DELIVERED: &str = "defender/delivered";

/// All annotations of an object together may have 256 KiB; more than this is none of ours.
const LONGEST: usize = 64 << 10;

/// What a leader leaves to the next: the value of [`DELIVERED`], as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HandOver {
    /// The node whose publisher holds what was delivered.
    pub(crate) node: String,
    /// What was delivered.
    pub(crate) delivered: Delivered,
}

#[derive(Serialize, Deserialize)]
struct Written {
    node: String,
    /// Resource versions by kind.
    through: BTreeMap<String, u64>,
}

impl HandOver {
    /// None where the text is none that a leader wrote: then nothing is known.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let written: Written = serde_json::from_str(text).ok()?;
        let through = written.through.into_iter();
        let delivered = through.map(|(kind, version)| (Kind::from(&*kind), version)).collect();
        Some(Self { node: written.node, delivered })
    }

    /// Where it would be too long, which takes thousands of kinds, it tells of none.
    pub(crate) fn to_text(&self) -> String {
        let through: BTreeMap<String, u64> =
            self.delivered.iter().map(|(kind, version)| (kind.to_string(), version)).collect();
        let text = write(&self.node, through);
        if text.len() <= LONGEST { text } else { write(&self.node, BTreeMap::new()) }
    }
}

fn write(node: &str, through: BTreeMap<String, u64>) -> String {
    // Maps with string keys can be written.
    serde_json::to_string(&Written { node: node.to_owned(), through }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{HandOver, LONGEST};
    use crate::publish::Kind;

    fn hand_over(kinds: usize) -> HandOver {
        let kinds = (0..kinds).map(|number| (Kind::from(&*format!("Kind{number}.example")), 7));
        HandOver { node: "worker-1".to_owned(), delivered: kinds.collect() }
    }

    #[test]
    fn what_a_leader_writes_the_next_one_reads() {
        let text = hand_over(2).to_text();
        assert_eq!(text, r#"{"node":"worker-1","through":{"Kind0.example":7,"Kind1.example":7}}"#);
        assert_eq!(HandOver::parse(&text), Some(hand_over(2)));
    }

    #[test]
    fn what_is_too_long_tells_of_no_kind() {
        let text = hand_over(100_000).to_text();
        assert_eq!(HandOver::parse(&text), Some(hand_over(0)));
    }

    #[test]
    fn garbage_tells_nothing() {
        for garbage in ["", "{}", "[1]", "\u{0}", r#"{"node":"a","through":{"Pod":-1}}"#] {
            assert_eq!(HandOver::parse(garbage), None, "{garbage}");
        }
        let long = format!(r#"{{"node":"{}","through":{{}}}}"#, "n".repeat(LONGEST));
        assert_eq!(HandOver::parse(&long), None);
    }
}
