use crate::store::Publisher;
use event_model::Timestamp;
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The longest name of a cluster or node: that of a DNS name.
const LONGEST_NAME: usize = 253;

/// What a publisher's certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Who it is.
    pub publisher: Publisher,
    /// Until when it may be believed.
    pub valid_until: Timestamp,
}

/// A certificate of a trusted authority that is none of a publisher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum IdentityError {
    #[error("the client's certificate cannot be read: {0}")]
    Unreadable(String),
    #[error("the client's certificate names no publisher: {WANTED}")]
    Missing,
    #[error("the client's certificate names more than one publisher: {WANTED}")]
    Ambiguous,
    #[error("the client's certificate names {0:?}, which is no publisher: {WANTED}")]
    Malformed(String),
}

const WANTED: &str = "its subject alternative names must hold exactly one URI \
    spiffe://defender/cluster/CLUSTER/publisher/NODE (letters, digits, '.', '-' and '_')";

/// Reads who the holder of a certificate is. That the certificate is valid was checked before.
pub(super) fn read(certificate: &CertificateDer<'_>) -> Result<Credential, IdentityError> {
    let (_, certificate) = X509Certificate::from_der(certificate)
        .map_err(|error| IdentityError::Unreadable(error.to_string()))?;
    let names = certificate
        .subject_alternative_name()
        .map_err(|error| IdentityError::Unreadable(error.to_string()))?;
    let mut identities =
        names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
            GeneralName::URI(uri) if uri.starts_with("spiffe:") => Some(*uri),
            _ => None,
        });
    let uri = identities.next().ok_or(IdentityError::Missing)?;
    if identities.next().is_some() {
        return Err(IdentityError::Ambiguous);
    }
    let publisher = parse(uri).ok_or_else(|| IdentityError::Malformed(uri.to_owned()))?;
    let seconds = certificate.validity().not_after.timestamp();
    let nanoseconds = u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000_000);
    Ok(Credential { publisher, valid_until: Timestamp(nanoseconds) })
}

fn parse(uri: &str) -> Option<Publisher> {
    let rest = uri.strip_prefix("spiffe://defender/cluster/")?;
    let (cluster, node) = rest.split_once("/publisher/")?;
    let valid = |name: &str| {
        (1..=LONGEST_NAME).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
    };
    (valid(cluster) && valid(node))
        .then(|| Publisher { cluster: cluster.into(), node: node.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    fn certificate(uris: &[&str]) -> CertificateDer<'static> {
        let mut parameters = CertificateParams::new(vec!["publisher".to_owned()]).unwrap();
        for uri in uris {
            parameters.subject_alt_names.push(SanType::URI((*uri).try_into().unwrap()));
        }
        let key = KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn cluster_and_node_come_from_the_certificate() {
        let uri = "spiffe://defender/cluster/prod-1/publisher/ip-10-0-0-7.ec2.internal";
        let credential = read(&certificate(&["https://example.org", uri])).unwrap();
        assert_eq!(credential.publisher.to_string(), "prod-1/ip-10-0-0-7.ec2.internal");
        assert!(credential.valid_until > Timestamp::now());
    }

    #[test]
    fn a_certificate_that_names_no_publisher_or_two_is_refused() {
        assert_eq!(read(&certificate(&[])), Err(IdentityError::Missing));
        assert_eq!(read(&certificate(&["https://example.org"])), Err(IdentityError::Missing));
        let a = "spiffe://defender/cluster/c/publisher/a";
        let b = "spiffe://defender/cluster/c/publisher/b";
        assert_eq!(read(&certificate(&[a, b])), Err(IdentityError::Ambiguous));
    }

    #[test]
    fn an_identity_of_another_shape_is_refused() {
        for uri in [
            "spiffe://other/cluster/c/publisher/n",
            "spiffe://defender/cluster/c/collector/n",
            "spiffe://defender/cluster//publisher/n",
            "spiffe://defender/cluster/c/publisher/",
            "spiffe://defender/cluster/c/publisher/n/extra",
            "spiffe://defender/cluster/c/publisher/..%2f",
            "spiffe://defender/cluster/c d/publisher/n",
        ] {
            let refused = read(&certificate(&[uri]));
            assert_eq!(refused, Err(IdentityError::Malformed(uri.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn bytes_that_are_no_certificate_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read(&CertificateDer::from(bytes)).is_err());
        }
    }
}
