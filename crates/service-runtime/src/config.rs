//! Configuration: the defaults, overlaid by a YAML file, overlaid by the
//! environment. Whatever is wrong is told with the place where it was written.

mod bytes;
mod document;
mod environment;
mod flags;
mod keys;
mod load;
mod place;
mod problem;
mod redact;
mod setting;

pub use bytes::Bytes;
pub use problem::ConfigProblem;

pub(crate) use environment::FILE_VARIABLE;
pub(crate) use keys::KnownKeys;
pub(crate) use load::load;
pub(crate) use redact::printable;

use crate::{AdminConfig, LogConfig, ShutdownConfig};
use serde::{Serialize, de::DeserializeOwned};

/// The configuration of a binary. The serialised `Default` tells which keys are known.
pub trait ServiceConfig: DeserializeOwned + Serialize + Default {
    /// The keys that every binary has.
    fn shared(&self) -> SharedConfig<'_>;

    /// Checks what types alone cannot say, such as bounds and keys that need each other.
    fn validate(&self) -> Result<(), ConfigProblem>;
}

/// The keys `log`, `admin` and `shutdown` of a binary's configuration.
#[derive(Clone, Copy, Debug)]
pub struct SharedConfig<'a> {
    /// The key `log`.
    pub log: &'a LogConfig,
    /// The key `admin`.
    pub admin: &'a AdminConfig,
    /// The key `shutdown`.
    pub shutdown: &'a ShutdownConfig,
}

impl SharedConfig<'_> {
    fn validate(&self) -> Result<(), ConfigProblem> {
        self.log.validate()?;
        self.shutdown.validate()
    }
}

#[cfg(test)]
mod tests;
