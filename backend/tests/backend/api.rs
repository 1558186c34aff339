use crate::publisher::Publisher;
use crate::records::{alert, container, container_id, numbered, process};
use crate::running::Backend;
use event_model::{
    Container, Event, EventKind, ExitStatus, Lane, Priority, Record, SourceId, Timestamp,
};
use serde_json::Value;

/// A backend with six alerts of different kinds.
async fn with_alerts() -> Backend {
    let backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let bare = Container { id: container_id('b'), ..Container::default() };
    let alerts = [
        alert("Shell in a container", Priority::Warning, &["/bin/sh", "-i"], Some(container('a'))),
        alert("Shell in a container", Priority::Warning, &["/bin/bash"], Some(bare)),
        alert("Fileless execution", Priority::Critical, &["memfd:x"], Some(container('a'))),
        alert("Miner by name", Priority::Critical, &["/tmp/xmrig"], None),
        alert("Package manager", Priority::Error, &["apt", "install"], Some(container('c'))),
        alert("Odd", Priority::Notice, &["/bin/odd"], None),
    ];
    let records = alerts.map(|alert| Record::Alert(Box::new(alert)));
    publisher.send(SourceId::generate(), 1, &records).await;
    publisher.acknowledged(Lane::Alert, 6).await;
    backend
}

async fn rules(backend: &Backend, query: &str) -> Vec<String> {
    let alerts = backend.all(&format!("/api/v1/alerts?{query}")).await;
    alerts.iter().map(|alert| alert["rule"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_alert_carries_its_whole_evidence() {
    let backend = with_alerts().await;
    let alerts = backend.all("/api/v1/alerts?rule=Shell%20in%20a%20container&namespace=shop").await;
    let [alert] = alerts.as_slice() else { panic!("{alerts:#?}") };
    for (field, value) in [
        ("/priority", "warning"),
        ("/node", "node-1"),
        ("/cluster", "test"),
        ("/command_line", "/bin/sh -i"),
        ("/message", "Shell in a container: /bin/sh -i"),
        ("/kind/type", "exec"),
        ("/container/name", "app"),
        ("/container/image", "docker.io/library/nginx:1.27"),
        ("/container/pod/name", "web-a"),
        ("/container/pod/namespace", "shop"),
        ("/container/pod/uid", "uid-a"),
        ("/process_chain/0/executable/path", "/bin/sh"),
        ("/process_chain/1/command_line", "/usr/sbin/nginx -g daemon off;"),
        ("/matched_fields/0/field", "proc.name"),
        ("/host/kernel", "6.12.9"),
    ] {
        assert_eq!(
            alert.pointer(field).and_then(Value::as_str),
            Some(value),
            "{field} in {alert:#}"
        );
    }
    assert_eq!(alert["process_chain"][0]["parent"]["pid"], alert["process_chain"][1]["pid"]);
    assert_eq!(alert["tags"], serde_json::json!(["container", "T1059"]));
    for time in ["time", "detected_at", "received_at"] {
        let text = alert[time].as_str().unwrap();
        assert!(text.starts_with("20") && text.ends_with('Z'), "{time}: {text}");
    }
    let alone = backend.get(&format!("/api/v1/alerts/{}", alert["id"].as_str().unwrap())).await;
    assert_eq!(&alone, alert);
}

#[tokio::test]
async fn alerts_are_found_by_each_filter() {
    let backend = with_alerts().await;
    assert_eq!(rules(&backend, "priority=critical").await.len(), 2);
    assert_eq!(rules(&backend, "priority=critical,notice").await.len(), 3);
    assert_eq!(rules(&backend, "minimum_priority=error").await.len(), 3);
    assert_eq!(rules(&backend, "rule=Odd").await, ["Odd"]);
    assert_eq!(rules(&backend, "namespace=shop").await.len(), 3);
    assert_eq!(rules(&backend, "pod=web-c").await, ["Package manager"]);
    assert_eq!(rules(&backend, "container=bbbbbbbbbbbb").await, ["Shell in a container"]);
    assert_eq!(rules(&backend, "container=app").await.len(), 3);
    assert_eq!(rules(&backend, "tag=T1059&node=node-1&cluster=test").await.len(), 6);
    assert!(rules(&backend, "node=node-2").await.is_empty());
    assert!(rules(&backend, "since=2999-01-01T00:00:00Z").await.is_empty());
    assert!(rules(&backend, "until=2001-01-01T00:00:00Z").await.is_empty());
}

#[tokio::test]
async fn a_list_is_walked_page_by_page() {
    let backend = with_alerts().await;
    let (mut path, mut seen) = ("/api/v1/alerts?limit=4".to_owned(), Vec::new());
    for expected in [4, 2] {
        let page = backend.get(&path).await;
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), expected);
        seen.extend(items.iter().map(|alert| alert["id"].clone()));
        path =
            format!("/api/v1/alerts?limit=4&cursor={}", page["next"].as_str().unwrap_or_default());
    }
    seen.sort_by_key(ToString::to_string);
    seen.dedup();
    assert_eq!(seen.len(), 6);
}

#[tokio::test]
async fn a_wrong_request_is_answered_with_a_problem_that_names_the_fix() {
    let backend = Backend::start().await;
    for (path, status, words) in [
        ("/api/v1/alerts?prioritty=error", 400, "did you mean \"priority\"?"),
        ("/api/v1/alerts?priority=urgent", 400, "emergency, alert"),
        ("/api/v1/alerts?since=yesterday", 400, "2026-11-22T03:04:05Z"),
        ("/api/v1/alerts?limit=1001", 400, "1 to 1000"),
        ("/api/v1/alerts?cursor=nonsense", 400, "earlier page"),
        ("/api/v1/events?type=openat", 400, "exec, fork, exit, dns, open"),
        ("/api/v1/events?pid=me", 400, "process id"),
        ("/api/v1/sensors?nod=x", 400, "did you mean \"node\"?"),
        ("/api/v1/alerts/7", 400, "UUID"),
        ("/api/v1/alerts/00000000-0000-0000-0000-000000000001", 404, "no alert"),
        ("/api/v1/nothing", 404, "openapi.json"),
    ] {
        let answer = backend.answer(path).await;
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].as_str().unwrap().contains(words), "{path}: {problem:#}");
    }
    let posted = backend
        .http
        .post(format!("http://127.0.0.1:{}/api/v1/alerts", backend.api_port))
        .send()
        .await
        .unwrap();
    assert_eq!(posted.status(), 405);
}

