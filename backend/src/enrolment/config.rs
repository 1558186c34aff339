use serde::{Deserialize, Serialize};
use service_runtime::ConfigProblem;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SHORTEST_CERTIFICATE: u64 = 10;
const LONGEST_CERTIFICATE: u64 = 90 * 86_400;

/// The key `enrolment`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnrolmentConfig {
    /// Whether nodes get certificates here by bootstrap tokens. The port for publishers then takes connections
    /// without a client's certificate, for nothing but this.
    pub enabled: bool,
    /// How long a certificate holds, in seconds. Publishers renew at two thirds of it.
    pub certificate_seconds: u64,
    /// What a bootstrap token does for a node that has a valid certificate.
    pub existing_nodes: ExistingNodes,
    /// What signs the certificates.
    pub authority: AuthorityConfig,
}

/// The key `enrolment.existing_nodes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExistingNodes {
    /// The node gets a new certificate, and those that it had are denied at once: so a node that was installed anew
    /// under its old name comes back, and nobody takes its name in secret.
    #[default]
    Replace,
    /// The token is refused until the certificate expires or is revoked.
    Refuse,
}

/// The key `enrolment.authority`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthorityConfig {
    /// The authority's certificate, PEM: one that signs nothing else. Empty, with `key_file`: one is made at the
    /// first start, and kept in the store's directory.
    pub certificate_file: PathBuf,
    /// Its private key, PEM (PKCS #8).
    pub key_file: PathBuf,
}

impl Default for EnrolmentConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            certificate_seconds: 86_400,
            existing_nodes: ExistingNodes::default(),
            authority: AuthorityConfig::default(),
        }
    }
}

impl EnrolmentConfig {
    pub(crate) fn validate(&self) -> Result<(), ConfigProblem> {
        if !(SHORTEST_CERTIFICATE..=LONGEST_CERTIFICATE).contains(&self.certificate_seconds) {
            let range = "must be from 10 (for tests) to 7776000, 90 days";
            return Err(ConfigProblem::new("enrolment.certificate_seconds", range));
        }
        let AuthorityConfig { certificate_file, key_file } = &self.authority;
        if certificate_file.as_os_str().is_empty() != key_file.as_os_str().is_empty() {
            let both = "certificate_file and key_file need each other: set both or none";
            return Err(ConfigProblem::new("enrolment.authority.certificate_file", both));
        }
        Ok(())
    }

    pub(super) fn certificate_life(&self) -> Duration {
        Duration::from_secs(self.certificate_seconds)
    }
}

impl AuthorityConfig {
    /// The files of an authority of yours: certificate and key.
    pub(super) fn files(&self) -> Option<(&Path, &Path)> {
        let is_given = !self.certificate_file.as_os_str().is_empty();
        is_given.then_some((&self.certificate_file, &self.key_file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_out_of_range_and_half_an_authority_are_refused() {
        let wrong = [
            EnrolmentConfig { certificate_seconds: 9, ..EnrolmentConfig::default() },
            EnrolmentConfig { certificate_seconds: 7_776_001, ..EnrolmentConfig::default() },
            EnrolmentConfig {
                authority: AuthorityConfig { key_file: "/k".into(), ..AuthorityConfig::default() },
                ..EnrolmentConfig::default()
            },
        ];
        for config in wrong {
            let problem = config.validate().unwrap_err().to_string();
            assert!(problem.contains("enrolment."), "{problem}");
        }
    }
}
