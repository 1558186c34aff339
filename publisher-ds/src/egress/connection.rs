use super::credentials::{self, Credentials, Material, WasAsked};
use super::endpoint::Endpoint;
use super::settings::Settings;
use super::trouble::Trouble;
use crate::checked_status::CheckedStatus;
use crate::config::{BackendSection, is_set};
use crate::dial::{self, Hop, Stream};
use hyper_util::rt::TokioIo;
use proto::wire::ingest_client::IngestClient;
use rustls::{AlertDescription, ClientConfig};
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint as TonicEndpoint, Uri};

/// For TLS with the backend and the beginning of HTTP/2.
const CONNECT: Duration = Duration::from_secs(10);

/// A connection that answers no ping for as long is dead.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// The backend says nothing longer: acknowledgements, credit, a sentence of refusal.
const LONGEST_ANSWER: usize = 64 << 10;

/// The backend speaks first, unless something between us waits for the client's first word.
const FIRST_WORD: Duration = Duration::from_millis(500);
const FIRST_WORD_BYTES: usize = 256;

type Encrypted = TlsStream<Box<dyn Stream>>;

/// A connection on which nothing was said yet.
pub(crate) struct Connection {
    pub(crate) client: IngestClient<CheckedStatus>,
    /// The `authorization` of each request.
    pub(crate) bearer: Option<MetadataValue<Ascii>>,
    pub(crate) verdict: TlsVerdict,
    /// What it was made with.
    pub(crate) material: Material,
    pub(crate) hop: Hop,
}

/// What the TLS layer learnt: HTTP/2 keeps only the text of an alert, and with TLS 1.3 a refusal of the client's
/// certificate comes after the handshake.
#[derive(Clone)]
pub(crate) struct TlsVerdict {
    alert: Arc<Mutex<Option<AlertDescription>>>,
    was_asked: WasAsked,
    proxy: Option<String>,
}

impl TlsVerdict {
    fn new(was_asked: WasAsked, proxy: Option<String>) -> Self {
        Self { alert: Arc::default(), was_asked, proxy }
    }

    fn note(&self, error: &io::Error) {
        let error = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(alert)) = error {
            *self.alert.lock().unwrap_or_else(PoisonError::into_inner) = Some(*alert);
        }
    }

    /// Turns trouble on an established connection into what lay under it.
    pub(crate) fn explain(&self, section: &BackendSection, trouble: Trouble) -> Trouble {
        let alert = *self.alert.lock().unwrap_or_else(PoisonError::into_inner);
        let has_certificate = is_set(&section.certificate_file);
        match alert {
            Some(alert) if alert != AlertDescription::CloseNotify && has_certificate => {
                Trouble::OurCertificate { certificate: section.certificate_file.clone(), alert }
            }
            Some(AlertDescription::CertificateRequired) => Trouble::CertificateWanted,
            _ if has_certificate && !is_set(&section.token_file) => self.blame_proxy(trouble),
            _ => trouble,
        }
    }

    /// Each backend asks for a certificate. Where nobody did, it was not the backend that shook hands with us.
    fn blame_proxy(&self, trouble: Trouble) -> Trouble {
        if self.was_asked.load(Ordering::Relaxed) {
            return trouble;
        }
        let proxy = self.proxy.clone().unwrap_or_else(|| "on the way".into());
        Trouble::Inspected { proxy, trouble: Box::new(trouble) }
    }
}

/// Connects to one of the backend's addresses: TCP, by a proxy where there is one, TLS 1.3 with our certificate,
/// HTTP/2.
pub(crate) async fn open(
    endpoint: &Endpoint,
    settings: Settings<'_>,
) -> Result<Connection, Trouble> {
    let material = Material::read(settings)?;
    let Credentials { tls, was_asked, bearer } = Credentials::of(&material, settings.backend)?;
    let (channel, verdict, hop) = channel(endpoint, settings, tls, was_asked).await?;
    let client =
        IngestClient::new(CheckedStatus(channel)).max_decoding_message_size(LONGEST_ANSWER);
    Ok(Connection { client, bearer, verdict, material, hop })
}

