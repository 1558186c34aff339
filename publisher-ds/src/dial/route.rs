use super::DialError;
use crate::config::ProxySection;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;

/// The way to a host.
pub(super) enum Route {
    Straight,
    Proxy(Proxy),
}

/// A proxy, as configuration or environment name it.
pub(super) struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    /// It is spoken to over TLS.
    pub(super) is_tls: bool,
    /// User and password from the environment's URL, as a Basic credential (RFC 7617).
    pub(super) credential: Option<HeaderValue>,
}

impl Proxy {
    /// `host:port`, for messages.
    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// What the environment says, variable by variable.
type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The way to a port of a host, as configuration and environment have it now.
pub(super) fn choose(host: &str, port: u16, section: &ProxySection) -> Result<Route, DialError> {
    choose_with(host, port, section, &|name| std::env::var(name).ok())
}

fn choose_with(
    host: &str,
    port: u16,
    section: &ProxySection,
    environment: Environment<'_>,
) -> Result<Route, DialError> {
    let (variable, url, exceptions) = if !section.url.is_empty() {
        ("proxy.url", section.url.clone(), section.no_proxy.join(","))
    } else if section.from_environment {
        let Some((variable, url)) = first(environment, &PROXY_VARIABLES) else {
            return Ok(Route::Straight);
        };
        let (_, mut exceptions) = first(environment, &EXCEPTION_VARIABLES).unwrap_or_default();
        section.no_proxy.iter().for_each(|more| exceptions = format!("{exceptions},{more}"));
        (variable, url, exceptions)
    } else {
        return Ok(Route::Straight);
    };
    if is_exception(host, port, &exceptions) {
        return Ok(Route::Straight);
    }
    parse(&url).map(Route::Proxy).ok_or(DialError::Environment { variable })
}

const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXCEPTION_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The first of the variables that holds anything.
fn first(environment: Environment<'_>, names: &[&'static str]) -> Option<(&'static str, String)> {
    let value = |name: &&'static str| Some((*name, environment(name)?.trim().to_owned()));
    names.iter().filter_map(value).find(|(_, value)| !value.is_empty())
}

/// Whether the list names the host. The matcher knows no ports: an entry for another port is left out, one for this
/// port is given to it without.
fn is_exception(host: &str, port: u16, exceptions: &str) -> bool {
    let of_this_port = |entry: &str| match port_of(entry) {
        Some((rest, its_port)) => (its_port == port).then(|| rest.to_owned()),
        None => Some(entry.to_owned()),
    };
    let entries: Vec<_> = exceptions.split(',').map(str::trim).filter_map(of_this_port).collect();
    let bracketed = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let Ok(target) = format!("https://{bracketed}:{port}").parse::<Uri>() else { return false };
    let matcher = Matcher::builder().https("http://proxy").no(entries.join(",")).build();
    matcher.intercept(&target).is_none()
}

/// `host:port` or `[address]:port`, split. An IPv6 address without brackets has no port.
fn port_of(entry: &str) -> Option<(&str, u16)> {
    let (rest, port) = entry.rsplit_once(':')?;
    let port = port.parse().ok()?;
    match rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => Some((address, port)),
        None if rest.contains(':') => None,
        None => Some((rest, port)),
    }
}

/// Reads a proxy's URL; without a scheme it is an `http` one, as for curl.
fn parse(url: &str) -> Option<Proxy> {
    let target = Uri::from_static("https://any");
    let matched = Matcher::builder().https(url.to_owned()).build().intercept(&target)?;
    let uri = matched.uri();
    let is_tls = match uri.scheme_str()? {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    Some(Proxy { host, port, is_tls, credential: matched.basic_auth().cloned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(exceptions: &[&str]) -> ProxySection {
        ProxySection {
            url: "http://configured:3128".into(),
            no_proxy: exceptions.iter().map(|&it| it.into()).collect(),
            ..ProxySection::default()
        }
    }

    /// The proxy's name on the way to `target`; `-` for none.
    fn way(target: (&str, u16), section: &ProxySection, variables: &[(&str, &str)]) -> String {
        let get = |name: &str| {
            let found = variables.iter().find(|(its_name, _)| *its_name == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        match choose_with(target.0, target.1, section, &get) {
            Ok(Route::Straight) => "-".into(),
            Ok(Route::Proxy(proxy)) => proxy.name(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn exceptions_are_names_addresses_networks_and_ports() {
        for (host, port, entry, is_exception) in [
            ("backend.example.com", 443, "example.com", true),
            ("backend.example.com", 443, ".example.com", true),
            ("example.com", 443, ".example.com", true),
            ("notexample.com", 443, "example.com", false),
            ("BACKEND.example.com", 443, "backend.EXAMPLE.com", true),
            ("backend", 443, "*", true),
            ("backend", 443, "backend:443", true),
            ("backend", 443, "backend:8443", false),
            ("10.1.2.3", 443, "10.0.0.0/8", true),
            ("11.1.2.3", 443, "10.0.0.0/8", false),
            ("10.1.2.3", 443, "10.1.2.3", true),
            ("10.1.2.3", 443, "10.1.2.3:443", true),
            ("10.1.2.3", 443, "10.1.2.3:80", false),
            ("fd00::1", 443, "fd00::/8", true),
            ("fd00::1", 443, "fd00::1", true),
            ("fd00::1", 443, "[fd00::1]:443", true),
            ("fd00::1", 443, "[fd00::1]:80", false),
            ("backend", 443, "", false),
            ("backend", 443, " other , backend ", true),
        ] {
            let expected = if is_exception { "-" } else { "configured:3128" };
            let text = format!("{host}:{port} with {entry:?}");
            assert_eq!(way((host, port), &configured(&[entry]), &[]), expected, "{text}");
        }
    }

    #[test]
    fn the_environment_counts_where_nothing_is_configured() {
        let variables =
            [("https_proxy", "small:1"), ("NO_PROXY", "near.example"), ("ALL_PROXY", "all:2")];
        let none = ProxySection::default();
        assert_eq!(way(("far.example", 443), &none, &variables), "small:1");
        assert_eq!(way(("near.example", 443), &none, &variables), "-");
        assert_eq!(way(("far.example", 443), &configured(&[]), &variables), "configured:3128");
        let deaf = ProxySection { from_environment: false, ..ProxySection::default() };
        assert_eq!(way(("far.example", 443), &deaf, &variables), "-");
        assert_eq!(
            way(("far.example", 443), &none, &[("HTTPS_PROXY", ""), ("ALL_PROXY", "all:2")]),
            "all:2"
        );
        assert_eq!(way(("far.example", 443), &none, &[]), "-");
    }

    #[test]
    fn a_variable_that_is_no_proxy_is_an_error_and_not_a_straight_way() {
        for url in ["socks5://joe:hunter2@proxy:1080", "http://", "joe:hunter2@ proxy"] {
            let told = way(("far", 443), &ProxySection::default(), &[("HTTPS_PROXY", url)]);
            assert!(told.contains("HTTPS_PROXY is no URL"), "{url}: {told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn user_and_password_of_the_environment_are_decoded() {
        let proxy = parse("http://joe:p%40ss@proxy:3128").unwrap();
        assert_eq!(proxy.name(), "proxy:3128");
        assert_eq!(proxy.credential.unwrap(), "Basic am9lOnBAc3M=");
    }
}
