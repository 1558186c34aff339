use super::kind::Kind;
use std::collections::BTreeMap;

/// Up to which version of each kind all states were delivered: held by a publisher as durable, at some time, from some
/// leader. A kind that is not named here may lack anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delivered {
    kinds: BTreeMap<Kind, u64>,
}

impl Delivered {
    pub(crate) fn through(&self, kind: &Kind) -> Option<u64> {
        self.kinds.get(kind).copied()
    }

    pub(super) fn set(&mut self, kind: Kind, version: u64) {
        self.kinds.insert(kind, version);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Kind, u64)> {
        self.kinds.iter().map(|(kind, version)| (kind, *version))
    }
}

impl FromIterator<(Kind, u64)> for Delivered {
    fn from_iter<I: IntoIterator<Item = (Kind, u64)>>(kinds: I) -> Self {
        Self { kinds: kinds.into_iter().collect() }
    }
}
