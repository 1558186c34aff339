//! What a backend, or who stands in its place, can do to a publisher.

use crate::site::Site;
use anyhow::Result;
use nix::sys::signal::Signal;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use suite::deadline::wait_for;
use suite::program::Name;

/// A server that answers every connection by one act, until it is dropped.
struct Impostor {
    is_over: Arc<AtomicBool>,
    met: Arc<AtomicUsize>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Impostor {
    fn listen(address: &str, act: impl Fn(TcpStream) + Send + 'static) -> Result<Self> {
        let listener = wait_for("the port is free", Duration::from_mins(2), || {
            Ok(TcpListener::bind(address)?)
        })?;
        listener.set_nonblocking(true)?;
        let (is_over, met) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let shared = (Arc::clone(&is_over), Arc::clone(&met));
        let thread = thread::spawn(move || {
            let (is_over, met) = shared;
            while !is_over.load(Ordering::Relaxed) {
                let Ok((stream, _)) = listener.accept() else {
                    thread::sleep(Duration::from_millis(10));
                    continue;
                };
                met.fetch_add(1, Ordering::Relaxed);
                let patience = Some(Duration::from_secs(2));
                let _ = stream.set_nonblocking(false);
                let _ = stream.set_read_timeout(patience);
                let _ = stream.set_write_timeout(patience);
                act(stream);
            }
        });
        Ok(Self { is_over, met, thread: Some(thread) })
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

fn garbage() -> Vec<u8> {
    let mut bytes = vec![0; 64 << 10];
    fastrand::fill(&mut bytes);
    bytes
}

/// Lets `act` stand in the backend's place until the publisher has met it twice, then the backend again.
fn meet(site: &mut Site, act: impl Fn(TcpStream) + Send + 'static) -> Result<()> {
    site.wait_for_progress()?;
    site.machine.end(Name::Backend)?;
    let places = &site.machine.options().places;
    let impostor = Impostor::listen(&format!("{}:{}", site.road.near(), places.ingest_port), act)?;
    wait_for("the publisher tried twice", Duration::from_mins(1), || {
        let met = impostor.met.load(Ordering::Relaxed);
        anyhow::ensure!(met >= 2, "{met} connections");
        Ok(())
    })?;
    drop(impostor);
    site.start_backend()
}

#[test]
fn something_else_listens_at_the_backends_port() -> Result<()> {
    let mut site = Site::begin()?;
    meet(&mut site, |mut stream| {
        let _ = stream.write_all(&garbage());
    })?;
    meet(&mut site, |mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    })?;
    meet(&mut site, drop)?;
    site.wait_for_trouble(&["tls"], Duration::from_secs(10))?;
    site.recover("random bytes, plain HTTP and a hang-up instead of TLS")
}

#[test]
fn a_backend_with_the_right_certificate_answers_garbage() -> Result<()> {
    let mut site = Site::begin()?;
    let config = Arc::new(server_config(&site)?);
    meet(&mut site, move |stream| {
        let Ok(connection) = ServerConnection::new(Arc::clone(&config)) else { return };
        let mut stream = StreamOwned::new(connection, stream);
        let _ = stream.write_all(&garbage());
        let _ = stream.flush();
        let _ = stream.read(&mut [0; 1024]);
    })?;
    site.recover("random bytes behind a true TLS handshake")
}

fn server_config(site: &Site) -> Result<ServerConfig> {
    let (certificate, key) = site.certificates.backend();
    let certificate = CertificateDer::from_pem_file(certificate)?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider);
    let config = config.with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut config = config.with_no_client_auth().with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

#[test]
fn a_backend_reads_nothing_for_a_while() -> Result<()> {
    let mut site = Site::begin()?;
    site.wait_for_progress()?;
    site.machine.program(Name::Backend)?.signal(Signal::SIGSTOP)?;
    thread::sleep(Duration::from_secs(15));
    site.machine.program(Name::Backend)?.signal(Signal::SIGCONT)?;
    site.recover("a backend that stood still for 15 s")
}
