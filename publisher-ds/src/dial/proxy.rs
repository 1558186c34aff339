use super::route::Proxy;
use super::{DialError, Stream, bounded};
use crate::config::{ProxySection, is_set};
use crate::files::Content;
use crate::tls_client::tls_client;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A proxy's answer is a line and some headers; what is longer is none.
const LONGEST_ANSWER: usize = 16 << 10;
const MOST_HEADERS: usize = 64;

/// Of a proxy's own words in a message.
const LONGEST_WORDS: usize = 100;

/// Asks the proxy at the other end for a tunnel to a port of a host.
pub(super) async fn open_tunnel(
    proxy: &Proxy,
    tcp: TcpStream,
    host: &str,
    port: u16,
    section: &ProxySection,
) -> Result<Box<dyn Stream>, DialError> {
    let credential = credential(proxy, section)?;
    let stream = secure(proxy, tcp, section).await?;
    let target =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let asked = ask(proxy, stream, &target, credential);
    bounded("asking the proxy for a connection", &proxy.name(), asked).await
}

/// Files count over what the environment's URL holds.
fn credential(proxy: &Proxy, section: &ProxySection) -> Result<Option<HeaderValue>, DialError> {
    if !is_set(&section.username_file) {
        return Ok(proxy.credential.clone());
    }
    let name = Content::read("proxy.username_file", &section.username_file)?;
    let password = Content::read("proxy.password_file", &section.password_file)?;
    let line = |content: &Content, key, is_name| {
        let line = content.line().filter(|line| !(is_name && line.contains(':')));
        line.map(str::to_owned).ok_or(DialError::UserOrPassword { key, is_name })
    };
    let name = line(&name, "proxy.username_file", true)?;
    let password = line(&password, "proxy.password_file", false)?;
    basic(&name, &password).map(Some)
}

/// RFC 7617.
fn basic(name: &str, password: &str) -> Result<HeaderValue, DialError> {
    let encoded = BASE64_STANDARD.encode(format!("{name}:{password}"));
    let unusable = |_| DialError::UserOrPassword { key: "proxy.password_file", is_name: false };
    let mut value = HeaderValue::try_from(format!("Basic {encoded}")).map_err(unusable)?;
    value.set_sensitive(true);
    Ok(value)
}

async fn secure(
    proxy: &Proxy,
    tcp: TcpStream,
    section: &ProxySection,
) -> Result<Box<dyn Stream>, DialError> {
    if !proxy.is_tls {
        return Ok(Box::new(tcp));
    }
    if !is_set(&section.ca_file) {
        return Err(DialError::NoProxyAuthority { proxy: proxy.name() });
    }
    let authorities = Content::read("proxy.ca_file", &section.ca_file)?.authorities()?;
    let failed = |error| DialError::ProxyTls { proxy: proxy.name(), error };
    let config = tls_client(authorities, b"http/1.1", None);
    let config = config.map_err(|error| failed(io::Error::other(error)))?;
    let name = ServerName::try_from(proxy.host.clone());
    let name = name.map_err(|error| failed(io::Error::other(error)))?;
    bounded("TLS with the proxy", &proxy.name(), async {
        let connected = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
        Ok(Box::new(connected.map_err(failed)?) as Box<dyn Stream>)
    })
    .await
}

async fn ask(
    proxy: &Proxy,
    stream: Box<dyn Stream>,
    target: &str,
    credential: Option<HeaderValue>,
) -> Result<Box<dyn Stream>, DialError> {
    let broken = |error| DialError::NoProxy { proxy: proxy.name(), error };
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(LONGEST_ANSWER)
        .max_headers(MOST_HEADERS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let has_credential = credential.is_some();
    let request = request(target, credential)?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(broken)?;
        check(proxy, target, has_credential, &answer)?;
        let tunnel = hyper::upgrade::on(answer).await.map_err(broken)?;
        Ok(Box::new(TokioIo::new(tunnel)) as Box<dyn Stream>)
    };
    // The connection's end shows in the exchange; until then it must be driven.
    let driver = async {
        let _ = connection.with_upgrades().await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        exchanged = exchange => exchanged,
        never = driver => match never {},
    }
}

/// Its target is the authority alone (RFC 9112, section 3.2.3).
fn request(target: &str, credential: Option<HeaderValue>) -> Result<Request<String>, DialError> {
    let mut request = Request::connect(target).header(HOST, target);
    if let Some(credential) = credential {
        request = request.header(PROXY_AUTHORIZATION, credential);
    }
    let unusable =
        |error| DialError::Resolve { host: target.into(), error: io::Error::other(error) };
    request.body(String::new()).map_err(unusable)
}

fn check(
    proxy: &Proxy,
    target: &str,
    had_credential: bool,
    answer: &Response<Incoming>,
) -> Result<(), DialError> {
    let (proxy, target, status) = (proxy.name(), target.to_owned(), answer.status());
    if status.is_success() {
        return Ok(());
    }
    Err(match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => match offered(answer) {
            Some(offered) => DialError::ProxyWantsOther { proxy, offered },
            None if had_credential => DialError::ProxyRefusesUser { proxy },
            None => DialError::ProxyWantsUser { proxy },
        },
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED | StatusCode::METHOD_NOT_ALLOWED => {
            DialError::ProxyForbids { proxy, target, status }
        }
        status => DialError::ProxyFails { proxy, target, status },
    })
}

/// What a proxy offers that offers no Basic authentication.
fn offered(answer: &Response<Incoming>) -> Option<String> {
    let offers = answer.headers().get_all(PROXY_AUTHENTICATE);
    let offers: Vec<_> = offers.iter().filter_map(|offer| offer.to_str().ok()).collect();
    let is_basic = |offer: &&str| {
        offer.split_once(' ').map_or(*offer, |(scheme, _)| scheme).eq_ignore_ascii_case("basic")
    };
    if offers.is_empty() || offers.iter().any(is_basic) {
        return None;
    }
    let schemes = offers.iter().map(|offer| offer.split(' ').next().unwrap_or_default());
    Some(schemes.collect::<Vec<_>>().join(", ").chars().take(LONGEST_WORDS).collect())
}
