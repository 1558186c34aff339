//! Bodies that no API server sends: each is refused or carried, counted, and the next one is taken.

use crate::collector::{Collector, Setup};
use crate::event_list::{event, list};
use crate::publisher::Publisher;
use event_model::LossReason;
use serde_json::json;

/// What the pod has, in MiB.
const MEMORY_LIMIT: u64 = 64;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_list_of_events_is_refused_with_the_reason_and_counted() {
    let publisher = Publisher::start();
    let collector = Collector::start(Setup::new(), &publisher).await;
    let whole = list(&[event("a"), event("b")]);
    let bodies: [(&[u8], &str); 8] = [
        (b"", "the body ends at byte 0"),
        (b"hello", "`{` was expected at byte 0"),
        (b"\xff\xfe{}", "`{` was expected at byte 0"),
        (b"[]", "`{` was expected at byte 0"),
        (b"{\"kind\":\"PodList\",\"items\":[]}", "`kind` is \"PodList\""),
        (
            b"{\"kind\":\"EventList\",\"apiVersion\":\"audit.k8s.io/v1beta1\",\"items\":[]}",
            "v1beta1",
        ),
        (b"{\"kind\":\"EventList\",\"apiVersion\":\"audit.k8s.io/v1\"}", "`items` is missing"),
        (&whole[..whole.len() - 10], "the body ends at byte"),
    ];
    for (body, reason) in bodies {
        let answer = collector.api_server().post(body).await.unwrap();
        assert_eq!(answer.status, 400, "{answer}");
        assert!(answer.text.contains(reason), "{reason}: {answer}");
    }
    // Of the truncated list the first event was whole; its sender sends it again.
    collector.api_server().post(&whole).await.unwrap();
    publisher.expect_event("b").await;
    let ids: Vec<_> = publisher.events().into_iter().map(|event| event.audit_id).collect();
    assert_eq!(ids, ["a", "b"]);
    publisher.expect_losses(LossReason::Undecodable, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_event_spoils_no_other_of_its_list() {
    let publisher = Publisher::start();
    let collector = Collector::start(Setup::new(), &publisher).await;
    let deep = format!("{{\"requestObject\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let mut items: Vec<Vec<u8>> = [
        &json!({}),
        &json!(1),
        &json!("x"),
        &json!(null),
        &json!({"kind": "Pod", "apiVersion": "v1"}),
    ]
    .map(|item| item.to_string().into_bytes())
    .to_vec();
    items.push(b"{\"auditID\":\"\xff\xfe\"}".to_vec());
    items.push(b"{\"auditID\":\"a\",}".to_vec());
    items.push(deep.into_bytes());
    let broken = items.len() as u64;
    items.insert(0, event("first").to_string().into_bytes());
    items.push(event("last").to_string().into_bytes());
    let body = [
        b"{\"kind\":\"EventList\",\"apiVersion\":\"audit.k8s.io/v1\",\"items\":[".to_vec(),
        items.join(&b","[..]),
        b"]}".to_vec(),
    ]
    .concat();
    let answer = collector.api_server().post(&body).await.unwrap();
    assert_eq!(answer.status, 200, "{answer}");
    publisher.expect_event("last").await;
    assert_eq!(publisher.events().len(), 2);
    publisher.expect_losses(LossReason::Undecodable, broken).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_chose_is_carried_within_bounds() {
    let publisher = Publisher::start();
    let collector = Collector::start(Setup::new(), &publisher).await;
    let mut annotated = event("annotated");
    annotated["annotations"]["hostile/annotation"] = "\u{0}\u{202e}<script>é".repeat(90_000).into();
    let mut deep = event("deep");
    deep["requestObject"] =
        serde_json::from_str(&format!("{}1{}", "[".repeat(100), "]".repeat(100))).unwrap();
    // Deeper than this crate reads, as text.
    let nest = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let nested =
        event("nested").to_string().replacen('{', &format!("{{\"requestObject\":{nest},"), 1);
    let body = String::from_utf8(list(&[annotated, deep])).unwrap().replacen(
        "]}",
        &format!(",{nested}]}}"),
        0,
    );
    let body = body.strip_suffix("]}").unwrap().to_owned() + "," + &nested + "]}";
    let answer = collector.api_server().post(body.as_bytes()).await.unwrap();
    assert_eq!(answer.status, 200, "{answer}");
    publisher.expect_event("nested").await;
    let events = publisher.events();
    let annotation = &events[0].annotations["hostile/annotation"];
    assert!(annotation.len() < 2000 && annotation.ends_with('…'), "{} bytes", annotation.len());
    assert!(events[1].request_object.is_some());
    assert!(events[2].request_object_dropped, "too deep to be looked at, and told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_mebibytes_are_refused_in_little_memory() {
    let publisher = Publisher::start();
    let collector = Collector::start(Setup::with_our_rules(), &publisher).await;
    let caller = collector.api_server();
    let items = vec![event(&"x".repeat(1000)); 70_000];
    let large = list(&items);
    assert!(large.len() > 100 << 20, "{}", large.len());
    let answer = caller.post(&large).await.unwrap();
    assert_eq!(answer.status, 413, "{answer}");
    assert!(answer.text.contains("--audit-webhook-truncate-enabled"), "{answer}");
    // One that does not say how long it is.
    let chunked = [format!("{:x}\r\n", large.len()).as_bytes(), &large, b"\r\n0\r\n\r\n"].concat();
    let head = caller.head("POST /audit", "Transfer-Encoding: chunked\r\n");
    let answer = caller.send(&head, &chunked).await.unwrap();
    assert_eq!(answer.status, 413, "{answer}");
    // One event of 9 MiB: over the bound of an event, within that of a body. Four at once.
    let mut vast = event("vast");
    vast["requestObject"] = json!({"kind": "ConfigMap", "data": {"a": "x".repeat(9 << 20)}});
    let vast = list(&[vast, event("beside")]);
    let answers = tokio::join!(
        caller.post(&vast),
        caller.post(&vast),
        caller.post(&vast),
        caller.post(&vast)
    );
    for answer in [answers.0, answers.1, answers.2, answers.3] {
        assert_eq!(answer.unwrap().status, 200);
    }
    publisher.expect_event("beside").await;
    // The same of 7 MiB, which an event may have.
    let mut wide = event("wide");
    wide["requestObject"] = json!({"kind": "ConfigMap", "data": {"a": "x".repeat(7 << 20)}});
    let wide = list(&[wide]);
    let answers = tokio::join!(
        caller.post(&wide),
        caller.post(&wide),
        caller.post(&wide),
        caller.post(&wide)
    );
    for answer in [answers.0, answers.1, answers.2, answers.3] {
        assert_eq!(answer.unwrap().status, 200);
    }
    publisher.expect_event("wide").await;
    let told = publisher.events().into_iter().find(|event| event.audit_id == "wide").unwrap();
    assert!(told.request_object_dropped);
    publisher.expect_losses(LossReason::TooLarge, 6).await;
    let (now, peak) = (collector.anonymous_memory(), collector.peak_memory());
    println!("{now} MiB in use, {peak} MiB at most");
    assert!(now < MEMORY_LIMIT, "{now} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_no_post_of_json_to_the_path_are_told_the_way() {
    let publisher = Publisher::start();
    let collector = Collector::start(Setup::new(), &publisher).await;
    let caller = collector.api_server();
    let body = list(&[event("a")]);
    let length = format!("Content-Length: {}\r\nConnection: close\r\n", body.len());
    for (line, lines, status, words) in [
        ("POST /", &*length, 404, "/audit"),
        ("PUT /audit", &length, 405, "POST"),
        ("POST /audit", &format!("{length}Content-Encoding: gzip\r\n"), 415, "Content-Encoding"),
    ] {
        let answer = caller.send(&caller.head(line, lines), &body).await.unwrap();
        assert_eq!(answer.status, status, "{line}: {answer}");
        assert!(answer.text.contains(words), "{answer}");
    }
    let yaml = caller.head("POST /audit", &length).replace("application/json", "application/yaml");
    assert_eq!(caller.send(&yaml, &body).await.unwrap().status, 415);
    assert_eq!(publisher.events(), []);
}

/// Nonsense where TLS or HTTP is expected ends its connection, and no other.
#[tokio::test(flavor = "multi_thread")]
async fn nonsense_ends_its_own_connection() {
    use tokio::io::AsyncWriteExt;
    let publisher = Publisher::start();
    let collector = Collector::start(Setup::new(), &publisher).await;
    for nonsense in [&b"GET /audit HTTP/1.1\r\n\r\n"[..], &[0x16, 3, 1, 0xff, 0xff], &[0; 4096]] {
        let mut tcp = tokio::net::TcpStream::connect(collector.address).await.unwrap();
        let _ = tcp.write_all(nonsense).await;
    }
    let caller = collector.api_server();
    for head in [
        "\r\n\r\n\0\0",
        "POST /audit HTTP/9\r\n\r\n",
        "POST /audit HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ] {
        let answer = caller.send(head, b"").await;
        assert!(answer.as_ref().map_or(true, |answer| answer.status == 400), "{answer:?}");
    }
    let long = caller.head("POST /audit", &format!("X-Long: {}\r\n", "x".repeat(1 << 20)));
    let answer = caller.send(&long, b"").await;
    assert!(answer.as_ref().map_or(true, |answer| answer.status == 431), "{answer:?}");
    let answer = caller.post(&list(&[event("a")])).await.unwrap();
    assert_eq!(answer.status, 200, "{answer}");
    publisher.expect_event("a").await;
}
