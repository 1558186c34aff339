use serde::{Deserialize, Serialize};
use service_runtime::ConfigProblem;
use std::path::PathBuf;
use tonic::transport::Uri;

/// The key `backend`. The files are read anew for every connection, so certificates may be rotated under it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackendSection {
    /// Such as `https://backend.defender:443`.
    pub url: String,
    /// PEM file with the authorities that the backend's certificate may be signed by.
    pub ca_file: PathBuf,
    /// PEM file with this publisher's certificate, then those between it and the authority.
    pub certificate_file: PathBuf,
    /// PEM file with the key to it.
    pub key_file: PathBuf,
    /// The name that the backend's certificate must have. Empty: the host in the URL.
    pub server_name: String,
}

impl Default for BackendSection {
    fn default() -> Self {
        Self {
            url: "https://backend.defender:443".into(),
            ca_file: "/etc/defender/tls/ca.crt".into(),
            certificate_file: "/etc/defender/tls/tls.crt".into(),
            key_file: "/etc/defender/tls/tls.key".into(),
            server_name: String::new(),
        }
    }
}

impl BackendSection {
    pub(super) fn validate(&self) -> Result<(), ConfigProblem> {
        let wrong = |message| Err(ConfigProblem::new("backend.url", message));
        let Ok(uri) = self.url.parse::<Uri>() else {
            return wrong("is no URL; write it like https://backend.defender:443");
        };
        if uri.scheme_str() != Some("https") || uri.host().is_none() {
            return wrong(
                "must begin with https:// and a host: records leave the node encrypted only",
            );
        }
        if !matches!(uri.path(), "" | "/") {
            return wrong("must have no path behind the host and port");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_https_url_without_a_path_is_taken() {
        for (url, expected) in [
            ("https://backend:443", None),
            ("https://[::1]:8443", None),
            ("https://backend/", None),
            ("http://backend:80", Some("https://")),
            ("backend:443", Some("https://")),
            ("https://backend/ingest", Some("no path")),
            ("not a url", Some("is no URL")),
        ] {
            let section = BackendSection { url: url.into(), ..BackendSection::default() };
            let problem = section.validate().err().map(|problem| problem.to_string());
            match (expected, problem) {
                (None, None) => {}
                (Some(expected), Some(problem)) => assert!(problem.contains(expected), "{problem}"),
                (_, problem) => panic!("{url}: {problem:?}"),
            }
        }
    }
}
