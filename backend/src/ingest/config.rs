use crate::tls::TlsFiles;
use serde::{Deserialize, Serialize};
use service_runtime::{Bytes, ConfigProblem};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

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

    pub(super) fn tls_files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.certificate_file.clone(),
            key: self.key_file.clone(),
            client_ca: Some(self.client_ca_file.clone()),
            protocols: vec![b"h2".to_vec()],
        }
    }
}
