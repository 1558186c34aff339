//! The way of one replica to the API server, which can be cut for it alone.

use std::net::SocketAddr;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Carries connections from a port of its own to the server.
pub struct Road {
    address: SocketAddr,
    is_open: watch::Sender<bool>,
}

impl Road {
    pub async fn build(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let road =
            Self { address: listener.local_addr().unwrap(), is_open: watch::Sender::new(true) };
        let is_open = road.is_open.subscribe();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, is_open.clone()));
            }
        });
        road
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on nothing arrives in either direction, and nobody is told.
    pub fn cut(&self) {
        self.is_open.send_replace(false);
    }

    pub fn mend(&self) {
        self.is_open.send_replace(true);
    }
}

/// What a cut met stands still, as packets that are dropped do, and ends when the road is mended.
async fn carry(mut client: TcpStream, server: SocketAddr, mut is_open: watch::Receiver<bool>) {
    let mut cut = is_open.clone();
    if is_open.wait_for(|is_open| *is_open).await.is_err() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = async { cut.wait_for(|is_open| !*is_open).await.map(drop) } => {
            let _ = is_open.wait_for(|is_open| *is_open).await.map(drop);
        }
    }
}
