use crate::kubernetes::{facts, finding, scan};
use crate::publisher::Publisher;
use crate::records::{alert, container, status};
use crate::running::Backend;
use event_model::{Component, FindingSeverity, Lane, Priority, Record, SourceId};

async fn page(backend: &Backend, path: &str) -> String {
    let answer = backend.answer(path).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.unwrap()
}

#[tokio::test]
async fn an_empty_page_says_what_to_do() {
    let backend = Backend::start().await;
    let html = page(&backend, "/").await;
    assert!(html.contains("No sensor has connected yet") && html.contains("backend.url"), "{html}");
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let source = SourceId::generate();
    publisher.send(source, 1, &[status(source, Component::CollectorDs, &[])]).await;
    publisher.acknowledged(Lane::Alert, 1).await;
    let html = page(&backend, "/").await;
    assert!(html.contains("The sensors are watching") && html.contains("kubectl exec"), "{html}");
    let html = page(&backend, "/?namespace=shop&rule=").await;
    assert!(html.contains("No alert passes this filter"), "{html}");
    let html = page(&backend, "/?minimum_priority=urgent").await;
    assert!(html.contains("The filter was not applied"), "{html}");
    assert!(html.contains("data-query=\"\""), "the stream is not asked for it: {html}");
}

#[tokio::test]
async fn what_attackers_write_is_never_markup() {
    let backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let payload = "<script>document.title='owned'</script><img src=x onerror=alert(1)>";
    let mut evil = container('a');
    evil.name = Some(payload.into());
    evil.image = Some(format!("\"'>{payload}"));
    let mut made = alert(payload, Priority::Critical, &["/bin/sh", "-c", payload], Some(evil));
    made.tags = vec![payload.into()];
    made.matched_fields[0].value = payload.into();
    let source = SourceId::generate();
    let told = status(source, Component::CollectorDs, &[payload]);
    publisher.send(source, 1, &[Record::Alert(Box::new(made)), told]).await;
    publisher.acknowledged(Lane::Alert, 2).await;
    let html = page(&backend, "/").await;
    assert!(!html.contains("<script>document") && !html.contains("<img src=x"), "{html}");
    assert!(html.matches("&#60;script&#62;").count() >= 6, "it is shown as text: {html}");
    let html = page(&backend, "/?rule=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert!(!html.contains("<script>alert"), "{html}");
}

#[tokio::test]
async fn the_page_shows_alerts_and_sensors_and_older_pages() {
    let backend = Backend::start().await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let source = SourceId::generate();
    let records: Vec<_> = (0..60)
        .map(|number| {
            Record::Alert(Box::new(alert(
                &format!("rule {number}"),
                Priority::Error,
                &["/bin/sh"],
                Some(container('a')),
            )))
        })
        .collect();
    publisher.send(source, 1, &records).await;
    publisher
        .send(source, 61, &[status(source, Component::CollectorDs, &["no BTF in this kernel"])])
        .await;
    publisher.acknowledged(Lane::Alert, 61).await;
    let html = page(&backend, "/").await;
    assert!(html.contains("shop/web-a › app"), "{html}");
    assert!(html.contains("no BTF in this kernel"));
    assert_eq!(html.matches("<details class=\"alert\"").count(), 51, "fifty, and the template");
    let link = html.split("href=\"/?cursor=").nth(1).unwrap().split('"').next().unwrap();
    let older = page(&backend, &format!("/?cursor={link}")).await;
    assert_eq!(older.matches("<details class=\"alert\"").count(), 11);
    assert!(older.contains("These are older alerts"));
}

#[tokio::test]
async fn the_page_shows_clusters_and_their_worst_findings() {
    let backend = Backend::start().await;
    let html = page(&backend, "/").await;
    assert!(html.contains("<section id=\"posture\" aria-labelledby=\"posture-heading\" hidden>"));
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    let payload = "<img src=x onerror=alert(1)>";
    let findings =
        (0..40).map(|number| finding(&format!("{payload}{number}"), FindingSeverity::Low));
    let findings = findings.chain([finding("web", FindingSeverity::Critical)]).collect();
    let records = [scan(1, vec![facts()]), scan(1, findings)];
    publisher.send(SourceId::generate(), 1, &records).await;
    publisher.acknowledged(Lane::Inventory, 2).await;
    let html = page(&backend, "/").await;
    assert!(html.contains("v1.34.1 · k3s · 2 nodes") && html.contains("41 findings"), "{html}");
    let first = html.split("<details class=\"sensor finding\"").nth(1).unwrap();
    assert!(first.contains("critical") && first.contains("shop › Deployment web"), "{first}");
    assert!(first.contains("leave spec.hostNetwork out"), "{first}");
    assert_eq!(html.matches("<details class=\"sensor finding\"").count(), 31, "and the template");
    assert!(html.contains("and <span>11</span> more"), "{html}");
    assert!(!html.contains("<img src=x"), "{html}");
}
