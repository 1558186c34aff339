use super::BackendSection;
use crate::enrolment::identity_path;
use serde::{Deserialize, Serialize};
use service_runtime::ConfigProblem;
use std::path::PathBuf;

/// The key `enrolment`: the backend gives this node a certificate of its own, and this publisher renews it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnrolmentSection {
    /// Whether this node enrols. Then `backend.certificate_file` and `backend.key_file` are passed over.
    pub enabled: bool,
    /// File with the bootstrap token, of which the first certificate comes. Read each time that it is needed.
    pub token_file: PathBuf,
    /// The cluster that the token must be for. Empty: whichever it is for.
    pub cluster: String,
    /// Directory of its own, on a disk that survives a restart of the pod: there lie key and certificate.
    pub directory: PathBuf,
}

impl Default for EnrolmentSection {
    fn default() -> Self {
        Self {
            enabled: false,
            token_file: "/etc/defender/enrolment/token".into(),
            cluster: String::new(),
            directory: "/var/lib/defender/publisher".into(),
        }
    }
}

impl EnrolmentSection {
    pub(super) fn validate(&self) -> Result<(), ConfigProblem> {
        if self.directory.is_absolute() {
            return Ok(());
        }
        Err(ConfigProblem::new("enrolment.directory", "must be an absolute path"))
    }

    /// Has connections use the certificate that enrolment brings.
    pub(crate) fn lead(&self, backend: &mut BackendSection) {
        backend.certificate_file = identity_path(&self.directory);
        backend.key_file = identity_path(&self.directory);
    }
}
