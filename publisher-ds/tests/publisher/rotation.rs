//! Certificates, authorities and tokens are replaced under load: the publisher makes a new connection before it lets
//! the old one go, and nothing is lost or waits.

use crate::backend::{Backend, Vault};
use crate::certificates::{Authority, Pair};
use crate::collector::{Collector, bulky_event, event_numbers};
use crate::process::{Home, Publisher};
use crate::waiting::PATIENCE;
use event_model::Lane;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const RENEWED: &str = "defender_egress_renewals_total{reason=\"files\",outcome=\"done\"}";
const NOT_RENEWED: &str = "defender_egress_renewals_total{reason=\"files\",outcome=\"failed\"}";

/// A collector that never stops sending, and what it sent.
struct Load {
    collector: Collector,
    sent: u64,
}

impl Load {
    fn new(home: &Home) -> Self {
        Self { collector: Collector::start(home.socket()), sent: 0 }
    }

    /// Sends until `is_so`.
    async fn until(&mut self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "waited in vain until {what}");
            for _ in 0..20 {
                self.collector.outbox.send(bulky_event(self.sent));
                self.sent += 1;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Sends until the connection was renewed as often.
    async fn until_renewed(&mut self, times: u64, publisher: &Publisher<'_>) {
        let what = format!("the connection was renewed {times} times");
        self.until(&what, || publisher.metric(RENEWED) >= times).await;
    }

    /// Ends, and expects each event once; gives their count.
    async fn expect_all(self, vault: &Arc<Vault>, home: &Home) -> u64 {
        self.collector.finish().await;
        let count = usize::try_from(self.sent).unwrap();
        crate::waiting::until(
            "all events arrived",
            || vault.count(Lane::Telemetry) >= count,
            || (vault.count(Lane::Telemetry), count, home.log()),
        );
        let numbers = event_numbers(&vault.records(Lane::Telemetry));
        assert_eq!(numbers, (0..self.sent).collect::<Vec<_>>());
        self.sent
    }
}

/// As Kubernetes does it: written beside and renamed.
fn replace(path: &Path, content: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, content).unwrap();
    fs::rename(beside, path).unwrap();
}

fn put(home: &Home, pair: &Pair) {
    replace(&home.path("tls.crt"), &pair.certificate);
    replace(&home.path("tls.key"), &pair.key);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_key_and_authority_are_replaced_under_load_and_nothing_is_lost() {
    let (home, vault) = (Home::new(), Vault::new());
    let (old, new) = (Authority::named("The old one"), Authority::named("The new one"));
    home.trust(&old, &old.client());
    let backend = Backend::start(&vault, &old.server("localhost"), &old);
    home.configure(&format!("https://localhost:{}", backend.address.port()), "64MiB");
    let publisher = home.start();
    let mut load = Load::new(&home);
    load.until("the first event arrived", || vault.count(Lane::Telemetry) > 0).await;

    // A certificate whose key is not there yet: the old connection stays, and carries.
    let next = old.client();
    replace(&home.path("tls.crt"), &next.certificate);
    load.until("half a pair was refused", || publisher.metric(NOT_RENEWED) >= 1).await;
    let before = vault.count(Lane::Telemetry);
    load.until("more came all the same", || vault.count(Lane::Telemetry) > before + 200).await;
    assert_eq!(publisher.metric(RENEWED), 0, "half a pair was taken");
    replace(&home.path("tls.key"), &next.key);
    load.until_renewed(1, &publisher).await;

    // Both sides trust both authorities; then have certificates of the new one; then trust it alone.
    replace(&home.path("ca.crt"), &format!("{}{}", old.certificate(), new.certificate()));
    backend.renew(&old.server("localhost"), &[&old, &new]);
    load.until_renewed(2, &publisher).await;
    put(&home, &new.client());
    load.until_renewed(3, &publisher).await;
    backend.renew(&new.server("localhost"), &[&old, &new]);
    replace(&home.path("ca.crt"), &new.certificate());
    backend.renew(&new.server("localhost"), &[&new]);
    load.until_renewed(4, &publisher).await;

    let reconnects = publisher.metric_sum("defender_egress_reconnects_total");
    let dropped = publisher.metric_sum("defender_spool_dropped_total");
    let (welcomes, failed) = (vault.welcomes(), vault.failed_handshakes());
    let sent = load.expect_all(&vault, &home).await;
    println!(
        "rotation: {sent} events sent, {sent} stored once each, {dropped} dropped; {welcomes} connections welcomed, \
         {failed} handshakes failed, {reconnects} connections lost"
    );
    assert_eq!((dropped, reconnects), (0, 0), "{}", home.log());
    assert!(failed <= 1, "{failed} handshakes failed:\n{}", home.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_replaced_under_load_and_nothing_is_lost() {
    let (home, vault, authority) = (Home::new(), Vault::new(), Authority::new());
    vault.take_token("dGhlIGZpcnN0IHRva2Vu");
    home.trust(&authority, &authority.client());
    fs::write(home.path("token"), "dGhlIGZpcnN0IHRva2Vu\n").unwrap();
    let backend = Backend::start(&vault, &authority.server("localhost"), &authority);
    home.configure_token(&format!("https://localhost:{}", backend.address.port()), "");
    let publisher = home.start();
    let mut load = Load::new(&home);
    load.until("the first event arrived", || vault.count(Lane::Telemetry) > 0).await;
    vault.take_token("dGhlIHNlY29uZCB0b2tlbg==");
    replace(&home.path("token"), "dGhlIHNlY29uZCB0b2tlbg==\n");
    load.until_renewed(1, &publisher).await;
    assert_eq!(publisher.metric_sum("defender_egress_reconnects_total"), 0, "{}", home.log());
    load.expect_all(&vault, &home).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_that_does_not_fit_leaves_the_old_connection() {
    let (home, vault, authority) = (Home::new(), Vault::new(), Authority::new());
    home.trust(&authority, &authority.client());
    let backend = Backend::start(&vault, &authority.server("localhost"), &authority);
    home.configure(&format!("https://localhost:{}", backend.address.port()), "64MiB");
    let publisher = home.start();
    let mut load = Load::new(&home);
    load.until("the first event arrived", || vault.count(Lane::Telemetry) > 0).await;
    replace(&home.path("ca.crt"), &Authority::named("Another").certificate());
    load.until("it was not renewed", || publisher.metric(NOT_RENEWED) >= 1).await;
    let before = vault.count(Lane::Telemetry);
    load.until("more came all the same", || vault.count(Lane::Telemetry) > before + 200).await;
    publisher.wait_until_ready();
    assert!(home.whole_log().contains("the old one stays"), "{}", home.log());
    assert_eq!(publisher.metric_sum("defender_egress_reconnects_total"), 0, "{}", home.log());
    load.expect_all(&vault, &home).await;
}
