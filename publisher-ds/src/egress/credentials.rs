use super::settings::Settings;
use super::trouble::Trouble;
use crate::config::{BackendSection, is_set};
use crate::files::{Content, FileError};
use crate::tls_client::{ShownIdentity, tls_client};
use rustls::client::ResolvesClientCert;
use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use rustls_pki_types::ServerName;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tonic::metadata::{Ascii, MetadataValue};
use x509_parser::prelude::{FromDer, X509Certificate};

/// What all files of a connection held when they were read. Two are equal when nothing changed between.
#[derive(PartialEq, Eq)]
pub(crate) struct Material {
    authorities: Content,
    certificate: Option<Content>,
    key: Option<Content>,
    token: Option<Content>,
    /// Of the proxy: read again where they are used, and here to notice a change.
    proxy: Vec<Content>,
}

impl Material {
    /// Reads the files as they are now.
    pub(crate) fn read(settings: Settings<'_>) -> Result<Self, FileError> {
        let (backend, proxy) = (settings.backend, settings.proxy);
        let of_proxy = [
            optional("proxy.username_file", &proxy.username_file)?,
            optional("proxy.password_file", &proxy.password_file)?,
            optional("proxy.ca_file", &proxy.ca_file)?,
        ];
        Ok(Self {
            authorities: Content::read("backend.ca_file", &backend.ca_file)?,
            certificate: optional("backend.certificate_file", &backend.certificate_file)?,
            key: optional("backend.key_file", &backend.key_file)?,
            token: optional("backend.token_file", &backend.token_file)?,
            proxy: of_proxy.into_iter().flatten().collect(),
        })
    }
}

fn optional(key: &'static str, path: &Path) -> Result<Option<Content>, FileError> {
    is_set(path).then(|| Content::read(key, path)).transpose()
}

/// What one connection shows and trusts.
pub(crate) struct Credentials {
    /// A TLS 1.3 client.
    pub(crate) tls: ClientConfig,
    /// Whether the other side asked for our certificate, once the handshake is over.
    pub(crate) was_asked: WasAsked,
    /// The `authorization` of each request (RFC 6750).
    pub(crate) bearer: Option<MetadataValue<Ascii>>,
}

/// Whether the other side asked for a certificate.
pub(crate) type WasAsked = Arc<AtomicBool>;

impl Credentials {
    /// Makes of the files what a connection needs.
    pub(crate) fn of(material: &Material, section: &BackendSection) -> Result<Self, Trouble> {
        let mut tls = believing(material.authorities.authorities()?, None)?;
        let was_asked = WasAsked::default();
        if let (Some(certificate), Some(key)) = (&material.certificate, &material.key) {
            let pair = Arc::new(pair(certificate, key, section)?);
            note_expiry(&pair);
            let was_asked = Arc::clone(&was_asked);
            tls.client_auth_cert_resolver = Arc::new(WhenAsked { pair, was_asked });
        }
        let bearer = material.token.as_ref().map(bearer).transpose()?;
        Ok(Self { tls, was_asked, bearer })
    }
}

/// Shows the certificate to who asks for one, and remembers it.
#[derive(Debug)]
struct WhenAsked {
    pair: Arc<CertifiedKey>,
    was_asked: WasAsked,
}

impl ResolvesClientCert for WhenAsked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.was_asked.store(true, Ordering::Relaxed);
        Some(Arc::clone(&self.pair))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn pair(
    certificate: &Content,
    key: &Content,
    section: &BackendSection,
) -> Result<CertifiedKey, Trouble> {
    let (chain, private) = (certificate.certificates()?, key.private_key()?);
    CertifiedKey::from_der(chain, private, &ring::default_provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => Trouble::KeyMismatch {
            certificate: section.certificate_file.clone(),
            key: section.key_file.clone(),
        },
        error => key.unusable(error).into(),
    })
}

fn bearer(token: &Content) -> Result<MetadataValue<Ascii>, FileError> {
    let text = format!("Bearer {}", token.token()?);
    let mut value = MetadataValue::try_from(text).map_err(|_| token.no_token())?;
    value.set_sensitive(true);
    Ok(value)
}

fn note_expiry(pair: &CertifiedKey) {
    let first = pair.cert.first().and_then(|first| X509Certificate::from_der(first).ok());
    if let Some((_, certificate)) = first {
        let seconds = u32::try_from(certificate.validity().not_after.timestamp());
        metrics::gauge!("defender_egress_certificate_expiry_timestamp_seconds")
            .set(f64::from(seconds.unwrap_or(u32::MAX)));
    }
}

