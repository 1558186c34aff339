use crate::publisher::Publisher;
use crate::records::alert;
use crate::running::{Backend, PATIENCE};
use event_model::{Lane, Priority, Record, SourceId};
use serde_json::Value;

/// A client of the alert stream.
struct Client {
    answer: reqwest::Response,
    text: String,
}

/// A server-sent event.
#[derive(Debug, Default)]
struct Sent {
    name: String,
    id: String,
    data: String,
}

impl Client {
    async fn connect(backend: &Backend, query: &str, last_event_id: Option<i64>) -> Self {
        let url = format!("http://127.0.0.1:{}/api/v1/alerts/stream{query}", backend.api_port);
        let mut request = backend.http.get(url);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, text: String::new() }
    }

    /// The next event with a name.
    async fn next(&mut self) -> Sent {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let sent = parse(block);
                self.text = rest.into();
                if !sent.name.is_empty() {
                    return sent;
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.answer.chunk())
                .await
                .expect("an event in time");
            let chunk = chunk.unwrap().expect("the stream goes on");
            self.text += std::str::from_utf8(&chunk).unwrap();
        }
    }
}

fn parse(block: &str) -> Sent {
    let mut sent = Sent::default();
    for line in block.lines() {
        match line.split_once(": ") {
            Some(("event", name)) => sent.name = name.into(),
            Some(("id", id)) => sent.id = id.into(),
            Some(("data", data)) => sent.data += data,
            _ => {}
        }
    }
    sent
}

async fn send(backend: &Backend, source: SourceId, first: u64, rules: &[&str]) {
    let mut publisher = Publisher::connect(backend, "node-1").await;
    let record = |rule: &&str| {
        let priority = if rule.starts_with("Bad") { Priority::Critical } else { Priority::Notice };
        Record::Alert(Box::new(alert(rule, priority, &["/bin/sh"], None)))
    };
    let records: Vec<_> = rules.iter().map(record).collect();
    publisher.send(source, first, &records).await;
    publisher.acknowledged(Lane::Alert, first + records.len() as u64 - 1).await;
}

#[tokio::test]
async fn new_alerts_are_sent_as_they_arrive_and_a_client_that_comes_back_misses_none() {
    let backend = Backend::start().await;
    let source = SourceId::generate();
    send(&backend, source, 1, &["before"]).await;
    let mut client = Client::connect(&backend, "", None).await;
    send(&backend, source, 2, &["one", "two"]).await;
    let first = client.next().await;
    assert_eq!((first.name.as_str(), first.id.as_str()), ("alert", "2"), "{first:?}");
    let shown: Value = serde_json::from_str(&first.data).unwrap();
    assert_eq!(shown["rule"], "one");
    let listed = backend.get(&format!("/api/v1/alerts/{}", shown["id"].as_str().unwrap())).await;
    assert_eq!(shown, listed, "the stream and the list say the same");
    drop(client);
    send(&backend, source, 4, &["three"]).await;
    let mut again = Client::connect(&backend, "", Some(2)).await;
    for (rule, id) in [("two", "3"), ("three", "4")] {
        let sent = again.next().await;
        assert_eq!(sent.id, id, "{sent:?}");
        assert!(sent.data.contains(&format!("\"rule\":\"{rule}\"")), "{sent:?}");
    }
}

#[tokio::test]
async fn a_stream_with_a_filter_tells_only_what_matches() {
    let backend = Backend::start().await;
    let mut client = Client::connect(&backend, "?minimum_priority=error", None).await;
    send(&backend, SourceId::generate(), 1, &["harmless", "Bad one", "harmless too", "Bad two"])
        .await;
    assert!(client.next().await.data.contains("Bad one"));
    assert!(client.next().await.data.contains("Bad two"));
}

#[tokio::test]
async fn a_client_that_is_far_behind_or_from_another_store_is_told_to_read_the_list() {
    let backend = Backend::start().await;
    let mut client = Client::connect(&backend, "", Some(999_999)).await;
    assert_eq!(client.next().await.name, "resync");
    let many: Vec<_> = (0..1100).map(|_| "one of many").collect();
    send(&backend, SourceId::generate(), 1, &many).await;
    let mut client = Client::connect(&backend, "", Some(1)).await;
    let sent = client.next().await;
    assert_eq!((sent.name.as_str(), sent.id.as_str()), ("resync", "1100"));
    let mut client = Client::connect(&backend, "?after=1099", None).await;
    assert_eq!(client.next().await.id, "1100");
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_nothing_up() {
    let backend = Backend::start().await;
    let sleeping = Client::connect(&backend, "", None).await;
    let source = SourceId::generate();
    for batch in 0..20 {
        let many: Vec<_> = (0..200).map(|_| "one of many").collect();
        send(&backend, source, 1 + batch * 200, &many).await;
    }
    assert_eq!(backend.all("/api/v1/alerts").await.len(), 4000);
    drop(sleeping);
}

#[tokio::test]
async fn streams_end_when_the_backend_does() {
    let mut backend = Backend::start().await;
    let mut client = Client::connect(&backend, "", None).await;
    backend.terminate();
    let end = tokio::time::timeout(PATIENCE, async {
        while let Ok(Some(_)) = client.answer.chunk().await {}
    });
    end.await.expect("the stream ends");
    assert!(backend.wait_end().success(), "{}", backend.log());
}

#[tokio::test]
async fn a_wrong_last_event_id_is_refused() {
    let backend = Backend::start().await;
    let url = format!("http://127.0.0.1:{}/api/v1/alerts/stream", backend.api_port);
    let answer = backend.http.get(url).header("last-event-id", "x").send().await.unwrap();
    assert_eq!(answer.status(), 400);
}
