//! A Lease that others write, that nobody may use, that one cannot reach.

use crate::lease::{
    LEASE, LEASES, expect_holder, expect_some_holder, tamper, tamper_with_delivered,
};
use crate::poll::poll;
use crate::replica::{Replica, SHORT};
use crate::site::Site;
use api_server::{ApiServer, Effect, Trouble};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_cannot_reach_the_server_is_followed_and_knows_it() {
    let mut site = Site::start(SHORT).await;
    let server = site.server.clone();
    let (leader, standby) = site.both();
    leader.road.cut();
    leader.expect_log("leads no longer").await;
    expect_holder(&server, standby.name).await;
    leader.expect_unready("no collector-misc is known to lead by the Lease default/").await;
    leader.road.mend();
    leader.expect_ready("stands by").await;
    site.expect_warm().await;
    site.expect_every_state().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_somebody_deletes_is_made_again() {
    let site = Site::start(SHORT).await;
    for _ in 0..3 {
        site.server.change(|store| store.delete(LEASES, LEASE));
        expect_some_holder(&site.server).await;
    }
    site.expect_warm().await;
    site.expect_every_state().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_in_which_somebody_wrote_another_name_is_taken_back_when_it_is_over() {
    let mut site = Site::start(SHORT).await;
    let server = site.server.clone();
    tamper(&server, |lease| {
        lease["spec"] = json!({"holderIdentity": "nobody knows", "leaseDurationSeconds": 15});
        lease["metadata"]["annotations"] = json!({"defender/delivered": "[\u{1}"});
    });
    site.replicas[0].expect_ready("stands by; nobody knows leads").await;
    site.replicas[1].expect_ready("stands by; nobody knows leads").await;
    expect_some_holder(&server).await;
    site.expect_warm().await;
    let (leader, standby) = site.both();
    leader.kill();
    expect_holder(&server, standby.name).await;
    site.expect_every_state().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_old_or_broken_word_of_the_leader_leaves_in_doubt_is_sent_again() {
    for word in [r#"{"node":"worker-1","through":{"Pod":1}}"#, "", "{\"through\": 7}"] {
        let mut site = Site::start(SHORT).await;
        let server = site.server.clone();
        let (leader, standby) = site.both();
        leader.kill();
        tamper_with_delivered(&server, word);
        expect_holder(&server, standby.name).await;
        site.expect_every_state().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_leases_are_forbidden_all_is_sent_and_that_is_told() {
    let server = ApiServer::start();
    server.trouble(Trouble::of("", "leases", Effect::Forbidden));
    let uid = server
        .change(|store| store.create("pods", json!({"metadata": {"name": "shop-1"}, "spec": {}})));
    let replica = Replica::start(&server, "misc-1", "worker-1", SHORT).await;
    poll("the pod", || {
        let objects = replica.publisher.objects();
        let is_there = objects.iter().any(|object| object.uid == uid);
        if is_there { Ok(()) } else { Err(replica.log()) }
    })
    .await;
    replica.expect_ready("leading without the Lease").await;
    poll("a status that tells the way out", || {
        let status = replica.publisher.last_status();
        let problems = status.map(|status| status.problems).unwrap_or_default();
        let is_told =
            problems.iter().any(|problem| problem.contains("grant get, create and update"));
        if is_told { Ok(()) } else { Err(format!("{problems:?}")) }
    })
    .await;
    server.calm();
    replica.expect_ready("[+]leadership ready: leads").await;
    expect_holder(&server, "misc-1").await;
}
