use serde::{Deserialize, Serialize};
use server_credentials::TlsFiles;
use service_runtime::ConfigProblem;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The key `api`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    /// Address and port of the JSON API and the console. Where this is not a loopback address,
    /// the other three keys are needed.
    pub listen: SocketAddr,
    /// A file with the token that clients must show. Read again when it changes.
    pub token_file: PathBuf,
    /// The certificate and its intermediates, PEM. Read again when it changes.
    pub certificate_file: PathBuf,
    /// The certificate's private key, PEM.
    pub key_file: PathBuf,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            token_file: PathBuf::new(),
            certificate_file: PathBuf::new(),
            key_file: PathBuf::new(),
        }
    }
}

impl ApiConfig {
    pub(crate) fn validate(&self) -> Result<(), ConfigProblem> {
        if given(&self.certificate_file).is_some() != given(&self.key_file).is_some() {
            let both = "certificate_file and key_file need each other: set both or none";
            return Err(ConfigProblem::new("api.certificate_file", both));
        }
        let protected = self.token().is_some() && self.tls_files().is_some();
        if !self.listen.ip().is_loopback() && !protected {
            return Err(ConfigProblem::new(
                "api.listen",
                format!(
                    "{} can be reached from other machines, so api.token_file, api.certificate_file and \
                     api.key_file are needed; or listen on 127.0.0.1",
                    self.listen
                ),
            ));
        }
        Ok(())
    }

    /// The file with the token, where one is asked for.
    pub(crate) fn token(&self) -> Option<&Path> {
        given(&self.token_file)
    }

    /// Where the certificate lies, where TLS is asked for.
    pub(crate) fn tls_files(&self) -> Option<TlsFiles> {
        Some(TlsFiles {
            certificate: given(&self.certificate_file)?.to_owned(),
            key: given(&self.key_file)?.to_owned(),
            client_ca: None,
            is_client_certificate_optional: false,
            protocols: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            enrolment_authority: None,
        })
    }
}

fn given(path: &Path) -> Option<&Path> {
    (!path.as_os_str().is_empty()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::ApiConfig;

    #[test]
    fn an_address_that_others_reach_needs_a_token_and_tls() {
        let mut config =
            ApiConfig { listen: "0.0.0.0:8080".parse().unwrap(), ..ApiConfig::default() };
        let message = config.validate().unwrap_err().to_string();
        assert!(message.contains("api.token_file") && message.contains("127.0.0.1"), "{message}");
        config.token_file = "/token".into();
        assert!(config.validate().is_err(), "the token would travel in the clear");
        config.certificate_file = "/tls.crt".into();
        assert!(config.validate().unwrap_err().to_string().contains("both or none"));
        config.key_file = "/tls.key".into();
        config.validate().unwrap();
    }

    #[test]
    fn loopback_needs_neither() {
        for listen in ["127.0.0.1:8080", "127.3.2.1:80", "[::1]:8080"] {
            let config = ApiConfig { listen: listen.parse().unwrap(), ..ApiConfig::default() };
            config.validate().unwrap();
        }
    }
}
