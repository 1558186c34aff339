use event_model::{Alert, Timestamp};

/// What a rule's match becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raised {
    /// An alert.
    Alert(Box<Alert>),
    /// An alert that somebody wrote down to expect: it is counted.
    Suppressed {
        /// The rule's name.
        rule: String,
        /// The suppression's name.
        suppression: String,
        /// When the act happened, or the request was noted.
        time: Timestamp,
    },
}
