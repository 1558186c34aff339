//! How nodes get certificates, and everything that an intruder may try there: each refusal is read.

mod asking;

use crate::publisher::{Publisher, channel, hello};
use crate::records::numbered;
use crate::running::{Backend, PATIENCE};
use asking::{
    Asked, command, create_token, enrol, enrolled, enrolling, parsed, renew, renew_as, with,
};
use event_model::{Lane, SourceId};
use proto::wire::{EnrolRequest, IssuedCertificate};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;
use tonic::{Code, Status};

#[track_caller]
fn assert_refused<T>(answer: Result<T, Status>, code: Code, words: &[&str]) {
    let Err(status) = answer else { panic!("granted, though {words:?} was expected") };
    let says = |word: &&str| status.message().contains(*word);
    assert!(status.code() == code && words.iter().all(says), "{words:?} expected: {status:?}");
}

#[tokio::test]
async fn a_token_brings_a_certificate_with_which_the_node_delivers() {
    let backend = enrolling().await;
    let token = create_token(&backend, &["--cluster", "edge-7", "--note", "the shop's"]);
    let identity = enrolled(&backend, &token, "node-1").await;
    let mut publisher = Publisher::connect_as(&backend, Some(&identity)).await.unwrap();
    publisher.send(SourceId::generate(), 1, &[numbered(1)]).await;
    publisher.acknowledged(Lane::Telemetry, 1).await;

    let listed = command(&backend, &["list", "--cluster", "edge-7"]).unwrap();
    assert!(listed.contains("node-1") && listed.contains("127.0.0.1"), "{listed}");
    let tokens = command(&backend, &["tokens", "list"]).unwrap();
    assert!(tokens.contains("the shop's") && tokens.contains("valid"), "{tokens}");
    let secret = token.split_once('.').unwrap().1;
    for text in [tokens, backend.log(), backend.metrics().await] {
        assert!(!text.contains(secret), "the secret is told in\n{text}");
    }
    for file in fs::read_dir(backend.store()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(32).any(|part| part == &secret.as_bytes()[..32]));
    }
    let authority = backend.store().join("enrolment-authority.pem");
    assert_eq!(fs::metadata(authority).unwrap().permissions().mode() & 0o777, 0o600);
    backend.expect_metric("defender_enrolments_total{kind=\"token\"} 1").await;
}

#[tokio::test]
async fn whatever_names_and_rights_are_asked_for_the_certificate_is_a_publishers_of_that_node() {
    let backend = enrolling().await;
    let token = create_token(&backend, &["--cluster", "edge-7"]);
    let mut greedy = CertificateParams::new(vec!["any.publisher.other.defender".into()]).unwrap();
    let uri = "spiffe://defender/cluster/other/publisher/any";
    greedy.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
    greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let asked = Asked::with(&greedy);
    let issued = enrol(&backend, &token, "", "node-1", &asked.request).await.unwrap();
    let (names, is_authority, is_for_servers) = parsed(&issued.chain[0]);
    assert_eq!(names, ["URI(spiffe://defender/cluster/edge-7/publisher/node-1)"]);
    assert!(!is_authority && !is_for_servers);
}

#[tokio::test]
async fn who_has_not_the_secret_hears_the_same_whatever_is_wrong() {
    let backend = enrolling().await;
    let token = create_token(&backend, &["--cluster", "edge-7"]);
    let (id, secret) = token.split_once('.').unwrap();
    let zeros = "0".repeat(64);
    let mut heard = Vec::new();
    for wrong in [
        String::new(),
        "garbage".to_owned(),
        format!("{id}.{zeros}"),
        format!("defender-bootstrap-000000000000.{secret}"),
        format!("{token}0"),
        "x".repeat(8000),
    ] {
        let asked = Asked::new();
        let status = enrol(&backend, &wrong, "", "n", &asked.request).await.unwrap_err();
        heard.push((status.code(), status.message().to_owned()));
    }
    heard.dedup();
    assert_eq!(heard.len(), 1, "{heard:#?}");
    assert_eq!(heard[0].0, Code::Unauthenticated);
    assert!(heard[0].1.contains("the bootstrap token is not valid"), "{heard:?}");
}

