use event_model::Lane;
use serde::{Deserialize, Serialize};
use service_runtime::ConfigProblem;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use tonic::transport::Uri;

/// Each has a position in the spool, a task and memory of its own.
const MOST_DESTINATIONS: usize = 8;

const LONGEST_NAME: usize = 32;

/// The name of the native destination.
const BACKEND: &str = "backend";

/// Headers that the protocols set themselves.
const OWN_HEADERS: [&str; 8] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
    "user-agent",
];

/// An entry of the key `otlp`: a receiver of OpenTelemetry logs. Its files are read anew for every connection, and those of
/// headers for every request, so all may be rotated under it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OtlpSection {
    /// Names its position in the spool, its metrics and its readiness: lower-case letters, digits and hyphens. Under
    /// another name it begins anew.
    pub name: String,
    /// Such as `https://collector.observability:4317`. Over HTTP a URL without a path gets `/v1/logs`.
    pub endpoint: String,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Allows `http://` to other machines: everything can then be read and changed on its way.
    pub insecure: bool,
    /// PEM file with the authorities that the receiver's certificate may be signed by.
    pub ca_file: PathBuf,
    /// PEM file with a certificate for the receiver, where it asks for one.
    pub certificate_file: PathBuf,
    /// PEM file with the key to it.
    pub key_file: PathBuf,
    /// The name that the receiver's certificate must have. Empty: the host in the endpoint.
    pub server_name: String,
    /// Sent with every request: tokens, tenants.
    pub headers: Vec<HeaderSection>,
    /// The lanes that go there. Entities need not: they complete the events of the other lanes.
    pub lanes: Vec<Lane>,
    /// Seconds that an answer is waited for.
    pub timeout_seconds: u64,
    /// How requests are compressed.
    pub compression: Compression,
    /// What the body of a log record is.
    pub body: Body,
    /// Attributes of the resource, beside those that are known, such as `k8s.cluster.name`.
    pub resource: BTreeMap<String, String>,
}

/// A header whose value stands in a file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderSection {
    /// In lower case, such as `authorization`.
    pub name: String,
    /// The file with its value, such as `Bearer …`; blanks around it do not count.
    pub value_file: PathBuf,
}

/// How OTLP travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// gRPC.
    #[default]
    Grpc,
    /// HTTP with protobuf bodies.
    Http,
}

/// How requests are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Each receiver understands it.
    #[default]
    Gzip,
    /// Not at all: less work, more bytes.
    None,
}

/// What the body of a log record is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// The OCSF event as a map, whose fields receivers can query.
    #[default]
    Structured,
    /// The OCSF event as a text of JSON.
    Json,
}

impl Default for OtlpSection {
    fn default() -> Self {
        Self {
            name: String::new(),
            endpoint: String::new(),
            protocol: Protocol::default(),
            insecure: false,
            ca_file: PathBuf::new(),
            certificate_file: PathBuf::new(),
            key_file: PathBuf::new(),
            server_name: String::new(),
            headers: Vec::new(),
            lanes: vec![Lane::Alert, Lane::Inventory, Lane::Telemetry],
            timeout_seconds: 10,
            compression: Compression::default(),
            body: Body::default(),
            resource: BTreeMap::new(),
        }
    }
}

/// Whether all destinations can be told apart, and each makes sense.
pub(super) fn validate(sections: &[OtlpSection]) -> Result<(), ConfigProblem> {
    if sections.len() > MOST_DESTINATIONS {
        let message =
            format!("has {} destinations; {MOST_DESTINATIONS} are the most", sections.len());
        return Err(ConfigProblem::new("otlp", message));
    }
    let mut names = BTreeSet::from([BACKEND]);
    for (place, section) in sections.iter().enumerate() {
        section.validate(place)?;
        if !names.insert(&section.name) {
            let message =
                format!("{:?} is taken: give each destination a name of its own", section.name);
            return Err(wrong(place, "name", &message));
        }
    }
    Ok(())
}

