//! Asking a running backend for certificates, and telling it what to think of them.

use crate::authority::Identity;
use crate::publisher::channel;
use crate::running::Backend;
use base64::Engine;
use proto::wire::enrolment_client::EnrolmentClient;
use proto::wire::{EnrolRequest, IssuedCertificate, RenewRequest};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use tonic::Status;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A backend where nodes enrol, and whose API asks for a token.
pub async fn enrolling() -> Backend {
    enrolling_with(|_| {}).await
}

pub async fn enrolling_with(change: impl FnOnce(&mut Value)) -> Backend {
    Backend::start_with(|config, folder| {
        let token = folder.join("token");
        fs::write(&token, "a-token-for-the-tests").unwrap();
        config["api"]["token_file"] = json!(token);
        config["enrolment"] = json!({ "enabled": true });
        change(config);
    })
    .await
}

/// `backend enrolment …` beside the running backend: what it printed, or its complaint.
pub fn command(backend: &Backend, arguments: &[&str]) -> Result<String, String> {
    let program = std::env::var_os("DEFENDER_BACKEND");
    let done = Command::new(program.unwrap_or(env!("CARGO_BIN_EXE_backend").into()))
        .arg("enrolment")
        .args(arguments)
        .arg("--config")
        .arg(backend.folder.path().join("backend.yaml"))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if done.status.success() { Ok(text(done.stdout)) } else { Err(text(done.stderr)) }
}

pub fn with<'a>(first: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [first, more].concat()
}

pub fn create_token(backend: &Backend, arguments: &[&str]) -> String {
    command(backend, &with(&["tokens", "create"], arguments)).unwrap().trim().to_owned()
}

/// Changes the store of a backend that does not run.
pub fn change_state(backend: &Backend, sql: &str) {
    let state = rusqlite::Connection::open(backend.store().join("state.db")).unwrap();
    assert!(state.execute(sql, []).unwrap() > 0, "nothing was changed by {sql}");
}

/// A signing request, and the key that signed it.
pub struct Asked {
    key: KeyPair,
    pub request: Vec<u8>,
}

impl Asked {
    pub fn new() -> Self {
        Self::with(&CertificateParams::default())
    }

    pub fn with(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let request = params.serialize_request(&key).unwrap().der().to_vec();
        Self { key, request }
    }

    /// Another request of the same key.
    pub fn again(&self, params: &CertificateParams) -> Vec<u8> {
        params.serialize_request(&self.key).unwrap().der().to_vec()
    }

    /// What was issued, with its key.
    fn identity(&self, issued: &IssuedCertificate) -> Identity {
        let text = base64::engine::general_purpose::STANDARD.encode(&issued.chain[0]);
        Identity {
            certificate: format!(
                "-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"
            ),
            key: self.key.serialize_pem(),
        }
    }
}

/// Asks with a bootstrap token.
pub async fn enrol(
    backend: &Backend,
    token: &str,
    cluster: &str,
    node: &str,
    request: &[u8],
) -> Result<IssuedCertificate, Status> {
    let request = EnrolRequest {
        bootstrap_token: token.to_owned(),
        cluster: cluster.to_owned(),
        node: node.to_owned(),
        signing_request: request.to_vec(),
    };
    let channel = channel(backend, None).await?;
    Ok(EnrolmentClient::new(channel).enrol(request).await?.into_inner())
}

/// A node that has its first certificate.
pub async fn enrolled(backend: &Backend, token: &str, node: &str) -> Identity {
    let asked = Asked::new();
    let issued = enrol(backend, token, "", node, &asked.request).await.unwrap();
    asked.identity(&issued)
}

/// Asks for the certificate that follows this one.
pub async fn renew(backend: &Backend, identity: &Identity, node: &str) -> Result<Identity, Status> {
    renew_as(backend, Some(identity), node).await
}

pub async fn renew_as(
    backend: &Backend,
    identity: Option<&Identity>,
    node: &str,
) -> Result<Identity, Status> {
    let asked = Asked::new();
    let request = RenewRequest { node: node.to_owned(), signing_request: asked.request.clone() };
    let channel = channel(backend, identity).await?;
    let issued = EnrolmentClient::new(channel).renew(request).await?.into_inner();
    Ok(asked.identity(&issued))
}

/// The alternative names of a certificate, whether it may sign others, and whether it is good for servers.
pub fn parsed(certificate: &[u8]) -> (Vec<String>, bool, bool) {
    let (_, certificate) = X509Certificate::from_der(certificate).unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap().value;
    let names = names.general_names.iter().map(ToString::to_string).collect();
    let usage = certificate.extended_key_usage().unwrap().unwrap().value;
    (names, certificate.is_ca(), usage.server_auth || usage.any)
}
