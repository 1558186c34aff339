use crate::authority::Authority;
use crate::publisher::{Publisher, channel, hello, hello_of};
use crate::records::{alert, numbered, status};
use crate::running::{Backend, PATIENCE};
use event_model::{Component, Lane, Priority, Record, SourceId};
use proto::wire::{self, to_backend::Message};
use std::time::{Duration, Instant};
use tonic::Code;

#[tokio::test]
async fn what_a_publisher_sends_is_acknowledged_and_shown() {
    let backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let source = SourceId::generate();
    publisher.send(source, 1, &[numbered(1), numbered(2)]).await;
    publisher.acknowledged(Lane::Telemetry, 2).await;
    publisher.send(source, 1, &[status(source, Component::CollectorDs, &[])]).await;
    publisher.acknowledged(Lane::Alert, 1).await;
    let events = backend.all("/api/v1/events").await;
    assert_eq!(events.len(), 2, "{events:#?}");
    assert_eq!(events[0]["node"], "node-1", "the node is the certificate's");
    assert_eq!(events[0]["cluster"], "test");
    let sensors = backend.all("/api/v1/sensors").await;
    let components: Vec<_> =
        sensors.iter().map(|sensor| sensor["component"].as_str().unwrap()).collect();
    assert_eq!(components, ["collector-ds", "publisher-ds"]);
    assert!(sensors.iter().all(|sensor| sensor["node"] == "node-1"), "{sensors:#?}");
    for line in [
        "defender_ingest_records_total{lane=\"telemetry\"} 2",
        "defender_ingest_batches_total{lane=\"telemetry\",outcome=\"stored\"} 1",
        "defender_ingest_connections 1",
        "defender_store_commit_seconds_count",
    ] {
        backend.expect_metric(line).await;
    }
}

#[tokio::test]
async fn only_certificates_of_the_right_authority_are_let_in() {
    let backend = Backend::start().await;
    let authority = &backend.authority;
    for (identity, reason) in [
        (None, "peer sent no certificates"),
        (Some(Authority::new().publisher("node-1")), "BadSignature"),
        (Some(authority.expired("node-1")), "expired"),
    ] {
        let connected = Publisher::connect_as(&backend, identity.as_ref()).await;
        assert!(connected.is_err(), "let in, though: {reason}");
        // In TLS 1.3 the client learns it late or not at all: the backend's log must say it.
        backend.expect_log(reason).await;
    }
    backend.expect_metric("defender_ingest_rejected_total{reason=\"handshake\"}").await;
    Publisher::connect(&backend, "node-1").await;
}

