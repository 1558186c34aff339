//! Damage to the spool's files.

use crate::backend::{Backend, Vault};
use crate::certificates::Authority;
use crate::collector::{Collector, bulky_event, event_numbers};
use crate::process::Home;
use crate::waiting::until;
use event_model::{Lane, LossReason};
use std::fs;

/// Records in one batch of a collector, at most.
const LARGEST_BATCH: u64 = 4096;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_segment_costs_only_what_is_damaged_and_that_is_reported() {
    let (home, authority, vault) = (Home::new(), Authority::new(), Vault::new());
    home.trust(&authority, &authority.client());
    let backend = Backend::start(&vault, &authority.server("localhost"), &authority);
    let address = backend.address;
    backend.kill();
    home.configure(&format!("https://localhost:{}", address.port()), "64MiB");
    let publisher = home.start();
    let collector = Collector::start(home.socket());
    let total = 10_000;
    for number in 0..total {
        collector.outbox.send(bulky_event(number));
    }
    collector.finish().await;
    publisher.kill();
    let segment = home.segments("telemetry").remove(0);
    let mut content = fs::read(&segment).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 0xff;
    fs::write(&segment, content).unwrap();

    let publisher = home.start();
    let _backend = Backend::start_at(address, &vault, &authority.server("localhost"), &authority);
    until("the loss is reported", || !vault.losses().is_empty(), || home.log());
    let losses = vault.losses();
    assert_eq!(losses.len(), 1, "{losses:?}");
    assert_eq!((losses[0].lane, losses[0].reason), (Lane::Telemetry, LossReason::SpoolCorrupt));
    let expected = usize::try_from(total - losses[0].count).unwrap();
    assert!(losses[0].count <= LARGEST_BATCH, "more than the damaged batch is lost: {losses:?}");
    until(
        "the others arrived",
        || vault.count(Lane::Telemetry) == expected,
        || vault.count(Lane::Telemetry),
    );
    assert!(event_numbers(&vault.records(Lane::Telemetry)).is_sorted());
    assert_eq!(home.corrupt_files("telemetry").len(), 1, "the damaged file was not set aside");
    publisher.wait_until_ready();
}