/// A TLS 1.3 client that believes these authorities alone, and shows this certificate or none.
pub(crate) fn believing(
    authorities: RootCertStore,
    shown: Option<ShownIdentity>,
) -> Result<ClientConfig, Trouble> {
    tls_client(authorities, b"h2", shown).map_err(|error| Trouble::Tls(error.to_string()))
}

/// The name that the backend must prove.
pub(crate) fn server_name(
    section: &BackendSection,
    host: &str,
) -> Result<ServerName<'static>, Trouble> {
    let name = if section.server_name.is_empty() { host } else { &section.server_name };
    ServerName::try_from(name.to_owned()).map_err(|_| Trouble::ServerName(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ProxySection;
    use std::fs;
    use std::path::PathBuf;

    struct Files {
        directory: tempfile::TempDir,
    }

    impl Files {
        fn new() -> (Self, BackendSection) {
            let _ = rustls::crypto::ring::default_provider().install_default();
            let files = Self { directory: tempfile::tempdir().unwrap() };
            let (certificate, key) = make_pair();
            let section = BackendSection {
                ca_file: files.write("ca.crt", &certificate),
                certificate_file: files.write("tls.crt", &certificate),
                key_file: files.write("tls.key", &key),
                token_file: files.write("token", "c2VjcmV0IHNlY3JldA==\n"),
                ..BackendSection::default()
            };
            (files, section)
        }

        fn write(&self, name: &str, content: &str) -> PathBuf {
            let path = self.directory.path().join(name);
            fs::write(&path, content).unwrap();
            path
        }
    }

    fn make_pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["node".to_string()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn material(section: &BackendSection) -> Result<Material, FileError> {
        Material::read(Settings { backend: section, proxy: &ProxySection::default() })
    }

    fn read(section: &BackendSection) -> Result<Credentials, Trouble> {
        Credentials::of(&material(section)?, section)
    }

    #[test]
    fn files_as_they_should_be_are_taken() {
        let (_files, section) = Files::new();
        let credentials = read(&section).unwrap();
        assert_eq!(credentials.tls.alpn_protocols, [b"h2"]);
        assert_eq!(credentials.bearer.unwrap(), "Bearer c2VjcmV0IHNlY3JldA==");
    }

    #[test]
    fn a_token_does_without_a_certificate() {
        let (_files, mut section) = Files::new();
        (section.certificate_file, section.key_file) = (PathBuf::new(), PathBuf::new());
        let credentials = read(&section).unwrap();
        assert!(!credentials.tls.client_auth_cert_resolver.has_certs());
        assert!(credentials.bearer.unwrap().is_sensitive());
    }

    #[test]
    fn each_file_that_is_missing_is_named_with_its_key() {
        let (_files, section) = Files::new();
        for (path, key, expected) in [
            (&section.ca_file, "backend.ca_file", "must be a PEM file"),
            (&section.certificate_file, "backend.certificate_file", "must be a PEM file"),
            (&section.key_file, "backend.key_file", "must be a PEM file"),
            (&section.token_file, "backend.token_file", "must be one line"),
        ] {
            let content = fs::read(path).unwrap();
            fs::remove_file(path).unwrap();
            let trouble = read(&section).err().unwrap();
            let text = trouble.to_string();
            assert!(text.contains(key) && text.contains(path.to_str().unwrap()), "{text}");
            assert!(trouble.is_about_files());
            fs::write(path, "-----BEGIN NOTHING-----\n").unwrap();
            let text = read(&section).err().unwrap().to_string();
            assert!(text.contains(key), "{text}");
            fs::write(path, "").unwrap();
            let text = read(&section).err().unwrap().to_string();
            assert!(text.contains(key) && text.contains(expected), "{text}");
            fs::write(path, content).unwrap();
        }
        assert!(read(&section).is_ok());
    }

    #[test]
    fn a_key_of_another_certificate_is_noticed() {
        let (files, section) = Files::new();
        files.write("tls.key", &make_pair().1);
        let text = read(&section).err().unwrap().to_string();
        assert!(text.contains("do not belong together"), "{text}");
    }

    #[test]
    fn a_change_of_any_file_shows() {
        let (files, section) = Files::new();
        let before = material(&section).unwrap();
        assert!(material(&section).unwrap() == before);
        for name in ["ca.crt", "tls.crt", "tls.key", "token"] {
            let content = fs::read_to_string(files.directory.path().join(name)).unwrap();
            files.write(name, &format!("{content}\n"));
            assert!(material(&section).unwrap() != before, "{name}");
            files.write(name, &content);
        }
        assert!(material(&section).unwrap() == before);
    }
}