#[tokio::test]
async fn who_speaks_nothing_newer_than_tls_1_2_is_refused() {
    let backend = Backend::start().await;
    let identity = backend.authority.publisher("node-1");
    let path = |name: &str| backend.folder.path().join(name);
    std::fs::write(path("client.crt"), &identity.certificate).unwrap();
    std::fs::write(path("client.key"), &identity.key).unwrap();
    let connect = |version: &str| {
        let mut command = std::process::Command::new("openssl");
        command.args(["s_client", version, "-alpn", "h2", "-connect"]);
        command.arg(format!("127.0.0.1:{}", backend.ingest_port));
        command.arg("-cert").arg(path("client.crt")).arg("-key").arg(path("client.key"));
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    let (is_let_in, said) = connect("-tls1_2");
    assert!(!is_let_in && said.contains("protocol version"), "{said}");
    let (is_let_in, said) = connect("-tls1_3");
    assert!(is_let_in && said.contains("TLSv1.3"), "{said}");
}

#[tokio::test]
async fn a_certificate_that_names_no_publisher_is_refused_in_words() {
    let backend = Backend::start().await;
    for uri in [
        "spiffe://defender/cluster/test/collector/n",
        "https://example.org",
        "spiffe://defender/cluster//publisher/n",
    ] {
        let identity = backend.authority.with_uri(uri);
        let channel = channel(&backend, Some(&identity)).await.unwrap();
        let Err(status) = Publisher::greet(channel, hello(1, 1)).await else {
            panic!("{uri} was let in")
        };
        assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
        assert!(
            status.message().contains("spiffe://defender/cluster/CLUSTER/publisher/NODE"),
            "{status:?}"
        );
    }
}

#[tokio::test]
async fn a_certificate_that_a_cluster_shares_serves_each_of_its_nodes() {
    let backend = Backend::start().await;
    let by_uri = backend.authority.publisher("any");
    let by_dns_name = backend.authority.with_dns_name("any.publisher.test.defender");
    let mut connected = Vec::new();
    for number in 0..8 {
        let identity = if number % 2 == 0 { &by_uri } else { &by_dns_name };
        let channel = channel(&backend, Some(identity)).await.unwrap();
        let greeting = hello_of(&format!("node-{number}"), 1, 1);
        let mut publisher = Publisher::greet(channel, greeting).await.unwrap();
        publisher.send(SourceId::generate(), 1, &[numbered(number)]).await;
        publisher.acknowledged(Lane::Telemetry, 1).await;
        connected.push(publisher);
    }
    let events = backend.all("/api/v1/events").await;
    let mut nodes: Vec<_> = events.iter().map(|event| event["node"].as_str().unwrap()).collect();
    nodes.sort_unstable();
    let expected: Vec<_> = (0..8).map(|number| format!("node-{number}")).collect();
    assert_eq!(nodes, expected);

    let channel = channel(&backend, Some(&by_uri)).await.unwrap();
    let refused =
        Publisher::greet(channel, hello_of("no name", 1, 1)).await.err().expect("refused");
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("set node.name or NODE_NAME"), "{refused}");
}

#[tokio::test]
async fn a_publisher_of_another_protocol_version_is_told_to_upgrade() {
    let backend = Backend::start().await;
    let identity = backend.authority.publisher("node-1");
    let channel = channel(&backend, Some(&identity)).await.unwrap();
    let Err(status) = Publisher::greet(channel.clone(), hello(7, 9)).await else {
        panic!("let in")
    };
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("upgrade"), "{status:?}");
    let publisher = Publisher::greet(channel, hello(1, 9)).await.unwrap();
    assert_eq!(publisher.welcome.version, 1);
    assert!(publisher.welcome.initial_credit_bytes >= publisher.welcome.maximum_envelope_bytes);
}

#[tokio::test]
async fn what_is_damaged_is_rejected_by_name_and_the_stream_goes_on() {
    let backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let source = SourceId::generate();
    let sound = |first| -> wire::Envelope {
        proto::encode_batch(source, Lane::Telemetry, first, &[numbered(1)]).unwrap().into()
    };
    let largest = usize::try_from(publisher.welcome.maximum_envelope_bytes).unwrap();
    for (envelope, words) in [
        (wire::Envelope { checksum: 7, ..sound(11) }, "checksum"),
        (wire::Envelope { lane: 99, ..sound(12) }, "lane"),
        (wire::Envelope { source_id: vec![1, 2, 3], ..sound(13) }, "source_id"),
        (wire::Envelope { count: 5, ..sound(14) }, "5 records"),
        (
            wire::Envelope { encoding: wire::Encoding::ProtobufZstd.into(), ..sound(15) },
            "decompress",
        ),
        (wire::Envelope { count: 70_000, ..sound(16) }, "at most 65536"),
        (wire::Envelope { count: 0, ..sound(17) }, "no record"),
        (wire::Envelope { lane: wire::Lane::Alert.into(), ..sound(18) }, "alert lane"),
        (wire::Envelope { payload: vec![0; largest + 1].into(), ..sound(19) }, "at most"),
        (wire::Envelope::default(), "source_id"),
    ] {
        let first_sequence = envelope.first_sequence;
        publisher.send_raw(envelope).await;
        let rejection = publisher.rejected().await;
        assert_eq!(rejection.first_sequence, first_sequence, "{rejection:?}");
        assert!(rejection.reason.contains(words), "expected {words:?}, came {rejection:?}");
    }
    publisher.send_raw(sound(20)).await;
    publisher.acknowledged(Lane::Telemetry, 20).await;
    for reason in ["damaged", "malformed", "undecodable", "too_large", "too_many_records"] {
        let line = format!("defender_ingest_rejected_total{{reason=\"{reason}\"}}");
        backend.expect_metric(&line).await;
    }
}

