use super::credentials;
use super::trouble::Trouble;
use crate::config::BackendSection;
use hyper_util::rt::TokioIo;
use proto::wire::ingest_client::IngestClient;
use rustls::AlertDescription;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};

const CONNECT: Duration = Duration::from_secs(10);

/// A connection that answers no ping for as long is dead.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

const HTTPS_PORT: u16 = 443;

/// The backend says nothing longer: acknowledgements, credit, a sentence of refusal.
const LONGEST_ANSWER: usize = 64 << 10;

/// The backend speaks first, unless something between us waits for the client's first word.
const FIRST_WORD: Duration = Duration::from_millis(500);
const FIRST_WORD_BYTES: usize = 256;

/// What the TLS layer said last: HTTP/2 keeps only its text, and with TLS 1.3 a refusal of the client's
/// certificate comes after the handshake.
#[derive(Clone, Default)]
pub(crate) struct TlsVerdict(Arc<Mutex<Option<AlertDescription>>>);

impl TlsVerdict {
    fn note(&self, error: &io::Error) {
        let error = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(alert)) = error {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(*alert);
        }
    }

    /// Turns trouble on an established connection into what lay under it.
    pub(crate) fn explain(&self, section: &BackendSection, trouble: Trouble) -> Trouble {
        let alert = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match alert {
            Some(alert) if alert != AlertDescription::CloseNotify => {
                Trouble::OurCertificate { certificate: section.certificate_file.clone(), alert }
            }
            _ => trouble,
        }
    }
}

/// Connects to the backend: TCP, TLS 1.3 with both certificates, HTTP/2.
pub(crate) async fn open(
    section: &BackendSection,
) -> Result<(IngestClient<Channel>, TlsVerdict), Trouble> {
    let verdict = TlsVerdict::default();
    let opened = tokio::time::timeout(CONNECT, connect(section, &verdict)).await;
    let timeout = Trouble::Timeout { during: "connecting", seconds: CONNECT.as_secs() };
    let channel = opened.map_err(|_| timeout)??;
    Ok((IngestClient::new(channel).max_decoding_message_size(LONGEST_ANSWER), verdict))
}

async fn connect(section: &BackendSection, verdict: &TlsVerdict) -> Result<Channel, Trouble> {
    let tls = credentials::read(section)?;
    let uri: Uri = section.url.parse().map_err(|_| Trouble::ServerName(section.url.clone()))?;
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let name = credentials::server_name(section, host)?;
    let stream = connect_tcp(host, uri.port_u16().unwrap_or(HTTPS_PORT)).await?;
    let connected = TlsConnector::from(Arc::new(tls)).connect(name, stream).await;
    let stream = connected.map_err(|error| sort_out(section, &error))?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(Trouble::NoHttp2);
    }
    let mut stream = WatchedStream { stream, verdict: verdict.clone(), early: Vec::new() };
    let heard = stream.hear_first_word().await;
    heard.map_err(|error| verdict.explain(section, Trouble::Transport(error.to_string())))?;
    speak_http2(uri, stream).await
}

async fn connect_tcp(host: &str, port: u16) -> Result<TcpStream, Trouble> {
    let resolved = lookup_host((host, port)).await;
    let resolved = resolved.map_err(|error| Trouble::Resolve { host: host.into(), error })?;
    let addresses: Vec<_> = resolved.collect();
    let connected = TcpStream::connect(addresses.as_slice()).await;
    let address = format!("{host}:{port}");
    let stream = connected.map_err(|error| Trouble::Connect { address, error })?;
    stream.set_nodelay(true).map_err(|error| Trouble::Transport(error.to_string()))?;
    Ok(stream)
}

fn sort_out(section: &BackendSection, error: &io::Error) -> Trouble {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(error)) => {
            Trouble::BackendCertificate { error: error.clone(), ca_file: section.ca_file.clone() }
        }
        Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
            Trouble::NoHttp2
        }
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
    let plain = Endpoint::from_shared(format!("http://{authority}")).map_err(failed)?;
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
    stream: TlsStream<TcpStream>,
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