#[tokio::test]
async fn a_token_that_is_expired_used_up_revoked_or_of_another_cluster_is_refused_by_name() {
    let backend = enrolling().await;
    let asked = Asked::new();
    let ask = async |token: &str, cluster: &str, node: &str| {
        enrol(&backend, token, cluster, node, &asked.request).await
    };
    let denied = Code::PermissionDenied;

    let token = create_token(&backend, &["--cluster", "edge-7"]);
    let words = ["is for the cluster \"edge-7\"", "a node of \"prod\""];
    assert_refused(ask(&token, "prod", "n").await, denied, &words);
    for node in ["", "any", "../n", "a b", &"n".repeat(254)] {
        assert_refused(ask(&token, "", node).await, Code::InvalidArgument, &["no node's name"]);
    }

    let once = create_token(&backend, &["--cluster", "edge-7", "--maximum-uses", "1"]);
    enrolled(&backend, &once, "first").await;
    assert_refused(ask(&once, "", "second").await, denied, &["was used 1 times", "create another"]);

    let id = &token["defender-bootstrap-".len()..][..12];
    command(&backend, &["tokens", "revoke", id]).unwrap();
    assert_refused(ask(&token, "", "n").await, denied, &[id, "was revoked at"]);

    // The shortest life of a token is a minute: an older clock made this one.
    let late = create_token(&backend, &["--cluster", "edge-7", "--expires", "60s"]);
    let expire = "UPDATE bootstrap_tokens SET expires_at = 1000000000 WHERE note = ''";
    let mut backend = backend;
    backend.kill();
    asking::change_state(&backend, expire);
    backend.run();
    backend.wait_ready().await;
    let answer = enrol(&backend, &late, "", "n", &asked.request).await;
    assert_refused(answer, denied, &["expired at 1970-01-01"]);
}

#[tokio::test]
async fn a_request_that_was_played_before_is_refused() {
    let backend = enrolling().await;
    let token = create_token(&backend, &["--cluster", "edge-7"]);
    let asked = Asked::new();
    enrol(&backend, &token, "", "node-1", &asked.request).await.unwrap();
    let same_key = asked.again(&CertificateParams::new(vec!["other".into()]).unwrap());
    for (node, request) in
        [("node-1", &asked.request), ("node-2", &asked.request), ("n", &same_key)]
    {
        let again = enrol(&backend, &token, "", node, request).await;
        assert_refused(again, Code::AlreadyExists, &["make a new key"]);
    }
}

#[tokio::test]
async fn what_is_no_signing_request_or_too_large_is_refused() {
    let backend = enrolling().await;
    let token = create_token(&backend, &["--cluster", "edge-7"]);
    let mut unsigned = Asked::new().request;
    *unsigned.last_mut().unwrap() ^= 1;
    let garbage = [Vec::new(), b"garbage".to_vec(), vec![0x30; 4000], unsigned];
    for request in garbage {
        let answer = enrol(&backend, &token, "", "n", &request).await;
        assert_refused(answer, Code::InvalidArgument, &["cannot be read", "PKCS #10"]);
    }
    let answer = enrol(&backend, &token, "", "n", &vec![0; 5000]).await;
    assert_refused(answer, Code::InvalidArgument, &["more than 4096 bytes"]);
    let answer = enrol(&backend, &token, "", "n", &vec![0; 1 << 20]).await;
    assert_refused(answer, Code::OutOfRange, &["too large"]);
    backend.expect_metric("defender_enrolment_refused_total{reason=\"request\"} 5").await;
}

#[tokio::test]
async fn a_certificate_is_renewed_by_its_holder_alone_and_keeps_its_name() {
    let backend = enrolling().await;
    let token = create_token(&backend, &["--cluster", "edge-7", "--maximum-uses", "2"]);
    let [first, second] =
        [enrolled(&backend, &token, "node-1").await, enrolled(&backend, &token, "node-2").await];
    let renewed = renew(&backend, &first, "node-1").await.unwrap();
    Publisher::connect_as(&backend, Some(&renewed)).await.unwrap();
    // The one before holds on: its successor may have got lost on its way.
    let again = renew(&backend, &first, "node-1").await.unwrap();
    Publisher::connect_as(&backend, Some(&again)).await.unwrap();

    let denied = Code::PermissionDenied;
    let words = ["is of edge-7/node-2", "\"node-1\""];
    assert_refused(renew(&backend, &second, "node-1").await, denied, &words);
    let words = ["connect with that"];
    assert_refused(renew_as(&backend, None, "node-1").await, Code::Unauthenticated, &words);
    let other = backend.authority.publisher("node-1");
    assert_refused(renew(&backend, &other, "node-1").await, denied, &["was not issued here"]);
    let listed = command(&backend, &["list", "--node", "node-1"]).unwrap();
    assert_eq!(listed.matches("renewal").count(), 2, "{listed}");
}

