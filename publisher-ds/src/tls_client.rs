use rustls::{ClientConfig, Error, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate chain and the key to it.
pub(crate) type ShownIdentity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// A TLS 1.3 client that believes these authorities alone, offers one application protocol (RFC 7301), and shows this
/// certificate or none. Fails where certificate and key do not fit.
pub(crate) fn tls_client(
    authorities: RootCertStore,
    protocol: &[u8],
    shown: Option<ShownIdentity>,
) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_root_certificates(authorities);
    let mut config = match shown {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
}
