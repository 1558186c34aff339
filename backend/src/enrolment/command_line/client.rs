//! A client of the running backend's API, on the same machine or in the same pod.

use crate::api::ApiConfig;
use anyhow::{Context, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde::Serialize;
use serde::de::DeserializeOwned;
use server_credentials::first_certificate;
use service_runtime::read_bounded_text;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const DEADLINE: Duration = Duration::from_secs(30);
/// A page of a thousand certificates has half a megabyte.
const LARGEST_ANSWER: usize = 8 << 20;
/// A token and the end of its line.
const LARGEST_TOKEN_FILE: u64 = 64 << 10;

/// Talks to the API that a configuration describes.
pub(super) struct Client {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    token: Option<String>,
}

impl Client {
    pub(super) fn new(config: &ApiConfig) -> anyhow::Result<Self> {
        let token = config.token().map(|path| {
            let text = read_bounded_text(path, LARGEST_TOKEN_FILE);
            text.with_context(|| format!("api.token_file {}", path.display()))
        });
        let tls = config.tls_files().map(|files| {
            let certificate = first_certificate(&files.certificate)?;
            anyhow::Ok(Arc::new(trusting(certificate)?))
        });
        Ok(Self {
            address: reachable(config.listen),
            tls: tls.transpose().context("api.certificate_file")?,
            token: token.transpose()?.map(|token| token.trim().to_owned()),
        })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.ask(Method::GET, path, String::new()).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        self.ask(Method::POST, path, serde_json::to_string(body)?).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> anyhow::Result<T> {
        let answered = tokio::time::timeout(DEADLINE, self.exchange(method, path, body)).await;
        let (is_good, answer) = answered
            .context("the backend does not answer")?
            .with_context(|| format!("the running backend's API at {}", self.address))?;
        if is_good {
            return serde_json::from_slice(&answer)
                .context("the backend's answer is not understood");
        }
        let problem: serde_json::Value = serde_json::from_slice(&answer).unwrap_or_default();
        bail!(
            "{}",
            problem["detail"].as_str().unwrap_or("the backend refuses, and does not say why")
        )
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> anyhow::Result<(bool, Bytes)> {
        let tcp = TcpStream::connect(self.address).await.context("does the backend run?")?;
        let request = self.request(method, path, body)?;
        match &self.tls {
            None => send(tcp, request).await,
            Some(tls) => {
                let name = ServerName::from(self.address.ip());
                send(TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await?, request).await
            }
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string())
            .header(header::CONTENT_TYPE, "application/json");
        let request = match &self.token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        };
        Ok(request.body(Full::new(body.into()))?)
    }
}

/// Sends a request, and tells whether it succeeded and what was answered.
async fn send(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(bool, Bytes)> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        let is_good = answer.status().is_success();
        let body = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("the answer cannot be read: {error}"))?;
        Ok((is_good, body.to_bytes()))
    };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = connection => {
            ended?;
            exchange.await
        }
    }
}

/// Where a server that listens on every address is reached from here.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn trusting(certificate: CertificateDer<'static>) -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(SameCertificate { certificate, provider: Arc::clone(&provider) });
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?;
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// Believes the very certificate that the backend's configuration names, whatever name it is reached by: who has
/// that file's key is the backend.
#[derive(Debug)]
struct SameCertificate {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for SameCertificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.certificate {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not offered".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