#[tokio::test]
async fn a_revoked_node_leaves_at_once_and_stays_out_until_it_is_allowed() {
    let backend = enrolling().await;
    let token = create_token(&backend, &["--cluster", "edge-7"]);
    let identity = enrolled(&backend, &token, "node-1").await;
    let other = enrolled(&backend, &token, "node-2").await;
    let mut stream = Publisher::connect_as(&backend, Some(&identity)).await.unwrap();
    let mut bystander = Publisher::connect_as(&backend, Some(&other)).await.unwrap();
    let name = ["--cluster", "edge-7", "--node", "node-1"];
    let said = command(&backend, &with(&["revoke"], &name)).unwrap();
    assert!(said.contains("certificates denied: 1"), "{said}");

    let out = Code::Unauthenticated;
    assert_refused(Err::<(), _>(stream.ended().await), out, &["edge-7/node-1", "was revoked at"]);
    let again = Publisher::connect_as(&backend, Some(&identity)).await;
    assert_refused(again, out, &["was revoked at"]);
    assert_refused(renew(&backend, &identity, "node-1").await, out, &["was revoked at"]);
    let asked = Asked::new();
    let barred = enrol(&backend, &token, "", "node-1", &asked.request).await;
    let words = ["is barred", "enrolment allow --cluster edge-7 --node node-1"];
    assert_refused(barred, Code::PermissionDenied, &words);
    bystander.send(SourceId::generate(), 1, &[numbered(1)]).await;
    bystander.acknowledged(Lane::Telemetry, 1).await;

    let said = command(&backend, &with(&["allow"], &name)).unwrap();
    assert!(said.contains("may enrol again"), "{said}");
    let anew = enrolled(&backend, &token, "node-1").await;
    Publisher::connect_as(&backend, Some(&anew)).await.unwrap();
    let old = Publisher::connect_as(&backend, Some(&identity)).await;
    assert_refused(old, out, &["was revoked at"]);
}

#[tokio::test]
async fn a_token_is_revoked_with_the_certificates_that_came_of_it_and_no_others() {
    let backend = enrolling().await;
    let stolen = create_token(&backend, &["--cluster", "edge-7"]);
    let sound = create_token(&backend, &["--cluster", "edge-7"]);
    let first = enrolled(&backend, &stolen, "node-1").await;
    let renewed = renew(&backend, &first, "node-1").await.unwrap();
    let other = enrolled(&backend, &sound, "node-2").await;
    let mut stream = Publisher::connect_as(&backend, Some(&renewed)).await.unwrap();
    let id = &stolen["defender-bootstrap-".len()..][..12];
    let said = command(&backend, &["tokens", "revoke", id, "--certificates"]).unwrap();
    assert!(said.contains("certificates denied: 2"), "{said}");
    assert_refused(Err::<(), _>(stream.ended().await), Code::Unauthenticated, &["was revoked"]);
    Publisher::connect_as(&backend, Some(&other)).await.unwrap();
    // The node itself is not barred: with a token that is valid it comes back.
    enrolled(&backend, &sound, "node-1").await;
}

#[tokio::test]
async fn a_node_that_enrols_again_replaces_what_it_had_and_is_told_of() {
    let backend = enrolling().await;
    let token = create_token(&backend, &["--cluster", "edge-7"]);
    let before = enrolled(&backend, &token, "node-1").await;
    let mut stream = Publisher::connect_as(&backend, Some(&before)).await.unwrap();
    let after = enrolled(&backend, &token, "node-1").await;
    assert_refused(Err::<(), _>(stream.ended().await), Code::Unauthenticated, &["was replaced at"]);
    Publisher::connect_as(&backend, Some(&after)).await.unwrap();
    backend.expect_log("was it installed anew?").await;
    backend.expect_metric("defender_enrolments_total{kind=\"replacement\"} 1").await;
}