impl OtlpSection {
    fn validate(&self, place: usize) -> Result<(), ConfigProblem> {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=LONGEST_NAME).contains(&self.name.len()) || !self.name.bytes().all(is_plain) {
            let message = "must have 1 to 32 lower-case letters, digits and hyphens";
            return Err(wrong(place, "name", message));
        }
        if self.lanes.is_empty() {
            return Err(wrong(place, "lanes", "is empty: nothing would go there"));
        }
        if !(1..=300).contains(&self.timeout_seconds) {
            return Err(wrong(place, "timeout_seconds", "must be from 1 to 300"));
        }
        if self.certificate_file.as_os_str().is_empty() != self.key_file.as_os_str().is_empty() {
            return Err(wrong(place, "key_file", "goes with certificate_file: give both or none"));
        }
        self.validate_endpoint(place)?;
        self.validate_headers(place)
    }

    fn validate_endpoint(&self, place: usize) -> Result<(), ConfigProblem> {
        let wrong = |message: &str| Err(wrong(place, "endpoint", message));
        let Ok(uri) = self.endpoint.parse::<Uri>() else {
            return wrong("is no URL; write it like https://collector:4317");
        };
        let Some(host) = uri.host().filter(|host| !host.is_empty()) else {
            return wrong("has no host; write it like https://collector:4317");
        };
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return wrong("holds a user or a password: give it as a header, from a file");
        }
        match uri.scheme_str() {
            Some("https") if self.ca_file.as_os_str().is_empty() => {
                return wrong("is https, and ca_file is empty: name the authorities to be trusted");
            }
            Some("https") => {}
            Some("http") if self.insecure || is_loopback(host) => {}
            Some("http") => {
                return wrong(
                    "is http: records would leave the node unencrypted; use https, or say insecure: true",
                );
            }
            _ => return wrong("must begin with https:// (or http:// for this machine)"),
        }
        if self.protocol == Protocol::Grpc && !matches!(uri.path(), "" | "/") {
            return wrong("must have no path: gRPC has its own");
        }
        Ok(())
    }

    fn validate_headers(&self, place: usize) -> Result<(), ConfigProblem> {
        for header in &self.headers {
            let name = &header.name;
            let is_lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
            if !is_lower || http::HeaderName::from_bytes(name.as_bytes()).is_err() {
                let message = format!("{name:?} is no header's name in lower case");
                return Err(wrong(place, "headers", &message));
            }
            if OWN_HEADERS.contains(&name.as_str())
                || name.starts_with("grpc-")
                || name.ends_with("-bin")
            {
                let message = format!("{name} is the protocol's own");
                return Err(wrong(place, "headers", &message));
            }
            if !header.value_file.is_absolute() {
                let message = format!("{name}: value_file must be an absolute path");
                return Err(wrong(place, "headers", &message));
            }
        }
        Ok(())
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn wrong(place: usize, key: &str, message: &str) -> ConfigProblem {
    ConfigProblem::new(format!("otlp[{place}].{key}"), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> OtlpSection {
        OtlpSection {
            name: "siem".into(),
            endpoint: "https://collector:4317".into(),
            ca_file: "/ca.crt".into(),
            ..OtlpSection::default()
        }
    }

    fn problem(change: impl FnOnce(&mut OtlpSection)) -> String {
        let mut section = section();
        change(&mut section);
        validate(&[section]).err().map(|problem| problem.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_plain_section_is_taken() {
        assert_eq!(problem(|_| {}), "");
        let http = |endpoint: &str, insecure| {
            let endpoint = endpoint.to_owned();
            problem(move |it| {
                (it.endpoint, it.protocol, it.insecure) = (endpoint, Protocol::Http, insecure);
            })
        };
        for endpoint in
            ["http://localhost:4318", "http://[::1]:4318", "https://collector/otlp/v1/logs"]
        {
            assert_eq!(http(endpoint, false), "", "{endpoint}");
        }
        assert_eq!(http("http://collector:4318", true), "");
    }

    #[test]
    fn what_would_send_in_the_clear_or_nowhere_is_an_error_with_its_key() {
        let endpoint = |text: &str| {
            let text = text.to_owned();
            problem(move |it| it.endpoint = text)
        };
        for (told, words) in [
            (endpoint("http://collector:4317"), "otlp[0].endpoint"),
            (endpoint("http://collector:4317"), "insecure: true"),
            (endpoint("https://collector/path"), "no path"),
            (endpoint("collector:4317"), "https://"),
            (endpoint(""), "otlp[0].endpoint"),
            (endpoint("https://me:secret@collector"), "as a header"),
            (problem(|it| it.ca_file = PathBuf::new()), "ca_file is empty"),
            (problem(|it| it.name = "SIEM".into()), "otlp[0].name"),
            (problem(|it| it.name = String::new()), "otlp[0].name"),
            (problem(|it| it.name = "backend".into()), "is taken"),
            (problem(|it| it.lanes.clear()), "otlp[0].lanes"),
            (problem(|it| it.timeout_seconds = 0), "otlp[0].timeout_seconds"),
            (problem(|it| it.key_file = "/key".into()), "certificate_file"),
        ] {
            assert!(told.contains(words), "{told:?} should say {words:?}");
        }
    }

    #[test]
    fn headers_of_the_protocols_are_their_own() {
        let header = |name: &str| {
            let header = HeaderSection { name: name.into(), value_file: "/token".into() };
            problem(|it| it.headers = vec![header])
        };
        assert_eq!(header("authorization"), "");
        for name in ["Authorization", "content-type", "grpc-timeout", "a b", "", "x-bin"] {
            assert!(header(name).contains("otlp[0].headers"), "{name}");
        }
    }

    #[test]
    fn two_destinations_have_two_names() {
        let told = validate(&[section(), section()]).unwrap_err().to_string();
        assert!(told.contains("otlp[1].name") && told.contains("is taken"), "{told}");
        assert!(validate(&vec![section(); 9]).unwrap_err().to_string().contains("8 are the most"));
    }
}
