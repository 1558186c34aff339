use serde::{Deserialize, Serialize};
use server_credentials::TlsFiles;
use service_runtime::{Bytes, ConfigProblem};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A smaller body could not hold the largest event of an API server.
const SMALLEST_BODY: Bytes = Bytes::mebibytes(1);
/// Bodies are read as they come, so this bounds time and not memory.
const LARGEST_BODY: Bytes = Bytes::mebibytes(64);
/// Connections and bodies beyond these do not fit into the pod's memory.
const MOST_CONNECTIONS: usize = 256;
const MOST_BODIES: usize = 16;

/// The key `audit`: where API servers of Kubernetes send their audit events (docs/audit.md).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// Address and port, such as `0.0.0.0:8444`. Empty: no audit events are taken.
    pub listen: String,
    /// The receiver's certificate and its intermediates, PEM. Read again when it changes, as are the files that follow.
    pub certificate_file: PathBuf,
    /// The certificate's private key, PEM.
    pub key_file: PathBuf,
    /// Authorities that sign the certificates of API servers, PEM, and of nobody else: who holds such a certificate may send events.
    /// Empty: no certificate is asked for, and `token_file` must be set.
    pub client_ca_file: PathBuf,
    /// A file with the bearer token that API servers show where they have no certificate. Empty: no token is taken.
    pub token_file: PathBuf,
    /// The largest body that is taken, 1MiB to 64MiB. API servers make bodies of this size at most with
    /// `--audit-webhook-truncate-enabled`, and its flag for the size of batches as it is.
    pub maximum_body_bytes: Bytes,
    /// Connections at a time, 1 to 256.
    pub maximum_connections: usize,
    /// Bodies that are read at a time, 1 to 16; others wait for some seconds, and are then told to come again.
    pub maximum_bodies: usize,
    /// Where what rules learnt is kept. Empty: after a restart they learn anew.
    pub state_directory: PathBuf,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            listen: String::new(),
            certificate_file: "/etc/defender/audit-tls/tls.crt".into(),
            key_file: "/etc/defender/audit-tls/tls.key".into(),
            client_ca_file: PathBuf::new(),
            token_file: PathBuf::new(),
            maximum_body_bytes: Bytes::mebibytes(10),
            maximum_connections: 64,
            maximum_bodies: 4,
            state_directory: PathBuf::new(),
        }
    }
}

impl AuditConfig {
    /// Whether audit events are taken.
    pub fn is_on(&self) -> bool {
        !self.listen.is_empty()
    }

    /// Where; None where no events are taken.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    pub(super) fn tls_files(&self) -> TlsFiles {
        let client_ca = set(&self.client_ca_file).map(Path::to_owned);
        TlsFiles {
            certificate: self.certificate_file.clone(),
            key: self.key_file.clone(),
            client_ca,
            is_client_certificate_optional: self.token_path().is_some(),
            // One request at a time on a connection: what it costs is known.
            protocols: vec![b"http/1.1".to_vec()],
            enrolment_authority: None,
        }
    }

    pub(super) fn token_path(&self) -> Option<&Path> {
        set(&self.token_file)
    }

    pub(super) fn baselines_file(&self) -> Option<PathBuf> {
        set(&self.state_directory).map(|folder| folder.join("audit-baselines"))
    }

    /// Finds what cannot be.
    pub fn validate(&self) -> Result<(), ConfigProblem> {
        if !self.is_on() {
            return Ok(());
        }
        if self.address().is_none() {
            let message =
                format!("{} is no address with a port, such as 0.0.0.0:8444", self.listen);
            return Err(ConfigProblem::new("audit.listen", message));
        }
        if set(&self.client_ca_file).is_none() && self.token_path().is_none() {
            let message =
                "is empty, and so is audit.token_file: anybody could send events; set one of them";
            return Err(ConfigProblem::new("audit.client_ca_file", message));
        }
        self.check_paths()?;
        self.check_bounds()
    }

    fn check_paths(&self) -> Result<(), ConfigProblem> {
        for (key, path, may_be_empty) in [
            ("audit.certificate_file", &self.certificate_file, false),
            ("audit.key_file", &self.key_file, false),
            ("audit.client_ca_file", &self.client_ca_file, true),
            ("audit.token_file", &self.token_file, true),
            ("audit.state_directory", &self.state_directory, true),
        ] {
            let is_empty = set(path).is_none();
            if !(path.is_absolute() || is_empty && may_be_empty) {
                let message = format!("{:?} must be an absolute path", path.display());
                return Err(ConfigProblem::new(key, message));
            }
        }
        Ok(())
    }

    fn check_bounds(&self) -> Result<(), ConfigProblem> {
        if !(SMALLEST_BODY..=LARGEST_BODY).contains(&self.maximum_body_bytes) {
            return Err(ConfigProblem::new("audit.maximum_body_bytes", "must be 1MiB to 64MiB"));
        }
        if !(1..=MOST_CONNECTIONS).contains(&self.maximum_connections) {
            let message = format!("must be 1 to {MOST_CONNECTIONS}");
            return Err(ConfigProblem::new("audit.maximum_connections", message));
        }
        if !(1..=MOST_BODIES).contains(&self.maximum_bodies) {
            let message = format!("must be 1 to {MOST_BODIES}");
            return Err(ConfigProblem::new("audit.maximum_bodies", message));
        }
        Ok(())
    }
}

fn set(path: &Path) -> Option<&Path> {
    (!path.as_os_str().is_empty()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(change: impl FnOnce(&mut AuditConfig)) -> String {
        let mut config = AuditConfig {
            listen: "0.0.0.0:8444".to_owned(),
            token_file: "/etc/defender/audit-token/token".into(),
            ..AuditConfig::default()
        };
        config.validate().expect("what is changed is right before");
        change(&mut config);
        config.validate().expect_err("a problem").to_string()
    }

    #[test]
    fn what_cannot_be_is_told_with_its_key() {
        assert!(
            problem(|it| it.listen = "8444".into()).starts_with("audit.listen: 8444 is no address")
        );
        assert!(problem(|it| it.token_file = PathBuf::new()).contains("anybody could send events"));
        assert!(problem(|it| it.key_file = "key".into()).starts_with("audit.key_file"));
        assert!(
            problem(|it| it.maximum_body_bytes = Bytes::mebibytes(65)).contains("1MiB to 64MiB")
        );
        assert!(problem(|it| it.maximum_connections = 0).contains("1 to 256"));
        assert!(problem(|it| it.maximum_bodies = 17).contains("1 to 16"));
    }

    #[test]
    fn without_an_address_nothing_else_counts() {
        AuditConfig { maximum_bodies: 0, ..AuditConfig::default() }.validate().expect("it is off");
    }
}