#[tokio::test]
async fn an_envelope_far_too_large_ends_the_stream_and_costs_no_memory() {
    let backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let huge = wire::Envelope { payload: vec![0; 12 << 20].into(), ..wire::Envelope::default() };
    publisher.send_raw(huge).await;
    assert_eq!(publisher.ended().await.code(), Code::OutOfRange);
}

#[tokio::test]
async fn a_publisher_that_ignores_its_credit_is_hung_up_on() {
    let backend = Backend::start_with(|config, _| {
        config["ingest"]["maximum_envelope_bytes"] = "64KiB".into();
    })
    .await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    assert_eq!(publisher.welcome.initial_credit_bytes, 256 << 10);
    let source = SourceId::generate();
    // Not compressible, so that it has its size on the wire.
    let name: String = (0..80_000).map(|_| uuid::Uuid::new_v4().to_string().remove(0)).collect();
    let records = [named(&name)];
    // While another writes to the store, nothing becomes durable and no credit comes back.
    let state = rusqlite::Connection::open(backend.store().join("state.db")).unwrap();
    state.execute_batch("BEGIN IMMEDIATE").unwrap();
    for nth in 0..20 {
        publisher.send(source, 1 + nth, &records).await;
    }
    let status = publisher.ended().await;
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.message().contains("credit"), "{status:?}");
}

fn named(name: &str) -> Record {
    let mut process = crate::records::process(1, None, &["/bin/x"]);
    process.name = name.into();
    Record::Process(Box::new(process))
}

#[tokio::test]
async fn a_second_hello_or_an_empty_message_ends_the_stream_in_words() {
    let backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    publisher.send_message(Message::Hello(wire::Hello::default())).await;
    let status = publisher.ended().await;
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("only envelopes"), "{status:?}");
}

