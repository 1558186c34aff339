use crate::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Alerts that were not sent one by one: how many, of which rule, and why. Each alert that a rule raises is either
/// sent or counted here, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldAlerts {
    /// The name of the rule that raised them.
    pub rule: String,
    /// Why they were held back.
    #[serde(flatten)]
    pub reason: HeldReason,
    /// How many.
    pub count: u64,
    /// When the first of their acts happened.
    pub since: Timestamp,
    /// When the last of their acts happened.
    pub until: Timestamp,
}

/// Why alerts were held back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum HeldReason {
    /// They tell what an alert that was sent shortly before them told.
    Repeated {
        /// That alert's id.
        alert: Uuid,
    },
    /// There were more of their rule in one place than may be sent.
    RateLimited {
        /// The id of the alert that was sent last of that rule in that place.
        alert: Uuid,
    },
    /// Somebody wrote down that they are expected.
    Suppressed {
        /// The name of the suppression.
        suppression: String,
    },
}

impl HeldReason {
    /// The names of all reasons.
    pub const NAMES: [&str; 3] = ["repeated", "rate_limited", "suppressed"];

    /// The name used in metrics and in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Repeated { .. } => "repeated",
            Self::RateLimited { .. } => "rate_limited",
            Self::Suppressed { .. } => "suppressed",
        }
    }

    /// The alert that was sent and stands for those that were held back.
    pub const fn alert(&self) -> Option<Uuid> {
        match self {
            Self::Repeated { alert } | Self::RateLimited { alert } => Some(*alert),
            Self::Suppressed { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_a_word_in_json() {
        let reason = HeldReason::Repeated { alert: Uuid::nil() };
        let held = HeldAlerts {
            rule: "R".to_owned(),
            reason,
            count: 3,
            since: Timestamp(1),
            until: Timestamp(2),
        };
        let json = serde_json::to_value(&held).unwrap();
        assert_eq!(json["reason"], held.reason.name());
        assert_eq!(serde_json::from_value::<HeldAlerts>(json).unwrap(), held);
    }
}
