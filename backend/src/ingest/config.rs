use serde::{Deserialize, Serialize};
use server_credentials::TlsFiles;
use service_runtime::{Bytes, ConfigProblem};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Who has no certificate may take this part of all connections.
const STRANGERS_PART: usize = 8;

/// The key `ingest`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngestConfig {
    /// Address and port where publishers connect.
    pub listen: SocketAddr,
    /// The backend's certificate and its intermediates, PEM. Read again when it changes.
    pub certificate_file: PathBuf,
    /// The certificate's private key, PEM.
    pub key_file: PathBuf,
    /// The authorities that sign publishers' certificates, PEM.
    pub client_ca_file: PathBuf,
    /// YAML file with the tokens of publishers that come without a certificate, by their SHA-256. Empty: nobody comes
    /// without one. Read again when it changes; a token that is taken out ends the streams that it opened.
    pub tokens_file: PathBuf,
    /// Connections at a time; one a node is usual.
    pub maximum_connections: usize,
    /// The largest envelope that is taken.
    pub maximum_envelope_bytes: Bytes,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::UNSPECIFIED, 8443).into(),
            certificate_file: "/etc/defender/tls/tls.crt".into(),
            key_file: "/etc/defender/tls/tls.key".into(),
            client_ca_file: "/etc/defender/tls/ca.crt".into(),
            tokens_file: PathBuf::new(),
            maximum_connections: 4096,
            maximum_envelope_bytes: Bytes::mebibytes(4),
        }
    }
}

impl IngestConfig {
    pub(crate) fn validate(&self) -> Result<(), ConfigProblem> {
        if self.maximum_connections == 0 {
            return Err(ConfigProblem::new("ingest.maximum_connections", "must be at least 1"));
        }
        let largest = proto::MAXIMUM_BATCH_BYTES as u64;
        if !(1 << 16..=largest).contains(&self.maximum_envelope_bytes.get()) {
            let range = "must be from 64KiB to 16MiB";
            return Err(ConfigProblem::new("ingest.maximum_envelope_bytes", range));
        }
        Ok(())
    }

    pub(super) fn takes_tokens(&self) -> bool {
        !self.tokens_file.as_os_str().is_empty()
    }

    /// Connections without a certificate at a time: they are there to enrol, for seconds.
    pub(super) fn maximum_strangers(&self) -> usize {
        self.maximum_connections.div_ceil(STRANGERS_PART)
    }

    pub(super) fn tls_files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.certificate_file.clone(),
            key: self.key_file.clone(),
            client_ca: Some(self.client_ca_file.clone()),
            is_client_certificate_optional: self.takes_tokens(),
            protocols: vec![b"h2".to_vec()],
            enrolment_authority: None,
        }
    }
}
