use std::fmt;
use std::sync::Arc;

/// Who brought a record, as its certificate says. What a record says of its node itself is
/// shown, and never believed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Publisher {
    /// The cluster.
    pub cluster: Arc<str>,
    /// The node whose sources it carries.
    pub node: Arc<str>,
}

impl fmt::Display for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.node)
    }
}
