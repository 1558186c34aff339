//! Whoever calls the receiver: over TLS, with bytes of its choice.

use crate::authority::Identity;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Who calls, and what it shows.
#[derive(Clone)]
pub struct Caller {
    address: SocketAddr,
    trusted: String,
    identity: Option<Identity>,
    token: Option<String>,
}

/// An answer of HTTP.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub text: String,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.text)
    }
}

impl Caller {
    pub fn new(address: SocketAddr, trusted: &str) -> Self {
        Self { address, trusted: trusted.to_owned(), identity: None, token: None }
    }

    pub fn with_certificate(self, identity: &Identity) -> Self {
        Self { identity: Some(identity.clone()), ..self }
    }

    pub fn with_token(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// One that trusts these authorities of the receiver.
    pub fn trusting(self, pems: &str) -> Self {
        Self { trusted: pems.to_owned(), ..self }
    }

    pub async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(self.trusted.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let tcp = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await
    }

    /// The head of a request, with these lines besides those that each has.
    pub fn head(&self, request_line: &str, lines: &str) -> String {
        let token = self.token.iter().map(|token| format!("Authorization: Bearer {token}\r\n"));
        let token: String = token.collect();
        format!(
            "{request_line} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n{token}{lines}\r\n"
        )
    }

    /// Sends a body as an API server does.
    pub async fn post(&self, body: &[u8]) -> io::Result<Answer> {
        let lines = format!("Content-Length: {}\r\nConnection: close\r\n", body.len());
        self.send(&self.head("POST /audit?timeout=30s", &lines), body).await
    }

    /// Sends these bytes, and reads the answer: also where it comes before the last of them.
    pub async fn send(&self, head: &str, body: &[u8]) -> io::Result<Answer> {
        let (mut from, mut to) = tokio::io::split(self.connect().await?);
        let writing = async {
            to.write_all(head.as_bytes()).await?;
            to.write_all(body).await?;
            to.flush().await
        };
        let reading = read_answer(&mut from);
        let (written, answer) = tokio::join!(writing, reading);
        answer.or_else(|error| written.and(Err(error)))
    }
}

/// Reads until the answer is whole or the connection ends.
pub async fn read_answer(from: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Answer> {
    let mut bytes = vec![];
    let mut buffer = [0; 4096];
    loop {
        if let Some(answer) = answer(&bytes) {
            return Ok(answer);
        }
        match from.read(&mut buffer).await? {
            0 => {
                return Err(io::Error::other(format!(
                    "ended after {:?}",
                    String::from_utf8_lossy(&bytes)
                )));
            }
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

fn answer(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (head, text) = text.split_once("\r\n\r\n")?;
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    (text.len() >= length.unwrap_or(0)).then(|| Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        text: text.to_owned(),
    })
}
