//! Bounds of the publisher's side that hold against any peer.

use crate::refusals::{Raw, greet};
use crate::support::*;
use event_model::Lane;
use node_link::{LinkConfig, ListenConfig, connect};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use tokio_util::sync::CancellationToken;
use tonic::Code;

#[tokio::test]
async fn more_collectors_than_configured_are_told_which_key_to_raise() {
    let scratch = Scratch::new();
    let config = ListenConfig { maximum_connections: 2, ..listen_on(scratch.socket()) };
    let _publisher = Publisher::start(config, Shelf::new());
    let mut first = Raw::connect(&scratch.socket()).await;
    let mut second = Raw::connect(&scratch.socket()).await;
    first.greeted(greet(1, 1)).await.unwrap();
    second.greeted(greet(1, 1)).await.unwrap();
    let mut third = Raw::connect(&scratch.socket()).await;
    let refused = third.greeted(greet(1, 1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().contains("listen.maximum_connections"), "{refused}");
    drop(first);
    // Its place is free once the publisher has seen the end of the connection.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let mut fourth = Raw::connect(&scratch.socket()).await;
        match fourth.greeted(greet(1, 1)).await {
            Ok(_) => break,
            Err(status) => assert!(tokio::time::Instant::now() < deadline, "{status}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn one_user_takes_no_other_s_places() {
    let scratch = Scratch::new();
    let config = ListenConfig { maximum_connections_per_uid: 1, ..listen_on(scratch.socket()) };
    let _publisher = Publisher::start(config, Shelf::new());
    let mut first = Raw::connect(&scratch.socket()).await;
    first.greeted(greet(1, 1)).await.unwrap();
    let mut second = Raw::connect(&scratch.socket()).await;
    let refused = second.greeted(greet(1, 1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().contains("listen.maximum_connections_per_uid"), "{refused}");
}

#[tokio::test]
async fn a_peer_that_sends_faster_than_allowed_waits_alone_and_loses_nothing() {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    let config = ListenConfig { bytes_per_second: 64 << 10, ..listen_on(scratch.socket()) };
    let _publisher = Publisher::start(config, shelf.clone());
    let mut hasty = Raw::connect(&scratch.socket()).await;
    let source = description();
    hasty.greeted(crate::refusals::greet_as(&source)).await.unwrap();
    // Each counts for half a kilobyte at least: these are more than what a rest saves up.
    for number in 1..=4500 {
        let batch = proto::encode_batch(source.id, Lane::Telemetry, number, &[event(number)]);
        hasty.send_envelope(batch.unwrap().into());
    }
    until("it is slowed down", || counted("defender_link_throttled_total{}") > 0, all_counted)
        .await;
    assert!(shelf.count(Lane::Telemetry) < 4500, "all was read at once");
    let mut honest = Raw::connect(&scratch.socket()).await;
    honest.greeted(greet(1, 2)).await.unwrap();
    until("all came", || shelf.count(Lane::Telemetry) == 4500, || shelf.count(Lane::Telemetry))
        .await;
}

#[tokio::test]
async fn a_peer_of_another_cgroup_is_refused_and_told_where_it_runs() {
    let scratch = Scratch::new();
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let allow = |cgroup: &str| ListenConfig {
        allowed_cgroups: vec![cgroup.into()],
        ..listen_on(scratch.socket())
    };
    let publisher =
        Publisher::start(allow("/system.slice/defender-collector.service"), Shelf::new());
    let mut raw = Raw::connect(&scratch.socket()).await;
    let refused = raw.greeted(greet(1, 2)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let found = refused.message().rsplit(' ').next().unwrap();
    assert!(refused.message().contains("listen.allowed_cgroups"), "{refused}");
    assert!(own.contains(found), "{found} is none of {own}");
    publisher.kill();
    let _publisher = Publisher::start(allow(found), Shelf::new());
    Raw::connect(&scratch.socket()).await.greeted(greet(1, 2)).await.unwrap();
}

#[tokio::test]
async fn garbage_is_cut_off_counted_and_harms_nobody() {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    let _publisher = Publisher::start(listen_on(scratch.socket()), shelf.clone());
    let before = counted("defender_link_refused_total{reason=\"not_grpc\"}");
    for _ in 0..20 {
        let mut stream = UnixStream::connect(scratch.socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let junk: Vec<u8> =
            (0..4096_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let _ = stream.write_all(&junk);
        // The publisher hangs up; what it may have said before (a GOAWAY) does not matter.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    until(
        "twenty peers were counted",
        || counted("defender_link_refused_total{reason=\"not_grpc\"}") >= before + 20,
        all_counted,
    )
    .await;
    let source = description();
    let (outbox, link) =
        connect(LinkConfig { socket: scratch.socket(), queue_bytes: 1 << 20 }, source);
    let task = tokio::spawn(link.run(CancellationToken::new()));
    outbox.send(event(1));
    until("an honest collector is served", || !shelf.records(Lane::Telemetry).is_empty(), || ())
        .await;
    task.abort();
}

#[tokio::test]
async fn a_peer_that_never_reads_its_answers_stops_only_itself() {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    let _publisher = Publisher::start(listen_on(scratch.socket()), shelf.clone());
    let mut deaf = Raw::connect(&scratch.socket()).await;
    let source = description();
    deaf.greeted(crate::refusals::greet_as(&source)).await.unwrap();
    for number in 1..=2000 {
        let batch = proto::encode_batch(source.id, Lane::Telemetry, number, &[event(number)]);
        deaf.send_envelope(batch.unwrap().into());
    }
    let honest = description();
    let (outbox, link) =
        connect(LinkConfig { socket: scratch.socket(), queue_bytes: 1 << 20 }, honest);
    let task = tokio::spawn(link.run(CancellationToken::new()));
    outbox.send(entity(1));
    until("an honest collector is served", || shelf.records(Lane::Entity).len() == 1, || ()).await;
    task.abort();
}

#[tokio::test]
async fn of_a_peer_that_was_refused_and_went_away_nothing_is_kept_while_the_disk_is_full() {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    shelf.close(Lane::Telemetry);
    let _publisher = Publisher::start(listen_on(scratch.socket()), shelf.clone());
    for _ in 0..5 {
        let mut raw = Raw::connect(&scratch.socket()).await;
        let source = description();
        raw.greeted(crate::refusals::greet_in(&source, 1..=1)).await.unwrap();
        let batch = proto::encode_batch(source.id, Lane::Telemetry, 1, &[event(1)]).unwrap();
        let before = shelf.arrivals().len();
        raw.send_envelope(batch.into());
        until("it came", || shelf.arrivals().len() > before, || ()).await;
        raw.send_envelope(proto::wire::Envelope::default());
        until(
            "one is refused",
            || counted("defender_link_refused_total{reason=\"malformed\"}") > 0,
            all_counted,
        )
        .await;
    }
    until(
        "nobody waits any more",
        || shelf.waiting(Lane::Telemetry) == 0,
        || shelf.waiting(Lane::Telemetry),
    )
    .await;
}

#[tokio::test]
async fn of_tiny_envelopes_no_more_are_taken_at_once_than_of_large_ones() {
    let scratch = Scratch::new();
    let shelf = Shelf::new();
    shelf.close(Lane::Telemetry);
    let _publisher = Publisher::start(listen_on(scratch.socket()), shelf.clone());
    let mut hasty = Raw::connect(&scratch.socket()).await;
    let source = description();
    hasty.greeted(crate::refusals::greet_as(&source)).await.unwrap();
    for number in 1..=5000 {
        let batch = proto::encode_batch(source.id, Lane::Telemetry, number, &[event(number)]);
        hasty.send_envelope(batch.unwrap().into());
    }
    let waiting = || shelf.waiting(Lane::Telemetry);
    until("many wait", || waiting() >= 1000, waiting).await;
    // Whatever else it would have read, it would have read before it answered these.
    for _ in 0..50 {
        Raw::connect(&scratch.socket()).await.greeted(greet(1, 1)).await.unwrap();
    }
    assert!(waiting() <= 1024, "{} envelopes wait", waiting());
    shelf.open(Lane::Telemetry);
    until("all came", || shelf.count(Lane::Telemetry) == 5000, || shelf.count(Lane::Telemetry))
        .await;
}
