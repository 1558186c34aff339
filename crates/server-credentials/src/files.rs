use rustls::crypto::ring;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use service_runtime::read_bounded;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files that no PEM of ours reaches: a larger one is another kind of file.
const LARGEST_FILE: u64 = 4 << 20;

/// Where a server's certificate lies, and who may call it.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate and its intermediates, PEM.
    pub certificate: PathBuf,
    /// The certificate's private key, PEM.
    pub key: PathBuf,
    /// Certificates that must have signed the client's. None: clients need no certificate.
    pub client_ca: Option<PathBuf>,
    /// Clients may come without a certificate, to prove otherwise who they are.
    pub is_client_certificate_optional: bool,
    /// Application protocols to offer, such as `h2`.
    pub protocols: Vec<Vec<u8>>,
    /// An authority of our own that signs clients' certificates too. With one, clients may also come without.
    pub enrolment_authority: Option<CertificateDer<'static>>,
}

/// TLS that cannot be offered, with the way out.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum TlsError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is not valid PEM: {source}", path.display())]
    Pem { path: PathBuf, source: rustls_pki_types::pem::Error },
    #[error("{} holds no certificate: it must begin with -----BEGIN CERTIFICATE-----", path.display())]
    NoCertificate { path: PathBuf },
    #[error("{} holds a certificate that cannot be an authority: {source}", path.display())]
    Authority { path: PathBuf, source: rustls::Error },
    #[error("{} cannot verify clients: {source}", path.display())]
    Verifier { path: PathBuf, source: VerifierBuilderError },
    #[error("{} and {} do not fit together: {source}", certificate.display(), key.display())]
    Pair { certificate: PathBuf, key: PathBuf, source: rustls::Error },
    #[error("TLS 1.3 is not available: {0}")]
    Version(#[source] rustls::Error),
}

/// Who tells whether a client's certificate is to be believed.
pub type Clients = Arc<dyn ClientCertVerifier>;

/// What the files held when they were read. Two are equal when nothing changed between.
#[derive(PartialEq, Eq)]
pub(super) struct Material {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl TlsFiles {
    /// Reads the files and makes a configuration of them: TLS 1.3 only.
    pub fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let material = self.read()?;
        self.configure(&material, self.clients(&material)?)
    }

    pub(super) fn read(&self) -> Result<Material, TlsError> {
        Ok(Material {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
            client_ca: self.client_ca.as_deref().map(read).transpose()?,
        })
    }

    /// Who tells whether a client's certificate is to be believed.
    pub(super) fn clients(&self, material: &Material) -> Result<Clients, TlsError> {
        match (&self.client_ca, &material.client_ca) {
            (Some(path), Some(pem)) => self.verifier(path, pem),
            _ => Ok(WebPkiClientVerifier::no_client_auth()),
        }
    }

    pub(super) fn configure(
        &self,
        material: &Material,
        clients: Clients,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates(&self.certificate, &material.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&material.key)
            .map_err(|source| TlsError::Pem { path: self.key.clone(), source })?;
        let versions = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(TlsError::Version)?;
        let mut config = versions
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)
            .map_err(|source| self.misfit(source))?;
        config.alpn_protocols.clone_from(&self.protocols);
        if self.client_ca.is_some() {
            // A resumed session would skip the check of the client's certificate.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Arc::new(config))
    }

    fn verifier(&self, path: &Path, pem: &[u8]) -> Result<Clients, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let mut authorities = RootCertStore::empty();
        let own = self.enrolment_authority.clone();
        for certificate in certificates(path, pem)?.into_iter().chain(own) {
            authorities
                .add(certificate)
                .map_err(|source| TlsError::Authority { path: path.to_owned(), source })?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider);
        // The services ask who it is: all but enrolment want a certificate or a token.
        let is_optional = self.is_client_certificate_optional || self.enrolment_authority.is_some();
        let verifier = if is_optional { verifier.allow_unauthenticated() } else { verifier };
        verifier.build().map_err(|source| TlsError::Verifier { path: path.to_owned(), source })
    }

    fn misfit(&self, source: rustls::Error) -> TlsError {
        TlsError::Pair { certificate: self.certificate.clone(), key: self.key.clone(), source }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    read_bounded(path, LARGEST_FILE)
        .map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

/// The first certificate of a file: a server's own.
pub fn first_certificate(path: &Path) -> Result<CertificateDer<'static>, TlsError> {
    let no_certificate = || TlsError::NoCertificate { path: path.to_owned() };
    certificates(path, &read(path)?)?.into_iter().next().ok_or_else(no_certificate)
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|source| TlsError::Pem { path: path.to_owned(), source })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(chain)
}
