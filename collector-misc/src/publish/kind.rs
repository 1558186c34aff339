use event_model::Lane;
use std::fmt;
use std::sync::Arc;

/// A kind of object, whatever its API version is: `Pod`, `Deployment.apps`. Its resource versions can be compared with
/// each other, and with those of no other kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind(Arc<str>);

impl Kind {
    /// Of an object that says `apiVersion: api_version` and `kind: kind`.
    pub(crate) fn new(api_version: &str, kind: &str) -> Self {
        match api_version.split_once('/') {
            Some((group, _)) => Self(format!("{kind}.{group}").into()),
            None => Self(kind.into()),
        }
    }

    /// The lane that its objects travel in.
    pub(super) fn lane(&self) -> Lane {
        match &*self.0 {
            "Event" | "Event.events.k8s.io" => Lane::Telemetry,
            _ => Lane::Entity,
        }
    }
}

impl From<&str> for Kind {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn a_kind_is_told_apart_by_its_group_and_not_by_its_version() {
        assert_eq!(Kind::new("v1", "Pod").to_string(), "Pod");
        assert_eq!(Kind::new("policy/v1", "X"), Kind::new("policy/v1beta1", "X"));
        assert_ne!(Kind::new("v1", "Pod"), Kind::new("evil.example/v1", "Pod"));
    }
}
