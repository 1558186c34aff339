use crate::config::KubernetesConfig;
use anyhow::Context;
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::path::Path;
use std::time::Duration;
use tower::{BoxError, ServiceBuilder};

/// The API server is near; one that does not answer in this time is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The most that a connection reads ahead. Each keeps as much as it ever read at once, which is ten times this by default, and there is a connection
/// for each kind.
const READ_AHEAD_BYTES: usize = 64 << 10;

/// A client of the API server. Tokens and certificates that rotate on disk are read again by it.
/// Whether the server is there is seen when it is first asked.
pub(crate) async fn connect(config: &KubernetesConfig) -> anyhow::Result<Client> {
    let mut config = if !config.kubeconfig.as_os_str().is_empty() {
        from_file(&config.kubeconfig).await?
    } else if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        Config::incluster().context(
            "cannot use the pod's service account; does the pod mount its token \
             (automountServiceAccountToken)?",
        )?
    } else {
        Config::from_kubeconfig(&KubeConfigOptions::default()).await.context(
            "no Kubernetes API: this is no pod, and no kubeconfig can be used; name one by \
             kubernetes.kubeconfig (DEFENDER_KUBERNETES__KUBECONFIG)",
        )?
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // Its retries would be silent for minutes. Ours are counted, logged, and told by /readyz.
    config.default_retry = false;
    tracing::info!(server = %config.cluster_url, "using the Kubernetes API");
    let trouble = trouble_with_client(&config);
    client(config).context(trouble)
}

/// The library's own client reads more ahead than we want, and can't be told to read less. It is taken where a proxy or a program that makes
/// credentials is in use, which ours knows nothing of.
fn client(config: Config) -> kube::Result<Client> {
    if config.proxy_url.is_some() || config.auth_info.exec.is_some() {
        return Client::try_from(config);
    }
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let mut connector = TimeoutConnector::new(connector);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    let http = legacy::Builder::new(TokioExecutor::new())
        .http1_max_buf_size(READ_AHEAD_BYTES)
        .build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(ClientBuilder::new(service, config.default_namespace).build())
}

/// What to say where no client can be made. The images hold no system certificates: a public
/// authority would not vouch for a private API.
fn trouble_with_client(config: &Config) -> &'static str {
    let is_https = config.cluster_url.scheme_str() == Some("https");
    if is_https && config.root_cert.is_none() && !config.accept_invalid_certs {
        "the kubeconfig names no certificate authority for its cluster, and there are no system \
         certificates to fall back on: set certificate-authority or certificate-authority-data there"
    } else {
        "cannot make a client of the Kubernetes API"
    }
}

async fn from_file(path: &Path) -> anyhow::Result<Config> {
    let wrong = || format!("kubernetes.kubeconfig {} cannot be used", path.display());
    let kubeconfig = Kubeconfig::read_from(path).with_context(wrong)?;
    let options = KubeConfigOptions::default();
    Config::from_custom_kubeconfig(kubeconfig, &options).await.with_context(wrong)
}
