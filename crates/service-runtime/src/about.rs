use crate::Flag;

/// What a program is. Made by [`about!`](crate::about).
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The program's name, as in the chart.
    pub name: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// The commit that it was built from, where the build knew it.
    pub revision: Option<&'static str>,
    /// What it does, in one line.
    pub purpose: &'static str,
    /// The flags that it has beside those of every program.
    pub flags: &'static [Flag],
}

impl About {
    /// The same program with flags of its own.
    #[must_use]
    pub const fn with_flags(self, flags: &'static [Flag]) -> Self {
        Self { flags, ..self }
    }

    /// The version as `--version` prints it.
    pub(crate) fn long_version(&self) -> String {
        match self.revision {
            // A build argument that nobody set is there, and empty.
            Some(revision) if !revision.is_empty() => format!("{} ({revision})", self.version),
            _ => self.version.to_owned(),
        }
    }
}

/// Describes the calling package: its name and version, and the revision in the
/// environment variable `DEFENDER_REVISION` at build time.
#[macro_export]
macro_rules! about {
    ($purpose:literal) => {
        $crate::About {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            revision: option_env!("DEFENDER_REVISION"),
            purpose: $purpose,
            flags: &[],
        }
    };
}
