//! Who may send events, and what changes of certificates and tokens do.

use crate::authority::Authority;
use crate::caller::Answer;
use crate::collector::{Collector, Setup, TOKEN};
use crate::event_list::{event, events, list};
use crate::publisher::{DEADLINE, Publisher};
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

fn is_refused(answer: &io::Result<Answer>) -> bool {
    // In TLS 1.3 a client learns only from its first read that its certificate is not believed.
    answer.as_ref().map_or(true, |answer| answer.status == 401)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_authority_or_the_token_is_enough_and_nothing_else_is() {
    let publisher = Publisher::start();
    let collector = Collector::start(Setup::new(), &publisher).await;
    let (authority, other) = (collector.setup().authority(), Authority::new());
    for (who, caller) in [
        ("nobody", collector.stranger()),
        ("of another authority", collector.stranger().with_certificate(&other.api_server())),
        ("expired", collector.stranger().with_certificate(&authority.expired())),
        ("with another token", collector.with_token("YW5vdGhlciB0b2tlbg==")),
        ("with an empty token", collector.with_token("")),
    ] {
        let answer = caller.post(&list(&[event(who)])).await;
        assert!(is_refused(&answer), "{who}: {answer:?}");
    }
    let nobody = collector.stranger().post(b"").await.unwrap();
    assert_eq!(nobody.status, 401, "{nobody}");
    assert!(
        nobody.text.contains("audit.client_ca_file") && nobody.text.contains("audit.token_file")
    );
    for (who, caller) in
        [("certified", collector.api_server()), ("with token", collector.with_token(TOKEN))]
    {
        let answer = caller.post(&list(&[event(who)])).await.unwrap();
        assert_eq!(answer.status, 200, "{who}: {answer}");
        publisher.expect_event(who).await;
    }
    assert_eq!(publisher.events().len(), 2);
    collector.expect_metric("defender_audit_requests_total{outcome=\"unauthorised\"} 4").await;
    assert!(!collector.log().contains("YW5vdGhlciB0b2tlbg"), "{}", collector.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_connection_ends_with_the_credential_that_opened_it() {
    let publisher = Publisher::start();
    let collector = Collector::start(Setup::new(), &publisher).await;
    let caller = collector.api_server();
    let mut connection = caller.connect().await.unwrap();
    let body = list(&[event("a")]);
    let head = caller.head("POST /audit", &format!("Content-Length: {}\r\n", body.len()));
    let request = [head.as_bytes(), &body].concat();
    let answer = crate::slow::exchange(&mut connection, &request).await.unwrap();
    assert_eq!(answer.status, 200, "{answer}");
    collector.setup().write_client_ca(&Authority::new().pem);
    collector.expect_log("certificate renewed").await;
    let answer = crate::slow::exchange(&mut connection, &request).await.unwrap();
    assert_eq!(answer.status, 401, "{answer}");
}

/// Sends numbered events until it is told to end: each batch again, with what is there to show, until it is taken.
async fn send_numbered(
    collector: &Collector,
    shown: &Shown,
    ends: &AtomicBool,
    next: &AtomicU32,
) -> BTreeSet<u32> {
    let mut sent = BTreeSet::new();
    while !ends.load(Ordering::SeqCst) {
        let first = next.fetch_add(20, Ordering::SeqCst);
        let body = list(&events(first..first + 20));
        let began = Instant::now();
        loop {
            let answer = shown.caller(collector).post(&body).await;
            match answer {
                Ok(Answer { status: 200, .. }) => break,
                other => assert!(began.elapsed() < DEADLINE, "{other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        sent.extend(first..first + 20);
    }
    sent
}

/// What an API server shows and trusts, as its kubeconfig says at the moment.
struct Shown {
    trusted: String,
    old: (Authority, &'static str),
    new: (Authority, &'static str),
    is_new: AtomicBool,
    by_token: bool,
}

impl Shown {
    fn caller(&self, collector: &Collector) -> crate::caller::Caller {
        let (authority, token) =
            if self.is_new.load(Ordering::SeqCst) { &self.new } else { &self.old };
        let caller = collector.stranger().trusting(&self.trusted);
        if self.by_token {
            caller.with_token(token)
        } else {
            caller.with_certificate(&authority.api_server())
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_authorities_and_tokens_change_under_load_and_nothing_is_lost() {
    let (publisher, setup) = (Publisher::start(), Setup::new());
    let (old, new) = (Authority::new(), Authority::new());
    setup.write_client_ca(&old.pem);
    let trusted = format!("{}{}", setup.authority().pem, new.pem);
    let collector = Arc::new(Collector::start(setup, &publisher).await);
    let (both, only_new) = (format!("{}{}", old.pem, new.pem), new.pem.clone());
    let renewed = new.receiver();
    let shown = |by_token| {
        let (old, new) = (old.clone(), new.clone());
        let shown = Shown {
            trusted: trusted.clone(),
            old: (old, TOKEN),
            new: (new, "bmV3IHRva2VuIG9mIGEgdGVzdA=="),
            is_new: AtomicBool::new(false),
            by_token,
        };
        Arc::new(shown)
    };
    let (ends, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let callers = [shown(false), shown(true)];
    let sending: Vec<_> = callers
        .iter()
        .map(|shown| {
            let (collector, shown) = (Arc::clone(&collector), Arc::clone(shown));
            let (ends, next) = (Arc::clone(&ends), Arc::clone(&next));
            tokio::spawn(async move { send_numbered(&collector, &shown, &ends, &next).await })
        })
        .collect();

    let setup = collector.setup();
    publisher.expect_event("0").await;
    // Half of a renewal: the certificate is another's. What was there before stays.
    std::fs::write(setup.path("tls.crt"), &renewed.certificate).unwrap();
    collector.expect_log("not renewed").await;
    setup.write_certificate(&renewed);
    setup.write_client_ca(&both);
    setup.write_token("bmV3IHRva2VuIG9mIGEgdGVzdA==");
    collector.expect_log("token renewed").await;
    for shown in &callers {
        shown.is_new.store(true, Ordering::SeqCst);
    }
    collector.expect_log("certificate renewed").await;
    setup.write_client_ca(&only_new);
    let after = next.load(Ordering::SeqCst);
    publisher.expect_event(&(after + 200).to_string()).await;
    ends.store(true, Ordering::SeqCst);
    let mut sent = BTreeSet::new();
    for sending in sending {
        sent.extend(sending.await.unwrap());
    }
    publisher.expect_event(&sent.last().unwrap().to_string()).await;
    collector
        .api_server()
        .trusting(&trusted)
        .with_certificate(&new.api_server())
        .post(&list(&[event("1000000")]))
        .await
        .unwrap();
    publisher.expect_event("1000000").await;
    let mut came: Vec<u32> =
        publisher.events().iter().map(|event| event.audit_id.parse().unwrap()).collect();
    came.retain(|number| *number != 1_000_000);
    let distinct: BTreeSet<u32> = came.iter().copied().collect();
    assert_eq!(came.len(), distinct.len(), "none twice");
    assert_eq!(distinct, sent, "none lost");
    println!("{} events", sent.len());
}
