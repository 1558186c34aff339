//! Leaders that are told to end, and replicas that begin.

use crate::lease::{LEASE, LEASES, expect_holder};
use crate::replica::{Durations, SHORT};
use crate::site::Site;

/// So long that only a Lease that is given back can be taken within a test.
const LONG: Durations = Durations { lease: 250, renew_deadline: 200, retry: 5 };

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_told_to_end_hands_over_at_once_and_leaves_nothing_behind() {
    let mut site = Site::start(LONG).await;
    let server = site.server.clone();
    for _ in 0..3 {
        let (leader, standby) = site.both();
        let status = leader.terminate().await;
        assert!(status.success(), "{status}: {}", leader.log());
        leader.expect_log("gave the Lease back").await;
        expect_holder(&server, standby.name).await;
        let (_, ended) = site.both();
        ended.start_again();
        site.expect_warm().await;
    }
    site.expect_every_state().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_ends_disturbs_nobody_and_has_sent_no_object() {
    let mut site = Site::start(SHORT).await;
    let (leader, standby) = site.both();
    let leader = leader.name;
    assert!(standby.terminate().await.success());
    assert_eq!(standby.publisher.senders_of_objects(), 0);
    standby.start_again();
    site.expect_warm().await;
    expect_holder(&site.server, leader).await;
    site.expect_every_state().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_begin_at_once_one_leads() {
    let mut site = Site::start(SHORT).await;
    let server = site.server.clone();
    let (leader, standby) = site.both();
    leader.expect_ready("[+]leadership ready: leads").await;
    standby.expect_ready(&format!("[+]leadership ready: stands by; {}_", leader.name)).await;
    for (replica, leads) in [(&*leader, 1), (&*standby, 0)] {
        replica.expect_metric(&format!("defender_leader {leads}")).await;
    }
    let transitions = server.look(|store| store.get(LEASES, LEASE)).unwrap();
    assert_eq!(transitions["spec"]["leaseTransitions"], 1);
    assert_eq!(standby.publisher.senders_of_objects(), 0);
    site.expect_every_state().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_another_node_all_objects_are_sent_again() {
    let mut site = Site::start_on(["worker-1", "worker-2"], SHORT).await;
    let server = site.server.clone();
    let uid = server.change(|store| {
        store.create("pods", serde_json::json!({"metadata": {"name": "quiet"}, "spec": {}}))
    });
    site.expect_warm().await;
    let (leader, standby) = site.both();
    leader.kill();
    expect_holder(&server, standby.name).await;
    crate::poll::poll("quiet pod from the second node, too", || {
        let objects = standby.publisher.objects();
        let is_there = objects.iter().any(|object| object.uid == uid);
        if is_there { Ok(()) } else { Err(format!("{} objects\n{}", objects.len(), standby.log())) }
    })
    .await;
}
