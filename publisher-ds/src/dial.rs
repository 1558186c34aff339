//! From a host and port to a byte stream: straight, or through an HTTP proxy (CONNECT, RFC 9110 section 9.3.6).
//!
//! `route` says which of the two, `tcp` connects to the next hop, `proxy` asks it for a tunnel.

mod error;
mod proxy;
mod route;
mod tcp;

pub(crate) use error::DialError;
pub(crate) use tcp::addresses;

use crate::config::ProxySection;
use route::Route;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// Each step (TCP, TLS to a proxy, the proxy's answer) takes at most this long.
const STEP: Duration = Duration::from_secs(10);

/// What a connection is made of, whatever lies on its way.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A stream that reached the host.
pub(crate) struct Dialed {
    /// To the host: the caller speaks TLS on it.
    pub(crate) stream: Box<dyn Stream>,
    /// Where the TCP connection ends: at the host, or at the proxy.
    pub(crate) hop: Hop,
    /// `host:port` of the proxy that it goes through.
    pub(crate) proxy: Option<String>,
}

/// The other end of a TCP connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    /// The name, or an address as text.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Which of the name's addresses it is.
    pub(crate) address: SocketAddr,
}

/// Connects to a port of a host; `host` is a name or an address, an IPv6 one without brackets. Files of `section` are
/// read anew each time. Ends within half a minute.
pub(crate) async fn dial(
    host: &str,
    port: u16,
    section: &ProxySection,
) -> Result<Dialed, DialError> {
    match route::choose(host, port, section)? {
        Route::Straight => straight(host, port).await,
        Route::Proxy(proxy) => {
            let (tcp, hop) = tcp::connect(&proxy.host, proxy.port).await?;
            let stream = proxy::open_tunnel(&proxy, tcp, host, port, section).await?;
            Ok(Dialed { stream, hop, proxy: Some(proxy.name()) })
        }
    }
}

/// The same without a look for proxies.
pub(crate) async fn straight(host: &str, port: u16) -> Result<Dialed, DialError> {
    let (stream, hop) = tcp::connect(host, port).await?;
    Ok(Dialed { stream: Box::new(stream), hop, proxy: None })
}

/// The future's outcome, or the error that `during` took too long.
async fn bounded<T>(
    during: &'static str,
    peer: &str,
    work: impl Future<Output = Result<T, DialError>>,
) -> Result<T, DialError> {
    let timeout = || DialError::Timeout { during, peer: peer.into(), seconds: STEP.as_secs() };
    tokio::time::timeout(STEP, work).await.unwrap_or_else(|_| Err(timeout()))
}
