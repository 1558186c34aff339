//! The files of a destination, as they are now.

use super::trouble::Trouble;
use crate::config::{HeaderSection, OtlpSection, Protocol, is_set};
use crate::files::Content;
use crate::tls_client::tls_client;
use http::HeaderValue;
use rustls::ClientConfig;

/// No token is longer.
const LONGEST_HEADER_BYTES: usize = 16 << 10;

/// A TLS 1.3 client: no receiver that is kept up needs an older version.
pub(crate) fn read(section: &OtlpSection) -> Result<ClientConfig, Trouble> {
    let authorities = Content::read("otlp.ca_file", &section.ca_file)?.authorities()?;
    let protocol: &[u8] = match section.protocol {
        Protocol::Grpc => b"h2",
        Protocol::Http => b"http/1.1",
    };
    if !is_set(&section.certificate_file) {
        let config = tls_client(authorities, protocol, None);
        return config
            .map_err(|error| Trouble::Files { key: "ca_file", problem: error.to_string() });
    }
    let chain = Content::read("otlp.certificate_file", &section.certificate_file)?;
    let key = Content::read("otlp.key_file", &section.key_file)?;
    let shown = (chain.certificates()?, key.private_key()?);
    Ok(tls_client(authorities, protocol, Some(shown)).map_err(|error| key.unusable(error))?)
}

/// The headers of the next request. Their values are in no message.
pub(crate) fn headers(section: &OtlpSection) -> Result<Vec<(String, HeaderValue)>, Trouble> {
    section.headers.iter().map(header).collect()
}

fn header(header: &HeaderSection) -> Result<(String, HeaderValue), Trouble> {
    let failed = |problem: &str| Trouble::Files {
        key: "headers",
        problem: format!("{} can't be used: {problem}", header.value_file.display()),
    };
    let content = Content::read("otlp.headers.value_file", &header.value_file)?;
    let text = content.line().map(str::trim).unwrap_or_default();
    if text.is_empty() || text.len() > LONGEST_HEADER_BYTES {
        return Err(failed("it must hold the header's value, in a line of at most 16 KiB"));
    }
    let mut value =
        HeaderValue::from_str(text).map_err(|_| failed("it holds what no header may"))?;
    value.set_sensitive(true);
    Ok((header.name.clone(), value))
}
