use serde::{Deserialize, Serialize};
use service_runtime::ConfigProblem;
use std::path::{Path, PathBuf};
use tonic::transport::Uri;

/// The key `proxy`: an HTTP proxy on the way out. The files are read anew for every connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxySection {
    /// Such as `http://proxy.example.com:3128`, or `https://` for TLS to the proxy itself. Empty: none but that of
    /// the environment.
    pub url: String,
    /// File with the user's name for the proxy, one line. Empty: the proxy asks for none.
    pub username_file: PathBuf,
    /// File with the password to it, one line.
    pub password_file: PathBuf,
    /// PEM file with the authorities that an `https://` proxy's certificate may be signed by.
    pub ca_file: PathBuf,
    /// Hosts that are reached without the proxy: names with all below them (`example.com`, `.example.com`),
    /// addresses, networks (`10.0.0.0/8`), each with `:port` where only that port is meant; `*` for all.
    pub no_proxy: Vec<String>,
    /// Where `url` is empty: HTTPS_PROXY, ALL_PROXY and NO_PROXY, as curl reads them, in capitals or small letters.
    pub from_environment: bool,
}

impl Default for ProxySection {
    fn default() -> Self {
        Self {
            url: String::new(),
            username_file: PathBuf::new(),
            password_file: PathBuf::new(),
            ca_file: PathBuf::new(),
            no_proxy: Vec::new(),
            from_environment: true,
        }
    }
}

impl ProxySection {
    pub(super) fn validate(&self) -> Result<(), ConfigProblem> {
        self.validate_url()?;
        let (name, password) = (is_set(&self.username_file), is_set(&self.password_file));
        if name != password {
            let key = if name { "proxy.password_file" } else { "proxy.username_file" };
            return Err(ConfigProblem::new(key, "is missing: user and password go together"));
        }
        if self.url.is_empty() && name {
            return Err(ConfigProblem::new("proxy.url", "is missing: whose user is it?"));
        }
        if self.url.starts_with("https://") && !is_set(&self.ca_file) {
            let message = "is missing: an https:// proxy must prove who it is";
            return Err(ConfigProblem::new("proxy.ca_file", message));
        }
        Ok(())
    }

    /// The message never holds the URL: somebody may have written a password into it.
    fn validate_url(&self) -> Result<(), ConfigProblem> {
        let wrong = |message| Err(ConfigProblem::new("proxy.url", message));
        if self.url.is_empty() {
            return Ok(());
        }
        let Ok(uri) = self.url.parse::<Uri>() else {
            return wrong("is no URL; write it like http://proxy.example.com:3128");
        };
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return wrong("must begin with http:// or https:// and a host");
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return wrong(
                "must hold no user and password: put them into files, for proxy.username_file and proxy.password_file",
            );
        }
        if !matches!(uri.path(), "" | "/") {
            return wrong("must have no path behind the host and port");
        }
        Ok(())
    }
}

/// Whether a file is configured.
pub(crate) fn is_set(path: &Path) -> bool {
    !path.as_os_str().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(change: impl FnOnce(&mut ProxySection)) -> Option<String> {
        let mut section =
            ProxySection { url: "http://proxy:3128".into(), ..ProxySection::default() };
        change(&mut section);
        section.validate().err().map(|problem| problem.to_string())
    }

    #[test]
    fn an_http_url_with_files_is_taken() {
        assert_eq!(problem(|_| {}), None);
        assert_eq!(problem(|section| section.url.clear()), None);
        let with_user = problem(|section| {
            section.username_file = "/user".into();
            section.password_file = "/password".into();
        });
        assert_eq!(with_user, None);
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_repeated() {
        let problem = problem(|section| section.url = "http://joe:hunter2@proxy:3128".into());
        let problem = problem.unwrap();
        assert!(problem.contains("proxy.password_file"), "{problem}");
        assert!(!problem.contains("hunter2"), "{problem}");
    }

    #[test]
    fn what_is_incomplete_is_named() {
        for (problem, expected) in [
            (problem(|section| section.url = "socks5://proxy".into()), "http:// or https://"),
            (problem(|section| section.url = "http://proxy/path".into()), "no path"),
            (problem(|section| section.url = "https://proxy".into()), "proxy.ca_file"),
            (problem(|section| section.username_file = "/user".into()), "proxy.password_file"),
            (problem(|section| section.password_file = "/p".into()), "proxy.username_file"),
        ] {
            let problem = problem.unwrap();
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
