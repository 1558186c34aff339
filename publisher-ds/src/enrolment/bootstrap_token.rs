//! The bootstrap token, and the authority that it may be shown to.

use super::identity::hexadecimal;
use super::problem::Problem;
use crate::config::BackendSection;
use crate::files::Content;
use ring::digest::{SHA256, digest};
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use service_runtime::read_bounded_text;
use std::path::Path;
use x509_parser::prelude::{FromDer, X509Certificate};

const PREFIX: &str = "defender-bootstrap-";
const LONGEST: usize = 256;
/// A token and the end of its line.
const LARGEST_FILE: u64 = 4 << 10;

/// Between a token and the hash of the authority's key.
const PIN: &str = ".sha256:";

/// A bootstrap token: `defender-bootstrap-ID.SECRET`, or `….sha256:HASH` with the hash of the public key
/// (SubjectPublicKeyInfo, RFC 5280) of the one authority whose backend may see the secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct BootstrapToken {
    /// What the backend is shown.
    pub(super) secret: String,
    /// In hexadecimal digits.
    authority: Option<String>,
}

impl BootstrapToken {
    /// Reads a file that holds one.
    pub(super) fn read(path: &Path) -> Result<Self, Problem> {
        let text = read_bounded_text(path, LARGEST_FILE)
            .map_err(|error| Problem::TokenFile { path: path.to_owned(), error })?;
        Self::parse(text.trim()).ok_or_else(|| Problem::NoToken { path: path.to_owned() })
    }

    fn parse(text: &str) -> Option<Self> {
        let (secret, authority) = match text.split_once(PIN) {
            Some((secret, hash)) => (secret, Some(hash.to_ascii_lowercase())),
            None => (text, None),
        };
        let is_hash =
            |hash: &str| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_token = text.len() <= LONGEST && secret.starts_with(PREFIX);
        let is_good = is_token && authority.as_deref().is_none_or(is_hash);
        is_good.then(|| Self { secret: secret.to_owned(), authority })
    }

    /// Whom to believe while the token is shown: of the backend's authorities, the one that it names, if it does.
    pub(super) fn authorities(&self, backend: &BackendSection) -> Result<RootCertStore, Problem> {
        let content = Content::read("backend.ca_file", &backend.ca_file)?;
        let Some(pinned) = &self.authority else { return Ok(content.authorities()?) };
        let mut store = RootCertStore::empty();
        for certificate in content.certificates()? {
            if key_hash(&certificate).as_ref() == Some(pinned) {
                store.add(certificate).map_err(|error| content.unusable(error))?;
            }
        }
        if store.is_empty() {
            return Err(Problem::OtherAuthority { ca_file: backend.ca_file.clone() });
        }
        Ok(store)
    }
}

/// SHA-256 of a certificate's public key, in hexadecimal digits.
fn key_hash(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let hash = digest(&SHA256, certificate.public_key().raw);
    Some(hexadecimal(hash.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_may_name_its_authority_and_nothing_else() {
        let secret = "defender-bootstrap-0011.2233";
        let plain = BootstrapToken::parse(secret).unwrap();
        assert_eq!((plain.secret.as_str(), plain.authority), (secret, None));
        let hash = "Ab".repeat(32);
        let pinned = BootstrapToken::parse(&format!("{secret}.sha256:{hash}")).unwrap();
        assert_eq!((pinned.secret.as_str(), pinned.authority), (secret, Some("ab".repeat(32))));
        for wrong in [
            "",
            "token",
            ".sha256:",
            &format!("{secret}.sha256:ab"),
            &format!("{secret}.sha256:{hash}."),
        ] {
            assert!(BootstrapToken::parse(wrong).is_none(), "{wrong}");
        }
    }
}