/// Connects with what this client of TLS shows of itself.
pub(crate) async fn channel(
    endpoint: &Endpoint,
    settings: Settings<'_>,
    tls: ClientConfig,
    was_asked: WasAsked,
) -> Result<(Channel, TlsVerdict, Hop), Trouble> {
    let dialed = dial::dial(&endpoint.host, endpoint.port, settings.proxy).await?;
    let verdict = TlsVerdict::new(was_asked, dialed.proxy);
    let spoken = async {
        let name = credentials::server_name(settings.backend, &endpoint.host)?;
        let connected = TlsConnector::from(Arc::new(tls)).connect(name, dialed.stream).await;
        let stream = connected.map_err(|error| sort_out(settings.backend, &verdict, &error))?;
        begin(stream, endpoint, settings.backend, &verdict).await
    };
    let timeout = Trouble::Timeout { during: "TLS and HTTP/2", seconds: CONNECT.as_secs() };
    let channel = tokio::time::timeout(CONNECT, spoken).await.map_err(|_| timeout)??;
    Ok((channel, verdict, dialed.hop))
}

async fn begin(
    stream: Encrypted,
    endpoint: &Endpoint,
    section: &BackendSection,
    verdict: &TlsVerdict,
) -> Result<Channel, Trouble> {
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(Trouble::NoHttp2);
    }
    let mut stream = WatchedStream { stream, verdict: verdict.clone(), early: Vec::new() };
    let heard = stream.hear_first_word().await;
    heard.map_err(|error| verdict.explain(section, Trouble::Transport(error.to_string())))?;
    speak_http2(endpoint.uri.clone(), stream).await
}

fn sort_out(section: &BackendSection, verdict: &TlsVerdict, error: &io::Error) -> Trouble {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(error)) => Trouble::BackendCertificate {
            error: error.clone(),
            ca_file: section.ca_file.clone(),
            proxy: verdict.proxy.clone(),
        },
        Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
            Trouble::NoHttp2
        }
        Some(
            rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
            | rustls::Error::PeerIncompatible(_),
        ) => Trouble::OldTls,
        Some(rustls::Error::InvalidMessage(_)) => {
            Trouble::Tls(format!("{error}: what listens at backend.url speaks no TLS"))
        }
        _ => Trouble::Tls(error.to_string()),
    }
}

/// Tonic is given a stream that is encrypted already, so to it the URL is plain; requests carry the true one.
async fn speak_http2(uri: Uri, stream: WatchedStream) -> Result<Channel, Trouble> {
    let failed = |error: tonic::transport::Error| Trouble::Transport(error.to_string());
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    let plain = TonicEndpoint::from_shared(format!("http://{authority}")).map_err(failed)?;
    let mut stream = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_| {
        let once = stream.take().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected));
        std::future::ready(once)
    });
    plain
        .origin(uri)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .connect_with_connector(connector)
        .await
        .map_err(failed)
}

/// A TLS stream that remembers alerts.
struct WatchedStream {
    stream: Encrypted,
    verdict: TlsVerdict,
    /// Read before HTTP/2 began.
    early: Vec<u8>,
}

impl WatchedStream {
    /// Waits for the first bytes before anything is sent. A backend that refuses our certificate sends an alert
    /// and closes; were we writing then, the kernel would throw the alert away with the connection.
    async fn hear_first_word(&mut self) -> io::Result<()> {
        let mut early = vec![0; FIRST_WORD_BYTES];
        match tokio::time::timeout(FIRST_WORD, self.read(&mut early)).await {
            Err(_silence) => Ok(()),
            Ok(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(Ok(count)) => {
                early.truncate(count);
                self.early = early;
                Ok(())
            }
            Ok(Err(error)) => Err(error),
        }
    }

    fn watch<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &polled {
            self.verdict.note(error);
        }
        polled
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.early.is_empty() {
            let count = self.early.len().min(buffer.remaining());
            buffer.put_slice(&self.early[..count]);
            self.early.drain(..count);
            return Poll::Ready(Ok(()));
        }
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.watch(polled)
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.watch(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
