//! The way to the backend through proxies: events pass, secrets do not show, and what is wrong is told in words.

use crate::backend::{Backend, Vault};
use crate::certificates::Authority;
use crate::collector::{Collector, bulky_event, event_numbers};
use crate::process::{Home, Publisher};
use crate::proxy::{PASSWORD, Proxy, USER};
use crate::waiting::until;
use event_model::Lane;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

const TOKEN: &str = "dGhlIHRva2VuIG9mIHRoaXMgdGVzdA==";

/// A publisher's files and a backend.
struct Stage {
    home: Home,
    authority: Authority,
    vault: Arc<Vault>,
    backend: Backend,
}

impl Stage {
    fn new() -> Self {
        Self::with(Vault::new())
    }

    fn taking_tokens() -> Self {
        let vault = Vault::new();
        vault.take_token(TOKEN);
        Self::with(vault)
    }

    fn with(vault: Arc<Vault>) -> Self {
        let (home, authority) = (Home::new(), Authority::new());
        home.trust(&authority, &authority.client());
        fs::write(home.path("token"), TOKEN).unwrap();
        fs::write(home.path("proxy-user"), format!("{USER}\n")).unwrap();
        fs::write(home.path("proxy-password"), format!("{PASSWORD}\n")).unwrap();
        fs::write(home.path("proxy-ca.crt"), authority.certificate()).unwrap();
        let backend = Backend::start(&vault, &authority.server("localhost"), &authority);
        Self { home, authority, vault, backend }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.backend.address.port())
    }

    /// Our own certificate, and this section `proxy`.
    fn configure(&self, proxy: &str) {
        self.home.configure_further(&self.url(), "", proxy);
    }

    fn through(&self, proxy: &Proxy) {
        self.configure(&proxy.section("http", &self.home.path("")));
    }

    /// Sends events, and expects each of them once; then no secret in the log.
    async fn expect_delivery(&self, count: u64) {
        let collector = Collector::start(self.home.socket());
        (0..count).for_each(|number| collector.outbox.send(bulky_event(number)));
        collector.finish().await;
        self.expect_events(count);
    }

    fn expect_events(&self, count: u64) {
        until(
            "all events arrived",
            || self.vault.count(Lane::Telemetry) >= usize::try_from(count).unwrap(),
            || (self.vault.count(Lane::Telemetry), self.home.log()),
        );
        let numbers = event_numbers(&self.vault.records(Lane::Telemetry));
        assert_eq!(numbers, (0..count).collect::<Vec<_>>());
        self.expect_no_secret();
    }

    fn expect_no_secret(&self) {
        let log = self.home.whole_log();
        // The last one is USER:PASSWORD in base64.
        for secret in [PASSWORD, TOKEN, "am9lOmh1bnRlcjItYW5kLW5vLW90aGVy"] {
            assert!(!log.contains(secret), "a secret is in the log:\n{log}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_pass_squid_with_user_and_password() {
    let (stage, proxy) = (Stage::new(), Proxy::squid());
    stage.through(&proxy);
    let publisher = stage.home.start();
    stage.expect_delivery(5000).await;
    publisher.wait_until_ready();
    publisher.stop();
    let tunnel = format!("CONNECT localhost:{} {USER}", stage.backend.address.port());
    until("squid logged the tunnel", || proxy.log().contains(&tunnel), || proxy.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_pass_squid_over_tls() {
    let stage = Stage::new();
    let proxy = Proxy::squid_over_tls(&stage.authority);
    stage.configure(&proxy.section("https", &stage.home.path("")));
    fs::write(stage.home.path("proxy-ca.crt"), Authority::named("Another").certificate()).unwrap();
    let publisher = stage.home.start();
    publisher.wait_until_not_ready(&["TLS handshake with the proxy", "proxy.ca_file"]);
    fs::write(stage.home.path("proxy-ca.crt"), stage.authority.certificate()).unwrap();
    stage.expect_delivery(5000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told_without_it_and_mended_under_the_running_publisher() {
    let (stage, proxy) = (Stage::new(), Proxy::squid());
    fs::write(stage.home.path("proxy-password"), "hunter3").unwrap();
    stage.through(&proxy);
    let publisher = stage.home.start();
    publisher.wait_until_not_ready(&[
        "refused the user and password",
        "407",
        "proxy.password_file",
    ]);
    assert!(!stage.home.whole_log().contains("hunter3"), "{}", stage.home.whole_log());
    fs::write(stage.home.path("proxy-password"), PASSWORD).unwrap();
    stage.expect_delivery(100).await;
}

#[test]
fn a_proxy_that_wants_a_user_says_so() {
    let (stage, proxy) = (Stage::new(), Proxy::squid());
    stage.configure(&format!("proxy: {{ url: \"http://localhost:{}\" }}", proxy.port));
    let publisher = stage.home.start();
    publisher.wait_until_not_ready(&["wants a user and password (407)", "proxy.username_file"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_pass_tinyproxy_that_the_environment_names() {
    let stage = Stage::new();
    let proxy = Proxy::tinyproxy(stage.backend.address.port());
    stage.configure("");
    let url = format!("http://{USER}:{PASSWORD}@127.0.0.1:{}", proxy.port);
    let publisher = stage.home.start_in(&[("HTTPS_PROXY", &url), ("NO_PROXY", "elsewhere")]);
    stage.expect_delivery(5000).await;
    publisher.wait_until_ready();
    assert!(proxy.log().contains("CONNECT localhost"), "{}", proxy.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_proxy_leads_past_the_proxy() {
    let stage = Stage::new();
    let proxy = Proxy::tinyproxy(stage.backend.address.port());
    let url = format!("http://127.0.0.1:{}", proxy.port);
    let exception = format!("localhost:{}", stage.backend.address.port());
    stage.configure("");
    let publisher = stage.home.start_in(&[("https_proxy", &url), ("no_proxy", &exception)]);
    stage.expect_delivery(100).await;
    publisher.stop();
    stage.configure(&format!("proxy: {{ url: \"{url}\", no_proxy: [\"localhost\"] }}"));
    let publisher = stage.home.start();
    publisher.wait_until_ready();
    assert!(!proxy.log().contains("CONNECT localhost"), "{}", proxy.log());
}

#[test]
fn a_proxy_that_forbids_the_backend_says_so() {
    let (stage, proxy) = (Stage::new(), Proxy::tinyproxy(1));
    stage.through(&proxy);
    let publisher = stage.home.start();
    publisher.wait_until_not_ready(&["refuses to connect", "403", "proxy.no_proxy"]);
    stage.expect_no_secret();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_passes_a_proxy_that_inspects_tls() {
    let stage = Stage::taking_tokens();
    let proxy = Proxy::mitmproxy(&stage.authority);
    let section = proxy.section("http", &stage.home.path(""));
    stage.home.configure_token(&stage.url(), &section);
    let publisher = stage.home.start();
    publisher.wait_until_not_ready(&["not trusted", "backend.ca_file", "inspects TLS"]);
    let both = format!("{}{}", stage.authority.certificate(), proxy.authority());
    fs::write(stage.home.path("ca.crt"), both).unwrap();
    stage.expect_delivery(5000).await;
    publisher.wait_until_ready();
    publisher.stop();
    let request = "/defender.v1.Ingest/Publish HTTP/2.0";
    until("the proxy read the request", || proxy.log().contains(request), || proxy.log());
}

#[test]
fn a_certificate_does_not_pass_a_proxy_that_inspects_tls_and_the_way_out_is_told() {
    for stage in [Stage::new(), Stage::taking_tokens()] {
        let proxy = Proxy::mitmproxy(&stage.authority);
        stage.through(&proxy);
        fs::write(stage.home.path("ca.crt"), proxy.authority()).unwrap();
        let publisher = stage.home.start();
        publisher.wait_until_not_ready(&["inspects TLS", "set backend.token_file"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_dies_in_between_costs_no_event() {
    let (stage, mut proxy) = (Stage::new(), Proxy::squid());
    stage.through(&proxy);
    let publisher = stage.home.start();
    let collector = Collector::start(stage.home.socket());
    for round in 0..3_u64 {
        let before = stage.vault.count(Lane::Telemetry);
        (round * 4000..(round + 1) * 4000).for_each(|it| collector.outbox.send(bulky_event(it)));
        until("more came", || stage.vault.count(Lane::Telemetry) > before, || stage.home.log());
        proxy.kill();
        publisher.wait_until_not_ready(&["[-]backend"]);
        proxy.run();
    }
    collector.finish().await;
    stage.expect_events(12_000);
}

/// What listens where the proxy should: it answers each caller with these bytes, and hangs up where there are any.
fn expect_of(answer: &'static [u8], words: &[&str]) {
    let stage = Stage::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    stage.configure(&format!("proxy: {{ url: \"http://{}\" }}", listener.local_addr().unwrap()));
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer);
            if answer.is_empty() {
                held.push(stream);
            }
        }
    });
    let mut publisher = stage.home.start();
    publisher.wait_until_not_ready(words);
    expect_alive(&mut publisher);
}

fn expect_alive(publisher: &mut Publisher<'_>) {
    assert!(publisher.is_running(), "the publisher ended");
}

#[test]
fn a_proxy_that_hangs_is_given_up() {
    expect_of(b"", &["did not answer within 10 s", "asking the proxy for a connection"]);
}

#[test]
fn what_is_no_proxy_is_told_apart() {
    expect_of(b"SSH-2.0-OpenSSH_9.2\r\n", &["is no HTTP proxy"]);
}

#[test]
fn an_answer_without_end_is_given_up() {
    static ENDLESS: [u8; 1 << 20] = [b'a'; 1 << 20];
    expect_of(&ENDLESS, &["is no HTTP proxy"]);
}

#[test]
fn a_proxy_that_wants_another_authentication_is_told() {
    let answer =
        b"HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n";
    expect_of(answer, &["another authentication than Basic", "Negotiate, NTLM"]);
}
