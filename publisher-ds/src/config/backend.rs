use super::is_set;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use service_runtime::ConfigProblem;
use std::fmt;
use std::path::PathBuf;
use tonic::transport::Uri;

/// More would be a mistake, and each has its metrics.
const MOST_URLS: usize = 8;

/// The key `backend`. The files are read anew for every connection, and a connection is renewed when they change: a
/// new one is made before the old one ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackendSection {
    /// Such as `https://backend.defender:443`. A list of such: the first that works, the others while it does not.
    pub url: BackendUrls,
    /// PEM file with the authorities that the backend's certificate may be signed by: all of them, during a change
    /// of authority, and that of a proxy that inspects TLS.
    pub ca_file: PathBuf,
    /// PEM file with this publisher's certificate, then those between it and the authority. Empty: a token alone.
    pub certificate_file: PathBuf,
    /// PEM file with the key to it.
    pub key_file: PathBuf,
    /// File with a bearer token, one line: instead of the certificate, or beside it where a proxy that inspects TLS
    /// keeps the certificate from the backend. Empty: none.
    pub token_file: PathBuf,
    /// The name that the backend's certificate must have. Empty: the host in the URL.
    pub server_name: String,
    /// How often the host's name is looked up again while a connection lasts. A connection to an address that is
    /// no longer among the name's is renewed after three such looks.
    pub lookup_seconds: u64,
}

impl Default for BackendSection {
    fn default() -> Self {
        Self {
            url: BackendUrls::from("https://backend.defender:443"),
            ca_file: "/etc/defender/tls/ca.crt".into(),
            certificate_file: "/etc/defender/tls/tls.crt".into(),
            key_file: "/etc/defender/tls/tls.key".into(),
            token_file: PathBuf::new(),
            server_name: String::new(),
            lookup_seconds: 60,
        }
    }
}

impl BackendSection {
    pub(super) fn validate(&self) -> Result<(), ConfigProblem> {
        self.url.validate()?;
        self.validate_credentials()?;
        if !(1..=86_400).contains(&self.lookup_seconds) {
            return Err(ConfigProblem::new("backend.lookup_seconds", "must be from 1 to 86400"));
        }
        Ok(())
    }

    fn validate_credentials(&self) -> Result<(), ConfigProblem> {
        match (is_set(&self.certificate_file), is_set(&self.key_file)) {
            (true, false) => Err(ConfigProblem::new(
                "backend.key_file",
                "is missing: certificate and key go together",
            )),
            (false, true) => Err(ConfigProblem::new(
                "backend.certificate_file",
                "is missing: certificate and key go together",
            )),
            (false, false) if !is_set(&self.token_file) => Err(ConfigProblem::new(
                "backend.certificate_file",
                "is missing, and so is backend.token_file: the backend takes nobody who shows neither",
            )),
            _ => Ok(()),
        }
    }
}

/// One URL, or a list in the order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendUrls(pub Vec<String>);

impl From<&str> for BackendUrls {
    fn from(url: &str) -> Self {
        Self(vec![url.to_owned()])
    }
}

impl BackendUrls {
    /// Whether there is no backend.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(String::is_empty)
    }

    fn validate(&self) -> Result<(), ConfigProblem> {
        let wrong = |message| Err(ConfigProblem::new("backend.url", message));
        if self.0.is_empty() || self.0.len() > MOST_URLS {
            return wrong("must be one URL, or a list of up to 8");
        }
        for (place, url) in self.0.iter().enumerate() {
            validate_url(url)?;
            if self.0[..place].contains(url) {
                return wrong("names the same URL twice");
            }
        }
        Ok(())
    }
}

fn validate_url(url: &str) -> Result<(), ConfigProblem> {
    let wrong = |message| Err(ConfigProblem::new("backend.url", message));
    let Ok(uri) = url.parse::<Uri>() else {
        return wrong("is no URL; write it like https://backend.defender:443");
    };
    if uri.scheme_str() != Some("https") || uri.host().is_none() {
        return wrong("must begin with https:// and a host: records leave the node encrypted only");
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return wrong(
            "must hold no user and password: the backend knows tokens, see backend.token_file",
        );
    }
    if !matches!(uri.path(), "" | "/") {
        return wrong("must have no path behind the host and port");
    }
    Ok(())
}

impl Serialize for BackendUrls {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [url] => serializer.serialize_str(url),
            urls => urls.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for BackendUrls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrSeveral)
    }
}

struct OneOrSeveral;

impl<'de> Visitor<'de> for OneOrSeveral {
    type Value = BackendUrls;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a URL or a list of URLs")
    }

    fn visit_str<E>(self, url: &str) -> Result<BackendUrls, E> {
        Ok(BackendUrls::from(url))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<BackendUrls, A::Error> {
        let mut urls = Vec::new();
        while let Some(url) = list.next_element()? {
            urls.push(url);
        }
        Ok(BackendUrls(urls))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(change: impl FnOnce(&mut BackendSection)) -> Option<String> {
        let mut section = BackendSection::default();
        change(&mut section);
        section.validate().err().map(|problem| problem.to_string())
    }

    #[test]
    fn only_an_https_url_without_a_path_is_taken() {
        for (url, expected) in [
            ("https://backend:443", None),
            ("https://[::1]:8443", None),
            ("https://backend/", None),
            ("http://backend:80", Some("https://")),
            ("backend:443", Some("https://")),
            ("https://backend/ingest", Some("no path")),
            ("https://joe:secret@backend", Some("backend.token_file")),
            ("not a url", Some("is no URL")),
        ] {
            match (expected, problem(|section| section.url = url.into())) {
                (None, None) => {}
                (Some(expected), Some(problem)) => assert!(problem.contains(expected), "{problem}"),
                (_, problem) => panic!("{url}: {problem:?}"),
            }
        }
    }

    #[test]
    fn one_url_and_a_list_are_read_and_written_as_they_are() {
        for (text, count) in [("\"https://a\"", 1), ("[\"https://a\",\"https://b\"]", 2)] {
            let urls: BackendUrls = serde_json::from_str(text).unwrap();
            assert_eq!(urls.0.len(), count);
            assert_eq!(serde_json::to_string(&urls).unwrap(), text);
        }
        let error = serde_json::from_str::<BackendUrls>("7").unwrap_err().to_string();
        assert!(error.contains("a URL or a list of URLs"), "{error}");
    }

    #[test]
    fn lists_are_bounded_and_name_each_once() {
        let list = |urls: &[String]| problem(|section| section.url = BackendUrls(urls.to_vec()));
        let many: Vec<_> = (0..9).map(|number| format!("https://backend-{number}")).collect();
        assert_eq!(list(&many[..8]), None);
        assert!(list(&many).unwrap().contains("up to 8"));
        assert!(list(&[]).unwrap().contains("up to 8"));
        assert!(list(&["https://a".into(), "https://a".into()]).unwrap().contains("twice"));
    }

    #[test]
    fn there_is_a_certificate_with_its_key_or_a_token_or_both() {
        let clear = |section: &mut BackendSection| {
            section.certificate_file = PathBuf::new();
            section.key_file = PathBuf::new();
        };
        assert!(problem(clear).unwrap().contains("backend.token_file"));
        let with_token = problem(|section| {
            clear(section);
            section.token_file = "/token".into();
        });
        assert_eq!(with_token, None);
        assert_eq!(problem(|section| section.token_file = "/token".into()), None);
        let without_key = problem(|section| section.key_file = PathBuf::new());
        assert!(without_key.unwrap().contains("backend.key_file"));
    }
}
