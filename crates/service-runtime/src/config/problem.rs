use super::place::Place;
use std::fmt;
use std::path::PathBuf;

/// A value that has the right type and still cannot be.
///
/// [`run`](crate::run) adds where the value was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct ConfigProblem {
    pub(crate) key: String,
    pub(crate) message: String,
}

impl ConfigProblem {
    /// A problem with the key at the dotted path `key`; `message` says what it must be.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into() }
    }
}

/// Something wrong with the configuration, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Located {
    pub(crate) place: Place,
    pub(crate) message: String,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Why there is no configuration to start with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("wrong configuration:\n{}", lines(.0))]
    Wrong(Vec<Located>),
    #[error("the defaults cannot be serialised: {0}")]
    Defaults(#[source] serde_json::Error),
}

fn lines(problems: &[Located]) -> String {
    problems.iter().map(Located::to_string).collect::<Vec<_>>().join("\n")
}
