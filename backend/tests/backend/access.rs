use crate::running::{Backend, PATIENCE};
use reqwest::header::{HOST, ORIGIN, SET_COOKIE};
use std::time::{Duration, Instant};

const TOKEN: &str = "c2VjcmV0LXRva2VuLW9mLXRlc3Rz";

async fn guarded() -> Backend {
    let mut backend = Backend::prepare(|config, folder| {
        std::fs::write(folder.join("token"), TOKEN).unwrap();
        let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        config["api"]["token_file"] = file("token").into();
        config["api"]["certificate_file"] = file("tls.crt").into();
        config["api"]["key_file"] = file("tls.key").into();
        let port = config["api"]["listen"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
        config["api"]["listen"] = format!("0.0.0.0:{port}").into();
    });
    backend.run();
    backend.wait_ready().await;
    backend
}

fn url(backend: &Backend, path: &str) -> String {
    format!("https://localhost:{}{path}", backend.api_port)
}

#[tokio::test]
async fn without_the_token_nothing_is_told() {
    let backend = guarded().await;
    for path in [
        "/api/v1/alerts",
        "/api/v1/sensors",
        "/api/v1/inventory/packages",
        "/api/v1/audit",
        "/api/v1/alerts/stream",
        "/api/v1/alerts/ocsf",
        "/console/status",
        "/api/v1/openapi.json",
        "/nothing",
    ] {
        let answer = backend.http.get(url(&backend, path)).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
        assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
        let wrong =
            backend.http.get(url(&backend, path)).bearer_auth("wrong").send().await.unwrap();
        assert_eq!(wrong.status(), 401, "{path}");
    }
    let page = backend.http.get(url(&backend, "/")).send().await.unwrap();
    assert_eq!(
        (page.status().as_u16(), page.headers()["location"].to_str().unwrap()),
        (303, "/login")
    );
}

#[tokio::test]
async fn the_token_opens_the_api_and_the_form_trades_it_for_a_cookie() {
    let backend = guarded().await;
    let answer =
        backend.http.get(url(&backend, "/api/v1/alerts")).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let login = |token: &str| {
        let body = format!("token={token}");
        let form = "application/x-www-form-urlencoded";
        backend.http.post(url(&backend, "/login")).header("content-type", form).body(body).send()
    };
    let wrong = login("wrong").await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert!(wrong.text().await.unwrap().contains("not the token"));
    let right = login(TOKEN).await.unwrap();
    assert_eq!(right.status(), 303);
    let cookie = right.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    for attribute in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let page = backend.http.get(url(&backend, "/")).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("Log out"));
}

#[tokio::test]
async fn a_renewed_token_counts_without_a_restart() {
    let backend = guarded().await;
    let stream = backend.http.get(url(&backend, "/api/v1/alerts/stream")).bearer_auth(TOKEN);
    let mut stream = stream.send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let renewed = "YW5vdGhlci10b2tlbi1vZi10ZXN0cw==";
    std::fs::write(backend.folder.path().join("token"), renewed).unwrap();
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let answer = backend
            .http
            .get(url(&backend, "/api/v1/alerts"))
            .bearer_auth(renewed)
            .send()
            .await
            .unwrap();
        if answer.status() == 200 {
            break;
        }
        assert!(Instant::now() < deadline, "{}", backend.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let old =
        backend.http.get(url(&backend, "/api/v1/alerts")).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(old.status(), 401);
    let end =
        tokio::time::timeout(PATIENCE, async { while let Ok(Some(_)) = stream.chunk().await {} });
    end.await.expect("the stream that the old token opened ends");
}

#[tokio::test]
async fn names_that_were_pointed_at_the_loopback_and_foreign_pages_are_refused() {
    let backend = Backend::start().await;
    let url = format!("http://127.0.0.1:{}/api/v1/alerts", backend.api_port);
    let rebound = backend.http.get(&url).header(HOST, "rebound.example").send().await.unwrap();
    assert_eq!(rebound.status(), 403);
    assert!(rebound.text().await.unwrap().contains("Host header"));
    let foreign =
        backend.http.get(&url).header(ORIGIN, "http://evil.example").send().await.unwrap();
    assert_eq!(foreign.status(), 403);
    let own = format!("http://127.0.0.1:{}", backend.api_port);
    let same = backend.http.get(&url).header(ORIGIN, own).send().await.unwrap();
    assert_eq!(same.status(), 200);
}

#[tokio::test]
async fn every_answer_forbids_foreign_scripts_and_frames() {
    let backend = Backend::start().await;
    for path in ["/", "/api/v1/alerts", "/assets/console.js", "/nothing"] {
        let answer = backend.answer(path).await;
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
    }
}