#[tokio::test]
async fn where_existing_nodes_are_refused_nobody_takes_the_name_of_one() {
    let backend =
        asking::enrolling_with(|config| config["enrolment"]["existing_nodes"] = "refuse".into())
            .await;
    let token = create_token(&backend, &["--cluster", "edge-7"]);
    let identity = enrolled(&backend, &token, "node-1").await;
    let asked = Asked::new();
    let refused = enrol(&backend, &token, "", "node-1", &asked.request).await;
    let words = ["edge-7/node-1 has a valid certificate until"];
    assert_refused(refused, Code::PermissionDenied, &words);
    Publisher::connect_as(&backend, Some(&identity)).await.unwrap();
}

#[tokio::test]
async fn what_was_decided_outlives_the_backend() {
    let mut backend = enrolling().await;
    let token = create_token(&backend, &["--cluster", "edge-7", "--maximum-uses", "2"]);
    let [good, bad] =
        [enrolled(&backend, &token, "node-1").await, enrolled(&backend, &token, "node-2").await];
    let name = ["revoke", "--cluster", "edge-7", "--node", "node-2"];
    command(&backend, &name).unwrap();
    backend.kill();
    backend.run();
    backend.wait_ready().await;
    Publisher::connect_as(&backend, Some(&good)).await.unwrap();
    renew(&backend, &good, "node-1").await.unwrap();
    let refused = Publisher::connect_as(&backend, Some(&bad)).await;
    assert_refused(refused, Code::Unauthenticated, &["was revoked at"]);
    let asked = Asked::new();
    let refused = enrol(&backend, &token, "", "node-3", &asked.request).await;
    assert_refused(refused, Code::PermissionDenied, &["was used 2 times"]);
}

#[tokio::test]
async fn without_a_certificate_nothing_but_enrolment_answers() {
    let backend = enrolling().await;
    let refused = Publisher::connect_as(&backend, None).await;
    assert_refused(refused, Code::Unauthenticated, &["neither a client certificate"]);
    // Those of the authorities that were configured come in as before, and others still do not.
    Publisher::connect(&backend, "node-1").await;
    let stranger = crate::authority::Authority::new().publisher("node-1");
    assert!(Publisher::connect_as(&backend, Some(&stranger)).await.is_err());
}

#[tokio::test]
async fn a_certificate_made_with_the_stolen_key_of_the_authority_is_not_among_those_issued() {
    let backend = enrolling().await;
    let pem = fs::read(backend.store().join("enrolment-authority.pem")).unwrap();
    let authority = CertificateDer::from_pem_slice(&pem).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::from_pem_slice(&pem).unwrap();
    let issuer = Issuer::from_ca_cert_der(&authority, KeyPair::try_from(&key).unwrap()).unwrap();
    let mut params = CertificateParams::default();
    let uri = "spiffe://defender/cluster/edge-7/publisher/node-1";
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let forged =
        crate::authority::Identity { certificate: certificate.pem(), key: key.serialize_pem() };
    let refused = Publisher::connect_as(&backend, Some(&forged)).await;
    assert_refused(refused, Code::Unauthenticated, &["not among those that this backend issued"]);
}

#[tokio::test]
async fn who_fails_often_is_told_to_wait_and_holds_up_nobody_who_has_a_token() {
    let backend = enrolling().await;
    let token = create_token(&backend, &["--cluster", "edge-7"]);
    let asked = Asked::new();
    for _ in 0..30 {
        let refused = enrol(&backend, "guess", "", "n", &asked.request).await;
        assert_refused(refused, Code::Unauthenticated, &["is not valid"]);
    }
    let refused = enrol(&backend, "guess", "", "n", &asked.request).await;
    assert_refused(refused, Code::ResourceExhausted, &["too many attempts failed"]);
    enrolled(&backend, &token, "node-1").await;
}

#[tokio::test]
async fn strangers_take_no_place_of_publishers() {
    let backend =
        asking::enrolling_with(|config| config["ingest"]["maximum_connections"] = 8.into()).await;
    let _held = channel(&backend, None).await.unwrap();
    let mut refused = None;
    let deadline = Instant::now() + PATIENCE;
    while refused.is_none() {
        assert!(Instant::now() < deadline, "a second stranger stays:\n{}", backend.log());
        let stranger = channel(&backend, None).await;
        let stranger = match stranger {
            Ok(channel) => Publisher::greet(channel, hello(1, 1)).await.err(),
            Err(status) => Some(status),
        };
        // Who is let in is asked who it is.
        refused = stranger.filter(|status| status.code() != Code::Unauthenticated);
    }
    backend.expect_log("an eighth of ingest.maximum_connections").await;
    for node in ["a", "b", "c", "d"] {
        Publisher::connect(&backend, node).await;
    }
}

