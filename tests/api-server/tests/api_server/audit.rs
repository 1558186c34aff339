//! Audit events, as a webhook receives them.

use crate::client::{get, install_tls, poll, request};
use api_server::{
    ApiServer, AuditConfig, AuditLevel, AuditPolicy, Authority, Batch, Options, User,
};
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use axum_server::tls_rustls::RustlsConfig;
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A webhook over mutual TLS that keeps what it receives, and fails at first.
struct Webhook {
    lists: Arc<Mutex<Vec<Value>>>,
    config: AuditConfig,
}

#[derive(Clone)]
struct Receiving {
    lists: Arc<Mutex<Vec<Value>>>,
    failures: Arc<Mutex<u32>>,
}

async fn receive(State(receiving): State<Receiving>, body: String) -> StatusCode {
    let mut failures = receiving.failures.lock().unwrap();
    if *failures > 0 {
        *failures -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    receiving.lists.lock().unwrap().push(serde_json::from_str(&body).unwrap());
    StatusCode::OK
}

impl Webhook {
    fn start(failures: u32) -> Self {
        install_tls();
        let authority = Authority::new().unwrap();
        let mut tls = authority.tls(&authority.server(&["127.0.0.1"]).unwrap()).unwrap();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let lists = Arc::<Mutex<Vec<Value>>>::default();
        let receiving =
            Receiving { lists: Arc::clone(&lists), failures: Arc::new(Mutex::new(failures)) };
        let router = Router::new().route("/audit", post(receive)).with_state(receiving);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let tls = RustlsConfig::from_config(Arc::new(tls));
        let server = axum_server::from_tcp_rustls(listener, tls).unwrap();
        tokio::spawn(server.serve(router.into_make_service()));
        let mut config = AuditConfig::new(&format!("https://{address}/audit"));
        config.authority = Some(authority.pem.clone());
        config.client = Some(authority.client(&User::new("kube-apiserver")).unwrap());
        config.batch.max_wait = Duration::from_millis(50);
        config.batch.initial_backoff = Duration::from_millis(20);
        Self { lists, config }
    }

    fn events(&self) -> Vec<Value> {
        let lists = self.lists.lock().unwrap();
        lists.iter().flat_map(|list| list["items"].as_array().unwrap().clone()).collect()
    }

    async fn expect(&self, what: &str, is_expected: impl Fn(&Value) -> bool) -> Value {
        poll(what, || {
            let events = self.events();
            events
                .iter()
                .find(|event| is_expected(event))
                .cloned()
                .ok_or_else(|| format!("{events:#?}"))
        })
        .await
    }
}

fn server(audit: AuditConfig) -> ApiServer {
    ApiServer::start_with(Options { audit: Some(audit), ..Options::default() }).unwrap()
}

const POLICY: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    nonResourceURLs: [/healthz*]
  - level: Metadata
    resources: [{group: \"\", resources: [secrets]}]
  - level: RequestResponse
    verbs: [create]
  - level: Metadata
";

#[tokio::test]
async fn each_request_is_told_as_the_policy_says_though_the_webhook_fails_at_first() {
    let mut webhook = Webhook::start(2);
    webhook.config.policy = AuditPolicy::from_yaml(POLICY).unwrap();
    let server = server(webhook.config.clone());
    let post = async |kind: &str| {
        let path = format!("/api/v1/namespaces/default/{kind}");
        let body = json!({"metadata": {"name": "a"}, "data": {"a": "YQ=="}});
        request(&server, reqwest::Method::POST, &path, &[], Some(body)).await
    };
    get(&server, "/healthz", &[]).await;
    post("secrets").await;
    assert_eq!(post("configmaps").await.status(), 201);
    let event = webhook
        .expect("the creation", |event| event["objectRef"]["resource"] == "configmaps")
        .await;
    assert_eq!(event["stage"], "ResponseComplete");
    assert_eq!(event["level"], "RequestResponse");
    assert_eq!(event["user"]["username"], "kubernetes-admin");
    assert_eq!(event["requestObject"]["data"]["a"], "YQ==");
    assert_eq!(event["responseObject"]["metadata"]["name"], "a");
    assert_eq!(event["responseStatus"]["code"], 201);
    assert_eq!(event["annotations"]["authorization.k8s.io/decision"], "allow");
    let secret =
        webhook.expect("the secret", |event| event["objectRef"]["resource"] == "secrets").await;
    assert!(secret["requestObject"].is_null(), "{secret}");
    assert!(webhook.events().iter().all(|event| event["requestURI"] != "/healthz"));
    assert!(webhook.events().iter().all(|event| event["stage"] != "RequestReceived"));
    let list = webhook.lists.lock().unwrap()[0].clone();
    assert_eq!(
        (&list["kind"], &list["apiVersion"]),
        (&json!("EventList"), &json!("audit.k8s.io/v1"))
    );
}

#[tokio::test]
async fn watches_have_a_start_and_refusals_a_reason() {
    let webhook = Webhook::start(0);
    let server = server(webhook.config.clone());
    get(&server, "/api/v1/pods?watch=true&timeoutSeconds=1", &[]).await;
    get(&server, "/api/v1/nodes/none", &[]).await;
    get(&server, "/api/v1/pods", &[("authorization", "Bearer wrong")]).await;
    for stage in ["RequestReceived", "ResponseStarted", "ResponseComplete"] {
        webhook.expect(stage, |event| event["verb"] == "watch" && event["stage"] == stage).await;
    }
    let missing =
        webhook.expect("the missing node", |event| event["responseStatus"]["code"] == 404).await;
    assert_eq!(missing["responseStatus"]["reason"], "NotFound");
    let stranger =
        webhook.expect("the stranger", |event| event["responseStatus"]["code"] == 401).await;
    assert_eq!(stranger["user"], json!({}));
}

#[tokio::test]
async fn what_does_not_fit_the_buffer_is_dropped_and_what_is_not_taken_given_up() {
    let mut webhook = Webhook::start(1000);
    webhook.config.policy = AuditPolicy::all(AuditLevel::Metadata);
    webhook.config.policy.omit_stages = vec!["RequestReceived".to_owned()];
    webhook.config.batch = Batch {
        buffer: 3,
        max_size: 5,
        max_wait: Duration::from_secs(1),
        initial_backoff: Duration::from_millis(5),
    };
    let server = server(webhook.config.clone());
    let requests = (0..300).map(|_| get(&server, "/version", &[]));
    futures::future::join_all(requests).await;
    poll("events dropped and given up", || {
        let counts = server.audit_counts();
        if counts.failed + counts.dropped == 300 && counts.failed > 0 {
            Ok(())
        } else {
            Err(format!("{counts:?}"))
        }
    })
    .await;
    assert_eq!(server.audit_counts().delivered, 0);
}

#[test]
fn the_configuration_is_a_kubeconfig() {
    let yaml = "
apiVersion: v1
kind: Config
clusters: [{name: defender, cluster: {server: \"https://a.example.com/audit\", certificate-authority-data: UEVN}}]
users: [{name: api-server, user: {token: abc}}]
contexts: [{name: default, context: {cluster: defender, user: api-server}}]
current-context: default
";
    let config = AuditConfig::from_kubeconfig(yaml).unwrap();
    assert_eq!(config.url, "https://a.example.com/audit");
    assert_eq!(config.authority.as_deref(), Some("PEM"));
    assert_eq!(config.token.as_deref(), Some("abc"));
    assert!(AuditConfig::from_kubeconfig("clusters: []").is_err());
}