#[tokio::test]
async fn an_event_is_shown_with_its_process_and_its_container() {
    let backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let source = SourceId::generate();
    let curl = process(42, Some(1), &["/usr/bin/curl", "http://example.org"]);
    let entities =
        [Record::Process(Box::new(curl.clone())), Record::Container(Box::new(container('d')))];
    publisher.send(source, 1, &entities).await;
    publisher.acknowledged(Lane::Entity, 2).await;
    let event = |kind| {
        Record::Event(event_model::Event {
            time: Timestamp::now(),
            process: curl.reference,
            container: Some(container_id('d')),
            kind,
        })
    };
    let exit = EventKind::Exit(ExitStatus { code: 7, signal: 0, core_dumped: false });
    publisher.send(source, 1, &[event(EventKind::Exec), event(exit), numbered(9)]).await;
    publisher.acknowledged(Lane::Telemetry, 3).await;
    let exits = backend.all("/api/v1/events?type=exit").await;
    assert_eq!(exits.len(), 1);
    assert_eq!(
        exits[0]["kind"],
        serde_json::json!({"type": "exit", "code": 7, "signal": 0, "core_dumped": false})
    );
    for query in [
        "executable=curl",
        "executable=%2Fusr%2Fbin%2Fcurl",
        "pid=42",
        "container=dddddddddddd",
        "namespace=shop",
        "pod=web-d",
    ] {
        let events = backend.all(&format!("/api/v1/events?{query}")).await;
        assert_eq!(events.len(), 2, "{query}: {events:#?}");
        assert_eq!(events[0]["process"]["command_line"], "/usr/bin/curl http://example.org");
        assert_eq!(events[0]["container"]["pod"]["name"], "web-d");
    }
    let unknown = backend.all("/api/v1/events?pid=9").await;
    assert_eq!(
        unknown[0]["process"],
        serde_json::json!({"pid": 9, "start_time": 10_000_000, "generation": 0})
    );
}

#[tokio::test]
async fn the_documentation_is_served() {
    let backend = Backend::start().await;
    let document = backend.get("/api/v1/openapi.json").await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let schemas = &document["components"]["schemas"];
    assert!(schemas["Alert"]["properties"]["process_chain"].is_object());
    for (schema, key) in [
        ("FileEvent", "path"),
        ("NetworkEvent", "remote"),
        ("DnsEvent", "questions"),
        ("SystemEvent", "arguments"),
    ] {
        assert!(schemas[schema]["properties"][key].is_object(), "{schema}: {}", schemas[schema]);
        assert!(schemas[schema]["properties"]["type"].is_object(), "{schema}: {}", schemas[schema]);
    }
}

#[tokio::test]
async fn an_act_is_shown_with_what_it_was_done_to() {
    let backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let actor = process(7, None, &["/bin/app"]);
    let acts = crate::records::acts();
    let source = SourceId::generate();
    publisher.send(source, 1, &[Record::Process(Box::new(actor.clone()))]).await;
    publisher.acknowledged(Lane::Entity, 1).await;
    let mut records = vec![];
    for (number, kind) in (0..).zip(acts) {
        records.push(Record::Event(Event {
            time: Timestamp(Timestamp::now().0 + number),
            process: actor.reference,
            container: None,
            kind,
        }));
    }
    publisher.send(source, 1, &records).await;
    publisher.acknowledged(Lane::Telemetry, 4).await;
    for (act, field, value) in [
        ("rename", "/kind/path", "/var/log/auth.log"),
        ("rename", "/kind/other_path", "/tmp/gone"),
        ("rename", "/kind/path_source", "kernel"),
        ("connect", "/kind/remote/address", "203.0.113.9"),
        ("dns", "/kind/questions/0/name", "pool.example"),
        ("ptrace", "/kind/arguments/0/value", "PTRACE_ATTACH"),
    ] {
        let events = backend.all(&format!("/api/v1/events?type={act}")).await;
        let [event] = events.as_slice() else { panic!("{act}: {events:#?}") };
        assert_eq!(event["kind"]["type"], act);
        assert_eq!(event["process"]["pid"], 7);
        let told = event.pointer(field).and_then(Value::as_str);
        assert_eq!(told, Some(value), "{field} in {event:#}");
    }
    let both = backend.all("/api/v1/events?type=dns,connect").await;
    assert_eq!(both.len(), 2, "{both:#?}");
}
