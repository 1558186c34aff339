use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where a setting was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nowhere: it is a default.
    Default,
    /// In the configuration file. Line and column count from 1.
    File { path: Arc<Path>, line: u64, column: u64 },
    /// In the environment variable of this name.
    Variable(String),
    /// On the command line, by the flag of this name.
    Flag(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default configuration"),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}
