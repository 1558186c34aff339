//! Who may read: each request passes [`guard`] before it reaches a handler.

use super::problem::Problem;
use super::state::ApiState;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use server_credentials::Token;
use std::net::IpAddr;
use std::sync::Arc;

/// The cookie that the login form sets.
pub(crate) const COOKIE: &str = "defender_token";

/// What is asked of a request.
pub(crate) struct Access {
    /// None: whoever reaches the loopback address may read.
    pub(crate) token: Option<Arc<Token>>,
    /// Cookies may travel over TLS alone.
    pub(crate) tls: bool,
}

/// Refuses what a foreign page makes a browser send, and who shows no token.
pub(super) async fn guard(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    if let Err(problem) = check_site(&state.access, &request) {
        return problem.into_response();
    }
    let path = request.uri().path();
    if state.access.admits(request.headers()) || path == "/login" || path.starts_with("/assets/") {
        return next.run(request).await;
    }
    if request.method() == Method::GET && path == "/" {
        return Redirect::to("/login").into_response();
    }
    unauthorized().into_response()
}

fn unauthorized() -> impl IntoResponse {
    let detail =
        "show the token of api.token_file: Authorization: Bearer TOKEN, or log in at /login";
    let problem = Problem::new(StatusCode::UNAUTHORIZED, detail);
    ([(header::WWW_AUTHENTICATE, "Bearer realm=\"defender\"")], problem)
}

impl Access {
    fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        bearer(headers).or_else(|| cookie(headers)).is_some_and(|presented| token.is(presented))
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|cookies| cookies.split(';')).find_map(|cookie| {
        let (name, value) = cookie.trim().split_once('=')?;
        (name == COOKIE).then_some(value)
    })
}

fn check_site(access: &Access, request: &Request) -> Result<(), Problem> {
    let forbidden = |detail: &str| Err(Problem::new(StatusCode::FORBIDDEN, detail));
    let authority = authority(request);
    // Without a token, being on this machine is the proof; a page whose name was pointed at
    // 127.0.0.1 (DNS rebinding) is not, and its name stands in the Host header.
    if access.token.is_none() && !authority.as_ref().is_some_and(is_loopback) {
        return forbidden(
            "without api.token_file only http://localhost and loopback addresses are answered: \
             the Host header names something else",
        );
    }
    let headers = request.headers();
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        let own = origin.zip(authority).is_some_and(|((_, origin), own)| origin == own.as_str());
        if !own {
            return forbidden("the request comes from a page of another site");
        }
    }
    let says = |name: &str, value: &str| headers.get(name).is_some_and(|is| is == value);
    if says("sec-fetch-site", "cross-site") && !says("sec-fetch-mode", "navigate") {
        return forbidden("the request comes from a page of another site");
    }
    Ok(())
}

/// Whom the client believes to talk to: HTTP/2's `:authority`, else the Host header.
fn authority(request: &Request) -> Option<Authority> {
    let host = || request.headers().get(header::HOST)?.to_str().ok()?.parse().ok();
    request.uri().authority().cloned().or_else(host)
}

fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match address {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn request(headers: &[(&str, &str)]) -> Request {
        let mut request = axum::http::Request::get("/api/v1/alerts");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    fn open(headers: &[(&str, &str)]) -> bool {
        check_site(&Access { token: None, tls: false }, &request(headers)).is_ok()
    }

    #[test]
    fn without_a_token_only_names_of_the_loopback_are_answered() {
        for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST", "127.9.9.9"] {
            assert!(open(&[("host", host)]), "{host}");
        }
        for host in
            ["rebound.example:8080", "10.0.0.1", "localhost.example", "", "127.0.0.1.example"]
        {
            assert!(!open(&[("host", host)]), "{host}");
        }
        assert!(!open(&[]), "no Host header");
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let host = ("host", "localhost:8080");
        assert!(open(&[host, ("origin", "http://localhost:8080")]));
        assert!(!open(&[host, ("origin", "http://evil.example")]));
        assert!(!open(&[host, ("origin", "http://localhost:9999")]));
        assert!(!open(&[host, ("origin", "null")]));
        assert!(!open(&[host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")]));
        assert!(open(&[host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]));
    }

    #[test]
    fn the_token_is_found_in_the_header_and_in_the_cookie() {
        let shown = request(&[("authorization", "bearer abc")]);
        assert_eq!(bearer(shown.headers()), Some("abc"));
        let shown = request(&[("cookie", "a=b; defender_token=abc=; c=d")]);
        assert_eq!(cookie(shown.headers()), Some("abc="));
        assert_eq!(cookie(request(&[("cookie", "other=abc")]).headers()), None);
    }
}
