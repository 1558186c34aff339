//! Clients, objects, and patience.

use api_server::{ApiServer, TOKEN};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_mins(2);

/// A client of `server`, as its administrator.
pub async fn client(server: &ApiServer) -> Client {
    client_with(server, TOKEN).await
}

/// A client of `server` that bears `token`, and does not ask again by itself.
pub async fn client_with(server: &ApiServer, token: &str) -> Client {
    install_tls();
    let kubeconfig = Kubeconfig::from_yaml(&server.kubeconfig(token)).unwrap();
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

/// For clients that speak TLS by the process's provider.
pub fn install_tls() {
    // Fails only where another test installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The answer to a `GET`, read as JSON, with its status.
pub async fn get(server: &ApiServer, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let response = request(server, reqwest::Method::GET, path, headers, None).await;
    let code = response.status().as_u16();
    let text = response.text().await.unwrap();
    (code, serde_json::from_str(&text).unwrap_or_else(|_| json!(text)))
}

/// The answer to a request by the administrator.
pub async fn request(
    server: &ApiServer,
    method: reqwest::Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> reqwest::Response {
    install_tls();
    let url = format!("{}{path}", server.url());
    let mut request = reqwest::Client::new().request(method, url);
    if !headers.iter().any(|(name, _)| *name == "authorization") {
        request = request.bearer_auth(TOKEN);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(body) = body {
        request = request.body(body.to_string());
    }
    request.send().await.unwrap()
}

pub fn pod(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "web", "labels": {"app": "shop"}},
        "spec": {"nodeName": "worker-1", "containers": [{"name": "main", "image": "nginx:1"}]},
        "status": {"phase": "Running"},
    })
}

/// So many pods in the namespace `web`: `shop-000`, `shop-001`…
pub fn create_pods(server: &ApiServer, count: usize) {
    server.change(|cluster| {
        for number in 0..count {
            cluster.create("pods", pod(&format!("shop-{number:03}")));
        }
    });
}

/// Waits for `future`, and says what did not come.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(DEADLINE, future).await;
    result.unwrap_or_else(|_| panic!("{what} did not come"))
}

/// Looks until something is found. On failure tells what was there instead.
pub async fn poll<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(instead) if began.elapsed() > DEADLINE => panic!("no {what}, but {instead}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
