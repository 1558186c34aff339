//! Alerts about requests to the API server of Kubernetes.

use crate::publisher::Publisher;
use crate::records::{alert, audit_alert, container};
use crate::running::Backend;
use event_model::{Lane, Priority, Record, SourceId};
use serde_json::Value;

async fn with_alerts() -> Backend {
    let backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "control-1").await;
    let act = alert("Shell in a container", Priority::Warning, &["/bin/sh"], Some(container('a')));
    let records = [act, audit_alert("Command in a pod")].map(|it| Record::Alert(Box::new(it)));
    publisher.send(SourceId::generate(), 1, &records).await;
    publisher.acknowledged(Lane::Alert, 2).await;
    backend
}

#[tokio::test]
async fn the_api_tells_who_asked_for_what_from_where() {
    let backend = with_alerts().await;
    let alerts = backend.all("/api/v1/alerts?rule=Command%20in%20a%20pod&namespace=shop").await;
    let [alert] = alerts.as_slice() else { panic!("{alerts:#?}") };
    for (field, value) in [
        ("/node", "control-1"),
        ("/audit/user/name", "eve@example.com"),
        ("/audit/verb", "create"),
        ("/audit/object/resource", "pods"),
        ("/audit/object/subresource", "exec"),
        ("/audit/object/namespace", "shop"),
        ("/audit/source_ips/0", "203.0.113.9"),
        ("/audit/node", "control-1"),
    ] {
        assert_eq!(alert.pointer(field).and_then(Value::as_str), Some(value), "{field}: {alert:#}");
    }
    assert_eq!(alert["audit"]["response_code"], 101);
    for absent in ["kind", "container", "command_line"] {
        assert_eq!(alert[absent], Value::Null, "{absent}");
    }
    assert_eq!(alert["process_chain"], serde_json::json!([]));
    let by_pod = backend.all("/api/v1/alerts?pod=web").await;
    assert_eq!(by_pod.len(), 1, "{by_pod:#?}");
    let acts = backend.all("/api/v1/alerts?rule=Shell%20in%20a%20container").await;
    assert_eq!((&acts[0]["audit"], &acts[0]["kind"]["type"]), (&Value::Null, &"exec".into()));
}

#[tokio::test]
async fn the_page_shows_the_request() {
    let backend = with_alerts().await;
    let html = backend.answer("/").await.text().await.unwrap();
    for shown in [
        "create pods/exec web",
        "Kubernetes API › namespace shop",
        "eve@example.com",
        "203.0.113.9",
        "kubectl/v1.36",
        "pods/exec web in shop",
        "101",
    ] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
}
