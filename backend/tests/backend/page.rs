//! The page in a real browser.

use crate::browser::Browser;
use crate::kubernetes::{facts, finding, scan};
use crate::night::{Sender, bad_night};
use crate::records::{alert, container, container_id, status};
use crate::running::Backend;
use event_model::{Component, Container, FindingSeverity, Priority, Record};

fn url(backend: &Backend, path: &str) -> String {
    format!("http://127.0.0.1:{}{path}", backend.api_port)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_arrive_on_the_open_page_and_what_attackers_write_stays_text() {
    let backend = Backend::start().await;
    let browser = Browser::start(&backend).await;
    let mut sender = Sender::connect(&backend, "node-1").await;
    let payload =
        "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";
    let evil = |priority| {
        let mut place = container('a');
        place.name = Some(payload.into());
        let mut made = alert(payload, priority, &["/bin/sh", "-c", payload], Some(place));
        made.tags = vec![payload.into()];
        made.matched_fields[0].value = payload.into();
        Record::Alert(Box::new(made))
    };
    sender.send(evil(Priority::Critical)).await;
    browser.open(&url(&backend, "/")).await;
    browser.wait_for("document.getElementById('connection').dataset.state === 'live'").await;
    sender.send(evil(Priority::Warning)).await;
    sender.send(status(sender.source, Component::CollectorDs, &[payload])).await;
    browser.wait_for("document.querySelectorAll('#alert-list .alert').length === 2").await;
    browser.wait_for("document.querySelectorAll('#sensor-list .reasons li').length === 1").await;
    for text in [
        "#alert-list .rule",
        "#alert-list .command",
        "#alert-list .tags li",
        "#alert-list .tree li:last-child code",
        "#alert-list dd",
        "#sensor-list .reasons li",
    ] {
        let shown = browser.value(&format!("document.querySelector({text:?}).textContent")).await;
        assert!(shown.as_str().unwrap().contains("<script>"), "{text}: {shown}");
    }
    assert_eq!(
        browser.value("document.title").await,
        "Alerts · Defender",
        "no script of the attacker's ran"
    );
    assert_eq!(
        browser
            .value("document.querySelectorAll('#alerts img, #alerts script, #sensors img').length")
            .await,
        0
    );
    let two = "[...document.querySelectorAll('#alert-list .alert')].map((alert) => alert.innerHTML.replace(/<time.*?time>|\\s+/gs, '').replace(/[0-9a-f-]{36}|detectedafter[^<]*|(critical|warning)/g, ''))";
    let same = browser.value(&format!("new Set({two}).size === 1")).await;
    assert_eq!(
        same,
        true,
        "the script renders what the server renders: {:#}",
        browser.value(two).await
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_metadata_and_a_lost_connection_show_on_the_page() {
    let mut backend = Backend::start().await;
    let browser = Browser::start(&backend).await;
    let mut sender = Sender::connect(&backend, "node-1").await;
    browser.open(&url(&backend, "/")).await;
    browser.wait_for("document.getElementById('connection').dataset.state === 'live'").await;
    assert_eq!(browser.value("document.getElementById('no-alerts').hidden").await, false);
    let bare = Container { id: container_id('e'), ..Container::default() };
    let made = alert("Shell in a container", Priority::Warning, &["/bin/sh"], Some(bare));
    sender.send(Record::Alert(Box::new(made))).await;
    browser.wait_for("document.querySelector('#alert-list .place')?.textContent === 'container eeeeeeeeeeee'").await;
    sender.send(Record::Container(Box::new(container('e')))).await;
    browser
        .wait_for("document.querySelector('#alert-list .place').textContent === 'shop/web-e › app'")
        .await;
    backend.kill();
    browser.wait_for("!document.getElementById('banner').hidden").await;
    browser.look("light", 1280, 800).await;
    browser.picture("stream-down").await;
    backend.run();
    backend.wait_ready().await;
    browser.wait_for("document.getElementById('connection').dataset.state === 'live'").await;
    assert_eq!(browser.value("document.getElementById('banner').hidden").await, true);
    let mut sender = Sender::connect(&backend, "node-1").await;
    let made = alert("After the restart", Priority::Notice, &["/bin/sh"], None);
    sender.send(Record::Alert(Box::new(made))).await;
    browser
        .wait_for("document.querySelector('#alert-list .rule').textContent === 'After the restart'")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn findings_come_and_go_on_the_open_page() {
    let backend = Backend::start().await;
    let browser = Browser::start(&backend).await;
    let mut sender = Sender::connect(&backend, "node-1").await;
    browser.open(&url(&backend, "/")).await;
    assert_eq!(browser.value("document.getElementById('posture').hidden").await, true);
    let payload = "<img src=x onerror=\"document.title='owned'\">";
    let found = vec![finding("web", FindingSeverity::High), finding(payload, FindingSeverity::Low)];
    sender.send(scan(1, vec![facts()])).await;
    sender.send(scan(1, found)).await;
    let places = "[...document.querySelectorAll('#finding-list .where')].map((it) => it.textContent.trim()).join('|')";
    browser.wait_for(&format!("({places}).startsWith('test › shop › Deployment web|')")).await;
    let shown = browser.value(places).await;
    assert!(shown.as_str().unwrap().ends_with(payload), "{shown}");
    assert_eq!(browser.value("document.title").await, "Alerts · Defender");
    let open = "document.querySelector('#cluster-list .state').textContent.trim()";
    assert_eq!(browser.value(open).await, "2 findings");
    sender.send(scan(2, vec![finding("web", FindingSeverity::High)])).await;
    browser.wait_for(&format!("{open} === '1 finding'")).await;
    assert_eq!(
        browser.value("document.querySelectorAll('#finding-list .finding').length").await,
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_alerts_ask_for_the_status_now_and_then_and_a_wrong_filter_stops_none() {
    let backend = Backend::start().await;
    let browser = Browser::start(&backend).await;
    let mut sender = Sender::connect(&backend, "node-1").await;
    browser.open(&url(&backend, "/?minimum_priority=urgent")).await;
    browser.wait_for("document.querySelector('.problem') !== null").await;
    browser.wait_for("document.getElementById('connection').dataset.state === 'live'").await;
    let alerts: Vec<_> = (0..40)
        .map(|number| alert(&format!("rule {number}"), Priority::Notice, &["/bin/sh"], None))
        .map(|made| Record::Alert(Box::new(made)))
        .collect();
    sender.send_at_once(&alerts).await;
    browser.wait_for("document.querySelectorAll('#alert-list .alert').length === 40").await;
    browser.wait_for("document.querySelector('#today li')?.textContent === '40 notice'").await;
    let asked = "performance.getEntriesByType('resource').filter((entry) => entry.name.endsWith('/console/status')).length";
    let asked = browser.value(asked).await.as_u64().unwrap();
    assert!(asked < 20, "the page asked {asked} times for 40 alerts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_opens_the_page() {
    let token = "c2VjcmV0LXRva2VuLW9mLXRlc3Rz";
    let backend = Backend::start_with(|config, folder| {
        std::fs::write(folder.join("token"), token).unwrap();
        config["api"]["token_file"] = folder.join("token").to_str().unwrap().into();
    })
    .await;
    let browser = Browser::start(&backend).await;
    browser.look("light", 900, 600).await;
    let log_in = |token: &str| {
        let field = "document.getElementById('token')";
        format!("({field}.value = {token:?}, {field}.form.submit(), true)")
    };
    browser.open(&url(&backend, "/")).await;
    browser.wait_for("location.pathname === '/login'").await;
    browser.value(&log_in("wrong")).await;
    browser.wait_for("document.querySelector('.login-error') !== null").await;
    browser.picture("login").await;
    browser.value(&log_in(token)).await;
    browser.wait_for("document.getElementById('connection')?.dataset.state === 'live'").await;
    assert_eq!(browser.value("document.cookie").await, "", "scripts cannot read the token");
    browser.value("(document.querySelector('.bar form').submit(), true)").await;
    browser.wait_for("location.pathname === '/login'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_fits_every_window() {
    let backend = Backend::start().await;
    let browser = Browser::start(&backend).await;
    browser.look("light", 1280, 800).await;
    browser.open(&url(&backend, "/")).await;
    browser.picture("empty").await;
    let _publishers = bad_night(&backend).await;
    for (scheme, width, height) in
        [("light", 1440, 1000), ("dark", 1440, 1000), ("dark", 390, 844), ("light", 820, 1100)]
    {
        browser.look(scheme, width, height).await;
        browser.open(&url(&backend, "/")).await;
        browser.wait_for("document.querySelectorAll('#alert-list .alert').length === 6").await;
        browser.wait_for("document.getElementById('connection').dataset.state === 'live'").await;
        browser.picture(&format!("{scheme}-{width}")).await;
        browser.value("document.querySelectorAll('#alert-list .alert:first-child, .sensor:first-child').forEach((card) => { card.open = true })").await;
        browser.picture(&format!("{scheme}-{width}-open")).await;
        let wide = browser
            .value("document.documentElement.scrollWidth > document.documentElement.clientWidth")
            .await;
        assert_eq!(wide, false, "the page is wider than a window of {width} pixels");
    }
    browser.look("light", 1440, 1000).await;
    browser.open(&url(&backend, "/?minimum_priority=critical&namespace=shop")).await;
    browser.picture("filtered").await;
    assert_eq!(browser.value("document.querySelectorAll('#alert-list .alert').length").await, 2);
}
