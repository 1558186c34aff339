//! From an endpoint to a stream of bytes: TCP, and TLS where the endpoint says https.

use super::credentials;
use super::trouble::Trouble;
use crate::config::{OtlpSection, ProxySection};
use crate::dial::{self, Stream};
use http::Uri;
use rustls_pki_types::ServerName;
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// Connects to the receiver; in the clear never through a proxy, which is for what leaves the cluster.
pub(crate) async fn open(
    section: &OtlpSection,
    proxy: &ProxySection,
) -> Result<Box<dyn Stream>, Trouble> {
    let uri = endpoint(section)?;
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_plain = uri.scheme_str() == Some("http");
    let port = uri.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
    if is_plain {
        return Ok(dial::straight(host, port).await?.stream);
    }
    let stream = dial::dial(host, port, proxy).await?.stream;
    let address = format!("{host}:{port}");
    let config = credentials::read(section)?;
    let name = if section.server_name.is_empty() { host } else { &section.server_name };
    let tls = |problem: String| Trouble::Tls { address: address.clone(), problem };
    let name = ServerName::try_from(name.to_owned()).map_err(|error| tls(error.to_string()))?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    Ok(Box::new(connected.map_err(|error| tls(error.to_string()))?))
}

/// The endpoint's parts.
pub(crate) fn endpoint(section: &OtlpSection) -> Result<Uri, Trouble> {
    let problem = |error: http::uri::InvalidUri| error.to_string();
    let parsed = section.endpoint.parse();
    parsed.map_err(|error| Trouble::Files { key: "endpoint", problem: problem(error) })
}
