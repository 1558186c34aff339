use crate::store::Publisher;
use event_model::Timestamp;
use rustls_pki_types::CertificateDer;
use std::sync::Arc;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The longest name of a cluster or node: that of a DNS name.
const LONGEST_NAME: usize = 253;

/// Ends the DNS names that are identities; nobody can own one outside.
const DNS_SUFFIX: &str = ".defender";
/// The node in a certificate that all publishers of a cluster share.
pub(super) const ANY_NODE: &str = "any";

/// What a publisher's certificate, or its token, says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Who it is. The node of a credential that a whole cluster shares is `any`.
    pub certified: Publisher,
    /// Until when it may be believed.
    pub valid_until: Timestamp,
    /// Which certificate says so; None where a token does.
    pub certificate: Option<CertificateName>,
}

/// What a certificate is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateName {
    /// The name of its issuer, DER.
    pub issuer: Arc<[u8]>,
    /// Its serial number, big-endian.
    pub serial: Arc<[u8]>,
}

impl Credential {
    /// Who the holder is that says it is of this node. It is believed only where the credential
    /// leaves the node open: such a one proves the cluster, and its holders name themselves within it.
    pub(super) fn publisher(&self, says: &str) -> Result<Publisher, IdentityError> {
        if *self.certified.node != *ANY_NODE {
            return Ok(self.certified.clone());
        }
        if !valid(says) {
            return Err(IdentityError::Node(says.to_owned()));
        }
        Ok(Publisher { cluster: Arc::clone(&self.certified.cluster), node: says.into() })
    }
}

/// A peer that does not prove to be a publisher.
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
    #[error(
        "the publisher says that it is of node {0:?}, which is no node's name (letters, digits, '.', '-' and '_'): \
         set node.name or NODE_NAME"
    )]
    Node(String),
    #[error(
        "neither a client certificate nor a bearer token came: set backend.certificate_file or backend.token_file of the \
         publisher, or have it enrol; a certificate does not pass a proxy that inspects TLS"
    )]
    NoCertificate,
    #[error(
        "the bearer token is not known here: put its SHA-256 into the file of ingest.tokens_file, or mend backend.token_file of the publisher"
    )]
    UnknownToken,
    #[error("the bearer token has expired: give the publisher a new one")]
    ExpiredToken,
}

const WANTED: &str = "its subject alternative names must hold exactly one URI \
    spiffe://defender/cluster/CLUSTER/publisher/NODE, or DNS name NODE.publisher.CLUSTER.defender \
    (letters, digits, '.', '-' and '_'; NODE is `any` where a whole cluster shares the certificate)";

/// Reads who the holder of a certificate is. That the certificate is valid was checked before.
pub fn read(certificate: &CertificateDer<'_>) -> Result<Credential, IdentityError> {
    let (_, certificate) = X509Certificate::from_der(certificate)
        .map_err(|error| IdentityError::Unreadable(error.to_string()))?;
    let names = certificate
        .subject_alternative_name()
        .map_err(|error| IdentityError::Unreadable(error.to_string()))?;
    let mut identities =
        names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
            GeneralName::URI(uri) if uri.starts_with("spiffe:") => Some(*uri),
            GeneralName::DNSName(name) if name.ends_with(DNS_SUFFIX) => Some(*name),
            _ => None,
        });
    let identity = identities.next().ok_or(IdentityError::Missing)?;
    if identities.next().is_some() {
        return Err(IdentityError::Ambiguous);
    }
    let certified = parse(identity).ok_or_else(|| IdentityError::Malformed(identity.to_owned()))?;
    let seconds = certificate.validity().not_after.timestamp();
    let nanoseconds = u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000_000);
    let name = CertificateName {
        issuer: certificate.issuer().as_raw().into(),
        serial: certificate.raw_serial().into(),
    };
    Ok(Credential { certified, valid_until: Timestamp(nanoseconds), certificate: Some(name) })
}

fn parse(identity: &str) -> Option<Publisher> {
    let (cluster, node) = of_uri(identity).or_else(|| of_dns_name(identity))?;
    (valid(cluster) && valid(node))
        .then(|| Publisher { cluster: cluster.into(), node: node.into() })
}

fn of_uri(uri: &str) -> Option<(&str, &str)> {
    uri.strip_prefix("spiffe://defender/cluster/")?.split_once("/publisher/")
}

/// For tools that can't make URIs, Helm above all. Nodes' names hold dots, a cluster's is one label here.
fn of_dns_name(name: &str) -> Option<(&str, &str)> {
    let (node, cluster) = name.strip_suffix(DNS_SUFFIX)?.rsplit_once(".publisher.")?;
    (!cluster.contains('.')).then_some((cluster, node))
}

/// Whether a node may have this name in a certificate of its own.
pub(crate) fn is_node_name(name: &str) -> bool {
    valid(name) && name != ANY_NODE
}

/// Whether a cluster or a node may have this name.
pub(crate) fn valid(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
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
        assert_eq!(credential.certified.to_string(), "prod-1/ip-10-0-0-7.ec2.internal");
        assert!(credential.valid_until > Timestamp::now());
    }

    fn certificate_of(dns_names: &[&str]) -> CertificateDer<'static> {
        let names: Vec<_> = dns_names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        CertificateParams::new(names).unwrap().self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn a_dns_name_of_ours_is_an_identity_too() {
        let name = "ip-10-0-0-7.ec2.internal.publisher.prod-1.defender";
        let credential = read(&certificate_of(&["example.org", name])).unwrap();
        assert_eq!(credential.certified.to_string(), "prod-1/ip-10-0-0-7.ec2.internal");
        for malformed in
            ["n.publisher.a.b.defender", "n.collector.c.defender", "publisher.c.defender"]
        {
            let refused = read(&certificate_of(&[malformed]));
            assert_eq!(refused, Err(IdentityError::Malformed(malformed.to_owned())));
        }
        let two = ["a.publisher.c.defender", "b.publisher.c.defender"];
        assert_eq!(read(&certificate_of(&two)), Err(IdentityError::Ambiguous));
    }

    #[test]
    fn the_node_is_the_certificates_and_the_holders_only_where_a_cluster_shares_it() {
        let of = |node: &str| {
            let uri = format!("spiffe://defender/cluster/c/publisher/{node}");
            read(&certificate(&[&uri])).unwrap()
        };
        assert_eq!(of("node-1").publisher("node-2").unwrap().to_string(), "c/node-1");
        assert_eq!(of("any").publisher("node-2").unwrap().to_string(), "c/node-2");
        for invalid in ["", "../x", "a b"] {
            let refused = of("any").publisher(invalid);
            assert_eq!(refused, Err(IdentityError::Node(invalid.to_owned())));
        }
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
