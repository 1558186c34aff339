use super::{AuditLevel, AuditPolicy, Batch};
use crate::certificates::Identity;
use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Certificate, Client};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Where audit events go, which, and how.
#[derive(Clone, Debug)]
pub struct AuditConfig {
    /// The webhook's address.
    pub url: String,
    /// The certificate of the authority that the webhook's is by, in PEM.
    pub authority: Option<String>,
    /// What we show the webhook.
    pub client: Option<Identity>,
    /// What we bear before the webhook.
    pub token: Option<String>,
    /// How events are gathered.
    pub batch: Batch,
    /// Which events there are.
    pub policy: AuditPolicy,
}

impl AuditConfig {
    /// All requests, by their metadata, to `url`.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            authority: None,
            client: None,
            token: None,
            batch: Batch::default(),
            policy: AuditPolicy::all(AuditLevel::Metadata),
        }
    }

    /// Reads a kubeconfig as `--audit-webhook-config-file` names it: its first cluster and user.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        Self::from_kubeconfig(&text).with_context(|| format!("{} cannot be used", path.display()))
    }

    /// Takes a kubeconfig's first cluster and user.
    pub fn from_kubeconfig(yaml: &str) -> anyhow::Result<Self> {
        let read: Kubeconfig = serde_saphyr::from_str(yaml).context("not a kubeconfig")?;
        let cluster = &read.clusters.first().context("it names no cluster")?.cluster;
        let mut config = Self::new(&cluster.server);
        config.authority = pem(
            cluster.certificate_authority_data.as_ref(),
            cluster.certificate_authority.as_ref(),
        )?;
        let Some(user) = read.users.first().map(|named| &named.user) else { return Ok(config) };
        config.token.clone_from(&user.token);
        let certificate =
            pem(user.client_certificate_data.as_ref(), user.client_certificate.as_ref())?;
        let key = pem(user.client_key_data.as_ref(), user.client_key.as_ref())?;
        config.client =
            certificate.zip(key).map(|(certificate, key)| Identity { certificate, key });
        Ok(config)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Kubeconfig {
    clusters: Vec<NamedCluster>,
    users: Vec<NamedUser>,
}

#[derive(Deserialize)]
struct NamedCluster {
    cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority_data: Option<String>,
    certificate_authority: Option<PathBuf>,
}

#[derive(Deserialize)]
struct NamedUser {
    user: Bearer,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Bearer {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_certificate: Option<PathBuf>,
    client_key_data: Option<String>,
    client_key: Option<PathBuf>,
}

fn pem(data: Option<&String>, file: Option<&PathBuf>) -> anyhow::Result<Option<String>> {
    if let Some(data) = data {
        return Ok(Some(String::from_utf8(STANDARD.decode(data)?)?));
    }
    let read = |file: &PathBuf| {
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
    };
    file.map(read).transpose()
}

/// The webhook, as we reach it.
#[derive(Debug)]
pub(super) struct Webhook {
    client: Client,
    url: String,
    token: Option<String>,
}

impl Webhook {
    pub(super) fn new(config: &AuditConfig) -> anyhow::Result<Self> {
        // Fails only where it is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client =
            Client::builder().timeout(TIMEOUT).user_agent("kube-apiserver/v1.34.2 (linux/amd64)");
        if let Some(authority) = &config.authority {
            client = client.tls_certs_only([Certificate::from_pem(authority.as_bytes())?]);
        }
        if let Some(Identity { certificate, key }) = &config.client {
            client = client
                .identity(reqwest::Identity::from_pem(format!("{certificate}{key}").as_bytes())?);
        }
        Ok(Self { client: client.build()?, url: config.url.clone(), token: config.token.clone() })
    }

    /// Whether the webhook took the events.
    pub(super) async fn post(&self, events: &[Value]) -> bool {
        let list = json!({
            "kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": events,
        });
        let seconds = TIMEOUT.as_secs();
        let mut request = self.client.post(format!("{}?timeout={seconds}s", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer =
            request.header("content-type", "application/json").body(list.to_string()).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }
}