#[tokio::test]
async fn a_node_has_few_streams_at_a_time() {
    let backend = Backend::start().await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(Publisher::connect(&backend, "node-1").await);
    }
    let identity = backend.authority.publisher("node-1");
    let Err(status) = Publisher::connect_as(&backend, Some(&identity)).await else {
        panic!("let in")
    };
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    Publisher::connect(&backend, "node-2").await;
    drop(streams);
    let deadline = Instant::now() + PATIENCE;
    while let Err(status) = Publisher::connect_as(&backend, Some(&identity)).await {
        assert!(Instant::now() < deadline, "{status:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn who_connects_and_says_nothing_takes_no_place_of_another_address() {
    let backend = Backend::start().await;
    let silent = |_| {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        socket.connect(([127, 0, 0, 1], backend.ingest_port).into())
    };
    let _held = futures::future::join_all((0..100).map(silent)).await;
    until_counted(&backend, "too_many_handshakes\"} 36").await;
    let mut honest = Publisher::connect(&backend, "node-1").await;
    honest.send(SourceId::generate(), 1, &[numbered(1)]).await;
    honest.acknowledged(Lane::Telemetry, 1).await;
    until_counted(&backend, "handshake_timeout\"} 64").await;
}

async fn until_counted(backend: &Backend, reason: &str) {
    backend.expect_metric(&format!("defender_ingest_rejected_total{{reason=\"{reason}")).await;
}

const NO_STREAM: &str = "defender_ingest_rejected_total{reason=\"no_stream\"} 1";

#[tokio::test]
async fn a_connection_that_opens_no_stream_loses_its_place() {
    let backend = Backend::start().await;
    let identity = backend.authority.publisher("node-1");
    let mut busy = Publisher::connect(&backend, "node-2").await;
    let _idle = channel(&backend, Some(&identity)).await.unwrap();
    backend.expect_metric(NO_STREAM).await;
    busy.send(SourceId::generate(), 1, &[numbered(1)]).await;
    busy.acknowledged(Lane::Telemetry, 1).await;
}

#[tokio::test]
async fn a_connection_whose_last_stream_ended_loses_its_place() {
    let backend = Backend::start().await;
    let identity = backend.authority.publisher("node-1");
    let connection = channel(&backend, Some(&identity)).await.unwrap();
    drop(Publisher::greet(connection.clone(), hello(1, 1)).await.unwrap());
    backend.expect_metric(NO_STREAM).await;
    drop(connection);
}

#[tokio::test]
async fn renewed_certificates_serve_new_connections_without_a_restart() {
    let mut backend = Backend::start().await;
    let mut old = Publisher::connect(&backend, "node-1").await;
    let renewed = Authority::new();
    let server = renewed.server();
    let both = format!("{}{}", backend.authority.pem, renewed.pem);
    for (name, text) in
        [("tls.crt", &server.certificate), ("tls.key", &server.key), ("ca.crt", &both)]
    {
        std::fs::write(backend.folder.path().join(name), text).unwrap();
    }
    backend.authority = renewed;
    let identity = backend.authority.publisher("node-2");
    let deadline = Instant::now() + PATIENCE;
    while let Err(status) = Publisher::connect_as(&backend, Some(&identity)).await {
        assert!(Instant::now() < deadline, "{status:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    old.send(SourceId::generate(), 1, &[numbered(1)]).await;
    old.acknowledged(Lane::Telemetry, 1).await;
}

#[tokio::test]
async fn an_authority_that_is_taken_out_ends_the_streams_that_it_let_in() {
    let backend = Backend::start().await;
    let (old, new) = (&backend.authority, Authority::new());
    let authorities = backend.folder.path().join("ca.crt");
    std::fs::write(&authorities, format!("{}{}", old.pem, new.pem)).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let identity = new.publisher("node-2");
    let mut stays = loop {
        match Publisher::connect_as(&backend, Some(&identity)).await {
            Ok(publisher) => break publisher,
            Err(status) => assert!(Instant::now() < deadline, "{status:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let mut ends = Publisher::connect(&backend, "node-1").await;
    std::fs::write(&authorities, &new.pem).unwrap();
    let status = ends.ended().await;
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    assert!(status.message().contains("trusted no more"), "{status:?}");
    stays.send(SourceId::generate(), 1, &[numbered(1)]).await;
    stays.acknowledged(Lane::Telemetry, 1).await;
}

#[tokio::test]
async fn on_shutdown_what_was_handed_over_is_acknowledged() {
    let mut backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let source = SourceId::generate();
    for sequence in 1..=50 {
        publisher.send(source, sequence, &[numbered(sequence)]).await;
    }
    publisher.acknowledged(Lane::Telemetry, 1).await;
    backend.terminate();
    let status = publisher.ended().await;
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(backend.wait_end().success(), "{}", backend.log());
    backend.run();
    backend.wait_ready().await;
    let stored = backend.all("/api/v1/events").await.len() as u64;
    assert!(stored >= publisher.acknowledged[Lane::Telemetry.index()], "{stored}");
    let logs = std::fs::read_dir(backend.store()).unwrap().filter_map(Result::ok);
    assert!(logs.into_iter().count() > 0);
}

#[tokio::test]
async fn nodes_cannot_reach_into_each_others_streams() {
    let backend = Backend::start().await;
    let mut first = Publisher::connect(&backend, "node-1").await;
    let mut second = Publisher::connect(&backend, "node-2").await;
    let source = SourceId::generate();
    // Node 2 takes the id of node 1's sensor and jumps far ahead.
    second.send(source, 1_000_000, &[numbered(2)]).await;
    second.acknowledged(Lane::Telemetry, 1_000_000).await;
    first.send(source, 1, &[numbered(1)]).await;
    first.acknowledged(Lane::Telemetry, 1).await;
    let made = alert("Mine", Priority::Notice, &["/bin/sh"], None);
    first.send(source, 1, &[Record::Alert(Box::new(made))]).await;
    first.acknowledged(Lane::Alert, 1).await;
    let events = backend.all("/api/v1/events?node=node-1").await;
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!(events[0]["process"]["pid"], 1);
}
