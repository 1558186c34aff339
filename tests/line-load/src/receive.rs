use anyhow::{Context, Result};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const TELL: Duration = Duration::from_secs(1);

/// Delays are kept of every so many lines.
const SAMPLED: u64 = 16;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
    /// PEM file with the server's certificate.
    #[arg(long)]
    certificate: PathBuf,
    /// PEM file with its key.
    #[arg(long)]
    key: PathBuf,
    /// PEM file with the authority of clients' certificates.
    #[arg(long)]
    client_ca: PathBuf,
}

/// Receives until it is killed.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let config = Arc::new(tls(arguments)?);
    let listener = TcpListener::bind(arguments.listen).context("listening at --listen")?;
    let mut came = Came::default();
    for stream in listener.incoming() {
        if let Err(error) = receive(&config, stream?, &mut came) {
            eprintln!("{error:#}");
        }
        came.tell();
    }
    Ok(())
}

fn tls(arguments: &Arguments) -> Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut authorities = RootCertStore::empty();
    authorities.add(CertificateDer::from_pem_file(&arguments.client_ca)?)?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(authorities.into(), provider.clone());
    let certificate = CertificateDer::from_pem_file(&arguments.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&arguments.key)?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier.build()?)
        .with_single_cert(vec![certificate], key)?;
    Ok(config)
}

fn receive(config: &Arc<ServerConfig>, stream: TcpStream, came: &mut Came) -> Result<()> {
    let connection = ServerConnection::new(Arc::clone(config))?;
    let mut lines = BufReader::with_capacity(256 << 10, StreamOwned::new(connection, stream));
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        came.note(&line);
        line.clear();
    }
    Ok(())
}

/// What came so far.
#[derive(Default)]
struct Came {
    lines: u64,
    /// In nanoseconds.
    delays: Vec<u64>,
    told: Option<Instant>,
}

impl Came {
    fn note(&mut self, line: &[u8]) {
        self.lines += 1;
        if self.lines.is_multiple_of(SAMPLED) {
            self.delays.extend(delay(line));
        }
        if self.told.is_none_or(|told| told.elapsed() >= TELL) {
            self.tell();
        }
    }

    /// A line of JSON for the benchmark.
    fn tell(&mut self) {
        self.told = Some(Instant::now());
        self.delays.sort_unstable();
        let at = |share: usize| {
            let last = self.delays.len().saturating_sub(1);
            self.delays.get(last * share / 100).copied().unwrap_or(0)
        };
        println!("{}", json!({ "lines": self.lines, "p50": at(50), "p99": at(99) }));
    }
}

/// How long ago the event of a line was.
fn delay(line: &[u8]) -> Option<u64> {
    let begin = line.iter().position(|byte| *byte == b'{')?;
    let event: Value = serde_json::from_slice(line[begin..].trim_ascii_end()).ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(now.as_nanos()).ok()?.checked_sub(event["time"].as_u64()?)
}
