//! A long outage in short: all lanes beyond the spool's bound, what is dropped in which order, and that the accounts
//! of all of them are exact once the backend is there again.

use crate::backend::{Backend, Vault};
use crate::certificates::Authority;
use crate::collector::{Collector, bulky_event, bulky_status};
use crate::process::{Home, Publisher};
use crate::waiting::until;
use event_model::{
    Host, Inventory, InventoryKind, InventorySubject, Lane, LossReason, Record, Timestamp,
};
use std::time::Instant;
use uuid::Uuid;

const ALERTS: u64 = 8;

/// Four kibibytes that a compressor makes half as small.
fn bulk() -> String {
    (0..128).map(|_| Uuid::new_v4().simple().to_string()).collect()
}

fn bulky_host() -> Record {
    Record::Host(Host { hostname: bulk(), ..Host::default() })
}

fn bulky_inventory() -> Record {
    Record::Inventory(Box::new(Inventory {
        subject: InventorySubject::Node,
        kind: InventoryKind::Packages,
        scanned_at: Timestamp(1),
        changed: Vec::new(),
        removed: (0..64).map(|_| Uuid::new_v4()).collect(),
        snapshot_items: None,
    }))
}

fn dropped(publisher: &Publisher<'_>, lane: Lane) -> u64 {
    let lane = lane.name();
    publisher.metric(&format!(
        "defender_spool_dropped_total{{lane=\"{lane}\",reason=\"spool_full\",destination=\"backend\"}}"
    ))
}

fn bytes(publisher: &Publisher<'_>, lane: Lane) -> u64 {
    publisher.metric(&format!("defender_spool_bytes{{lane=\"{}\"}}", lane.name()))
}

/// Hands records of a lane over, and waits until the publisher has `total` of it and has answered.
async fn send(
    home: &Home,
    publisher: &Publisher<'_>,
    lane: Lane,
    records: Vec<Record>,
    total: u64,
) {
    let collector = Collector::start(home.socket());
    for record in records {
        collector.outbox.send(record);
    }
    let received = format!("defender_records_received_total{{lane=\"{}\"}}", lane.name());
    until("all were received", || publisher.metric(&received) >= total, || home.log());
    collector.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_days_outage_costs_the_least_worthy_first_and_all_that_is_lost_is_reported() {
    let (home, authority, vault) = (Home::new(), Authority::new(), Vault::new());
    home.trust(&authority, &authority.client());
    let backend = Backend::start(&vault, &authority.server("localhost"), &authority);
    let address = backend.address;
    backend.kill();
    home.configure(&format!("https://localhost:{}", address.port()), "8MiB");
    let publisher = home.start();

    let sent = [(Lane::Entity, 1000 + 9000), (Lane::Inventory, 1000), (Lane::Telemetry, 90_000)];
    let hosts = |count| (0..count).map(|_| bulky_host()).collect();
    let alerts = (0..ALERTS).map(|_| bulky_status()).collect();
    send(&home, &publisher, Lane::Alert, alerts, ALERTS).await;
    send(&home, &publisher, Lane::Entity, hosts(1000), 1000).await;
    let inventories = (0..1000).map(|_| bulky_inventory()).collect();
    send(&home, &publisher, Lane::Inventory, inventories, 1000).await;
    let events = (0..90_000).map(bulky_event).collect();
    send(&home, &publisher, Lane::Telemetry, events, 90_000).await;
    assert!(dropped(&publisher, Lane::Telemetry) > 0, "the bound was never reached");
    for lane in [Lane::Alert, Lane::Entity, Lane::Inventory] {
        assert_eq!(dropped(&publisher, lane), 0, "{lane} was dropped while there was telemetry");
    }
    // More of a worthier lane than there is room for: all that is less worthy goes, then its own oldest.
    send(&home, &publisher, Lane::Entity, hosts(9000), 10_000).await;
    until(
        "the least worthy made room",
        || bytes(&publisher, Lane::Telemetry) == 0 && bytes(&publisher, Lane::Inventory) == 0,
        || home.log(),
    );
    assert!(dropped(&publisher, Lane::Entity) > 0);
    assert_eq!(dropped(&publisher, Lane::Alert), 0, "an alert was dropped while there were others");

    let begun = Instant::now();
    let _backend = Backend::start_at(address, &vault, &authority.server("localhost"), &authority);
    let reported = |lane: Lane| -> u64 {
        let of_lane = vault.losses().into_iter().filter(|loss| loss.lane == lane);
        of_lane
            .inspect(|loss| assert_eq!(loss.reason, LossReason::SpoolFull))
            .map(|it| it.count)
            .sum()
    };
    let account = |lane: Lane| (vault.count(lane) as u64, reported(lane));
    for (lane, sent) in sent {
        until(
            &format!("what arrived and what is reported lost of the {lane} lane add up to {sent}"),
            || account(lane).0 + account(lane).1 == sent,
            || (account(lane), home.log()),
        );
    }
    let alerts = vault.statuses().into_iter();
    let alerts = alerts.filter(|status| status.problems.iter().any(|it| it.len() > 65_536));
    until("every alert arrived", || alerts.clone().count() as u64 == ALERTS, || home.log());
    let drained = begun.elapsed();
    for (lane, sent) in sent {
        let (delivered, lost) = account(lane);
        println!(
            "shown: outage: {lane}: {sent} sent = {delivered} delivered + {lost} reported lost"
        );
    }
    println!("shown: outage: 8 MiB drained in {:.1} s", drained.as_secs_f64());
}
