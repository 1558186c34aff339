//! What the benchmark of the cluster collector needs: a large cluster that changes, who takes what is told of it, and a
//! program that watches the cluster in the usual way.

mod delays;
mod receive;
mod reflect;
mod serve;

use anyhow::Result;
use clap::Parser;

#[derive(Parser)]
enum Command {
    /// Serves a cluster over TLS, and changes it at a steady rate once it is told to.
    Serve(serve::Arguments),
    /// Takes what a collector sends to its publisher, and tells each second what came.
    Receive(receive::Arguments),
    /// Keeps pods, nodes and services in memory by kube-runtime's reflector, and tells how much that takes.
    Reflect(reflect::Arguments),
}

#[tokio::main]
async fn main() -> Result<()> {
    // Fails only where a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Command::parse() {
        Command::Serve(arguments) => serve::run(&arguments).await,
        Command::Receive(arguments) => receive::run(&arguments).await,
        Command::Reflect(arguments) => reflect::run(&arguments).await,
    }
}
