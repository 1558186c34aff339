//! Configurations of clients.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A kubeconfig for the server at `url`, whose authority is `authority`, by `token`.
pub fn kubeconfig(url: &str, authority: Option<&str>, token: &str) -> String {
    let authority = authority
        .map(|pem| format!(", certificate-authority-data: {}", STANDARD.encode(pem)))
        .unwrap_or_default();
    format!(
        "apiVersion: v1
kind: Config
current-context: test
contexts: [{{name: test, context: {{cluster: test, user: test}}}}]
clusters: [{{name: test, cluster: {{server: \"{url}\"{authority}}}}}]
users: [{{name: test, user: {{token: \"{token}\"}}}}]
"
    )
}
