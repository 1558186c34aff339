//! The API server as a program: a cluster of any size, changes, and an admin address for trouble.

use anyhow::Context;
use api_server::{ApiServer, AuditConfig, Authorization, Options, Size, admin};
use clap::Parser;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A Kubernetes API server for tests.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the API is served.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where the admin routes are served, without TLS or any check of who asks.
    #[arg(long, default_value = "127.0.0.1:0")]
    admin: SocketAddr,
    /// Speaks TLS, and takes client certificates.
    #[arg(long)]
    tls: bool,
    /// Names and addresses in the certificate, beside those of the loopback interface.
    #[arg(long)]
    name: Vec<String>,
    /// Checks rights by roles and bindings.
    #[arg(long)]
    rbac: bool,
    /// Writes a kubeconfig of an administrator to this file.
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// Changes of each resource that are remembered for watches.
    #[arg(long, default_value_t = 10_000)]
    history: usize,
    /// Worker nodes that are there from the start.
    #[arg(long, default_value_t = 0)]
    nodes: usize,
    /// Pods, ten to a Deployment.
    #[arg(long, default_value_t = 0)]
    pods: usize,
    /// Services, each with an EndpointSlice.
    #[arg(long, default_value_t = 0)]
    services: usize,
    /// Namespaces that the pods are spread over.
    #[arg(long, default_value_t = 0)]
    namespaces: usize,
    /// Changes of pods and nodes, so many a second.
    #[arg(long, default_value_t = 0)]
    changes_per_second: u32,
    /// A kubeconfig whose server receives audit events, as of --audit-webhook-config-file.
    #[arg(long)]
    audit_webhook: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let server = start(&arguments)?;
    let Arguments { nodes, pods, services, namespaces, .. } = arguments;
    if nodes + pods + services + namespaces > 0 {
        server.fill(&Size { nodes, pods, services, namespaces });
    }
    if let Some(path) = &arguments.kubeconfig {
        std::fs::write(path, server.kubeconfig(api_server::TOKEN))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let churn =
        (arguments.changes_per_second > 0).then(|| server.churn(arguments.changes_per_second));
    let admin = tokio::net::TcpListener::bind(arguments.admin)
        .await
        .with_context(|| format!("cannot listen at {}", arguments.admin))?;
    println!("{{\"server\":\"{}\",\"admin\":\"http://{}\"}}", server.url(), admin.local_addr()?);
    let ended = axum::serve(admin, admin::routes(server, churn)).await;
    ended.context("the admin routes ended")
}

fn start(arguments: &Arguments) -> anyhow::Result<ApiServer> {
    let mut options = Options {
        tls: arguments.tls,
        history: arguments.history,
        address: arguments.listen,
        ..Options::default()
    };
    options.names.extend(arguments.name.iter().cloned());
    if arguments.rbac {
        options.authorization = Authorization::RoleBased;
    }
    options.audit = arguments.audit_webhook.as_deref().map(AuditConfig::read).transpose()?;
    ApiServer::start_with(options)
}
