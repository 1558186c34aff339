use super::trouble::Trouble;
use crate::config::BackendSection;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::path::Path;

const CA_FILE: &str = "backend.ca_file";
const CERTIFICATE_FILE: &str = "backend.certificate_file";
const KEY_FILE: &str = "backend.key_file";

/// Reads the files of the section, as they are now, into a TLS 1.3 client.
pub(crate) fn read(section: &BackendSection) -> Result<ClientConfig, Trouble> {
    let authorities = authorities(&section.ca_file)?;
    let certificates = certificates(CERTIFICATE_FILE, &section.certificate_file)?;
    let key = PrivateKeyDer::from_pem_file(&section.key_file)
        .map_err(|error| sort_out(KEY_FILE, &section.key_file, "private key", error))?;
    let config = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_root_certificates(authorities)
        .with_client_auth_cert(certificates, key);
    let mut config = config.map_err(|error| unusable(section, error))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// The name that the backend must prove.
pub(crate) fn server_name(
    section: &BackendSection,
    host: &str,
) -> Result<ServerName<'static>, Trouble> {
    let name = if section.server_name.is_empty() { host } else { &section.server_name };
    ServerName::try_from(name.to_owned()).map_err(|_| Trouble::ServerName(name.to_owned()))
}

fn authorities(path: &Path) -> Result<RootCertStore, Trouble> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(CA_FILE, path)? {
        let unusable = |error| Trouble::Unusable { key: CA_FILE, path: path.to_owned(), error };
        store.add(certificate).map_err(unusable)?;
    }
    Ok(store)
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let failed = |error| sort_out(key, path, "certificate", error);
    let certificates = CertificateDer::pem_file_iter(path).map_err(failed)?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    if certificates.is_empty() {
        return Err(failed(pem::Error::NoItemsFound));
    }
    Ok(certificates)
}

fn sort_out(key: &'static str, path: &Path, what: &'static str, error: pem::Error) -> Trouble {
    let path = path.to_owned();
    match error {
        pem::Error::Io(error) => Trouble::Unreadable { key, path, error },
        pem::Error::NoItemsFound => Trouble::Empty { key, path, what },
        error => Trouble::Pem { key, path, error },
    }
}

fn unusable(section: &BackendSection, error: rustls::Error) -> Trouble {
    match error {
        rustls::Error::InconsistentKeys(_) => Trouble::KeyMismatch {
            certificate: section.certificate_file.clone(),
            key: section.key_file.clone(),
        },
        error => Trouble::Unusable { key: KEY_FILE, path: section.key_file.clone(), error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    struct Files {
        directory: tempfile::TempDir,
    }

    impl Files {
        fn new() -> (Self, BackendSection) {
            let _ = rustls::crypto::ring::default_provider().install_default();
            let files = Self { directory: tempfile::tempdir().unwrap() };
            let (certificate, key) = pair();
            let section = BackendSection {
                ca_file: files.write("ca.crt", &certificate),
                certificate_file: files.write("tls.crt", &certificate),
                key_file: files.write("tls.key", &key),
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

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["node".to_string()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn files_as_they_should_be_are_taken() {
        let (_files, section) = Files::new();
        assert_eq!(read(&section).unwrap().alpn_protocols, [b"h2"]);
    }

    #[test]
    fn each_file_that_is_missing_is_named_with_its_key() {
        let (_files, section) = Files::new();
        for (path, key) in [
            (&section.ca_file, "backend.ca_file"),
            (&section.certificate_file, "backend.certificate_file"),
            (&section.key_file, "backend.key_file"),
        ] {
            let content = fs::read(path).unwrap();
            fs::remove_file(path).unwrap();
            let trouble = read(&section).unwrap_err();
            let text = trouble.to_string();
            assert!(text.contains(key) && text.contains(path.to_str().unwrap()), "{text}");
            assert!(trouble.is_about_files());
            fs::write(path, "-----BEGIN NOTHING-----\n").unwrap();
            let text = read(&section).unwrap_err().to_string();
            assert!(text.contains(key), "{text}");
            fs::write(path, "").unwrap();
            let text = read(&section).unwrap_err().to_string();
            assert!(text.contains(key) && text.contains("must be a PEM file"), "{text}");
            fs::write(path, content).unwrap();
        }
        assert!(read(&section).is_ok());
    }

    #[test]
    fn a_key_of_another_certificate_is_noticed() {
        let (files, section) = Files::new();
        files.write("tls.key", &pair().1);
        let text = read(&section).unwrap_err().to_string();
        assert!(text.contains("do not belong together"), "{text}");
    }
}
