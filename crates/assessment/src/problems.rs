//! What could not be assessed.

/// Counts of what could not be assessed, for metrics: they only grow. None of it is a pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// Objects that are no JSON, or lack what each object has: a name and a uid.
    pub malformed: u64,
    /// Questions of policies that could not be answered of an object.
    pub unanswered: u64,
    /// Objects, or parts of them, that were left out because there are too many.
    pub left_out: u64,
}
