use super::{DialError, Hop, bounded};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpStream, lookup_host};
use tower::{Service, service_fn};

/// The addresses that a name has now.
pub(crate) async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
    let resolve = |error| DialError::Resolve { host: host.into(), error };
    let found: Vec<_> = lookup_host((host, port)).await.map_err(resolve)?.collect();
    if found.is_empty() {
        return Err(resolve(io::Error::from(io::ErrorKind::NotFound)));
    }
    Ok(found)
}

/// Connects to the first of the host's addresses that answers: those of IPv6 and those of IPv4 race, as RFC 8305 has it.
pub(super) async fn connect(host: &str, port: u16) -> Result<(TcpStream, Hop), DialError> {
    let peer = format!("{host}:{port}");
    bounded("connecting", &peer, async {
        let found = addresses(host, port).await?;
        let unreachable = |error| DialError::Connect { address: peer.clone(), error };
        let stream = race(found).await.map_err(unreachable)?;
        let address = stream.peer_addr().map_err(unreachable)?;
        Ok((stream, Hop { host: host.into(), port, address }))
    })
    .await
}

async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let resolved = service_fn(move |_: Name| {
        std::future::ready(Ok::<_, io::Error>(addresses.clone().into_iter()))
    });
    let mut connector = HttpConnector::new_with_resolver(resolved);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(super::STEP));
    // The resolver has the addresses and their ports already, whatever it is asked.
    let connected = connector.call(http::Uri::from_static("http://resolved")).await;
    connected.map(hyper_util::rt::TokioIo::into_inner).map_err(|error| cause(&error))
}

/// What the system said, without the connector's words around it.
fn cause(error: &(dyn Error + 'static)) -> io::Error {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(error.kind(), error.to_string()),
            };
        }
        next = error.source();
    }
    io::Error::other(error.to_string())
}