#[tokio::test]
async fn a_stranger_that_never_finishes_its_request_loses_its_place() {
    let backend = enrolling().await;
    let mut client = tonic::client::Grpc::new(channel(&backend, None).await.unwrap());
    client.ready().await.unwrap();
    let path = "/defender.v1.Enrolment/Enrol".parse().unwrap();
    let codec = tonic_prost::ProstCodec::<EnrolRequest, IssuedCertificate>::default();
    let never = tonic::Request::new(tokio_stream::pending());
    let asked = client.client_streaming(never, path, codec);
    let answer = tokio::time::timeout(PATIENCE, asked).await;
    answer.expect("it still holds its place").expect_err("it never asked");
    backend.expect_log("the peer has no stream open").await;
    backend.expect_metric("defender_ingest_connections 0").await;
}

#[tokio::test]
async fn a_certificate_ends_when_its_time_is_over() {
    let backend =
        asking::enrolling_with(|config| config["enrolment"]["certificate_seconds"] = 10.into())
            .await;
    let token = create_token(&backend, &["--cluster", "edge-7"]);
    let identity = enrolled(&backend, &token, "node-1").await;
    let mut stream = Publisher::connect_as(&backend, Some(&identity)).await.unwrap();
    let ended = tokio::time::timeout(PATIENCE, stream.ended()).await.unwrap();
    assert_refused(Err::<(), _>(ended), Code::Unauthenticated, &["has expired"]);
    // A certificate holds to the end of its last second.
    let deadline = Instant::now() + PATIENCE;
    while Publisher::connect_as(&backend, Some(&identity)).await.is_ok() {
        assert!(Instant::now() < deadline, "it still comes in:\n{}", backend.log());
    }
    assert!(renew(&backend, &identity, "node-1").await.is_err());
}

#[tokio::test]
async fn nothing_is_changed_without_the_apis_token() {
    let backend = Backend::start_with(|config, _| {
        config["enrolment"] = serde_json::json!({ "enabled": true });
    })
    .await;
    let refused = command(&backend, &["tokens", "create", "--cluster", "c"]).unwrap_err();
    assert!(refused.contains("without api.token_file nothing can be changed"), "{refused}");
    let refused = command(&backend, &["revoke", "--cluster", "c", "--node", "n"]).unwrap_err();
    assert!(refused.contains("api.token_file"), "{refused}");
    assert_eq!(backend.all("/api/v1/enrolments").await.len(), 0);
}

#[tokio::test]
async fn the_command_line_reaches_the_api_over_tls_and_believes_its_own_certificate_alone() {
    let backend = asking::enrolling_with(|config| {
        config["api"]["certificate_file"] = config["ingest"]["certificate_file"].clone();
        config["api"]["key_file"] = config["ingest"]["key_file"].clone();
    })
    .await;
    let token = create_token(&backend, &["--cluster", "edge-7"]);
    enrolled(&backend, &token, "node-1").await;
    for (arguments, words) in [
        (vec!["tokens", "create", "--cluster", "no name"], "is no cluster's name"),
        (vec!["tokens", "create", "--cluster", "c", "--expires", "5s"], "from 60"),
        (vec!["tokens", "revoke", "000000000000"], "there is no such token"),
        (vec!["revoke", "--cluster", "c", "--node", "any"], "must be names"),
    ] {
        let refused = command(&backend, &arguments).unwrap_err();
        assert!(refused.contains(words), "{arguments:?}: {refused}");
    }
    let other = crate::authority::Authority::new().server();
    fs::write(backend.folder.path().join("tls.crt"), other.certificate).unwrap();
    let refused = command(&backend, &["tokens", "list"]).unwrap_err();
    assert!(refused.contains("the running backend's API"), "{refused}");
}

#[tokio::test]
async fn where_enrolment_is_off_its_certificates_count_for_nothing() {
    let backend = Backend::start().await;
    let asked = Asked::new();
    assert!(enrol(&backend, "token", "", "n", &asked.request).await.is_err());
    let identity = backend.authority.publisher("node-1");
    let refused = renew(&backend, &identity, "node-1").await;
    assert_refused(refused, Code::Unimplemented, &[]);
}
