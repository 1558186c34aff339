//! Who may do what: tokens, certificates, roles, and the record of what was asked for.

use crate::client::{client_with, get, install_tls, request};
use api_server::{ApiServer, Authorization, Options, Right, TOKEN, User};
use k8s_openapi::api::core::v1::{Node, Pod, Secret};
use kube::api::ListParams;
use kube::{Api, Client, Error};
use serde_json::{Value, json};

fn collector() -> User {
    User::service_account("defender", "collector")
}

/// A server with a role that grants the collector to list pods and nodes, and a token of his.
fn server() -> (ApiServer, String) {
    let options =
        Options { authorization: Authorization::RoleBased, tls: true, ..Options::default() };
    let server = ApiServer::start_with(options).unwrap();
    server.change(|cluster| {
        cluster.apply([
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                "metadata": {"name": "collector"},
                "rules": [
                    {"apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["list", "watch"]},
                    {"apiGroups": ["apps"], "resources": ["*"], "verbs": ["get"]},
                ],
            }),
            binding("ClusterRoleBinding", None, "ClusterRole"),
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                "metadata": {"name": "collector", "namespace": "defender"},
                "rules": [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["own"], "verbs": ["get"]}],
            }),
            binding("RoleBinding", Some("defender"), "Role"),
        ]);
    });
    let token = server.issue_token(collector());
    (server, token)
}

fn binding(kind: &str, namespace: Option<&str>, role: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
        "metadata": {"name": "collector", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": "collector"},
        "subjects": [{"kind": "ServiceAccount", "name": "collector", "namespace": "defender"}],
    })
}

fn refusal(error: Error) -> (u16, String) {
    match error {
        Error::Api(status) => (status.code, status.message.clone()),
        other => panic!("not told by the server: {other}"),
    }
}

#[tokio::test]
async fn roles_decide_and_what_is_used_of_them_is_known() {
    let (server, token) = server();
    let client = client_with(&server, &token).await;
    Api::<Pod>::all(client.clone()).list(&ListParams::default()).await.unwrap();
    let refused =
        Api::<Secret>::all(client.clone()).list(&ListParams::default()).await.unwrap_err();
    let message = "secrets is forbidden: User \"system:serviceaccount:defender:collector\" cannot list \
                   resource \"secrets\" in API group \"\" at the cluster scope";
    assert_eq!(refusal(refused), (403, message.to_owned()));
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "defender");
    assert_eq!(refusal(secrets.get("own").await.unwrap_err()).0, 404);
    assert_eq!(refusal(secrets.get("other").await.unwrap_err()).0, 403);
    let granted = server.granted(&collector());
    let used = server.used(&collector());
    let right = |resource: &str, verb: &str| Right {
        resource: resource.to_owned(),
        verb: verb.to_owned(),
        ..Right::default()
    };
    assert_eq!(granted.len(), 6, "{granted:#?}");
    assert!(used.contains(&right("pods", "list")), "{used:#?}");
    let unused: Vec<&Right> = granted.difference(&used).collect();
    assert!(unused.contains(&&right("nodes", "watch")), "{unused:#?}");
    assert_eq!(unused.len(), 4, "{unused:#?}");
    assert!(
        server
            .accesses()
            .iter()
            .any(|access| !access.is_allowed && access.attributes.resource == "secrets")
    );
    // What bindings grant from now on counts at once.
    server.change(|cluster| {
        cluster.update("clusterroles", "collector", |role| {
            role["rules"][0]["resources"] = json!(["secrets"]);
        });
    });
    Api::<Secret>::all(client.clone()).list(&ListParams::default()).await.unwrap();
    assert_eq!(
        refusal(Api::<Node>::all(client).list(&ListParams::default()).await.unwrap_err()).0,
        403
    );
}

#[tokio::test]
async fn a_user_may_ask_what_he_may() {
    let (server, token) = server();
    let client = client_with(&server, &token).await;
    let may = async |attributes: Value| {
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}});
        let request = http::Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
            .body(review.to_string().into_bytes())
            .unwrap();
        client.request::<Value>(request).await.unwrap()["status"]["allowed"].as_bool().unwrap()
    };
    assert!(may(json!({"verb": "list", "resource": "pods"})).await);
    assert!(!may(json!({"verb": "delete", "resource": "pods"})).await);
    assert!(
        may(json!({"verb": "get", "resource": "secrets", "name": "own", "namespace": "defender"}))
            .await
    );
    assert!(
        may(json!({"verb": "get", "group": "apps", "resource": "deployments", "namespace": "web"}))
            .await
    );
    client.apiserver_version().await.unwrap();
}

#[tokio::test]
async fn a_rotated_token_ends_the_old_one() {
    let (server, old) = server();
    let new = server.rotate_token(&collector());
    let pods: Api<Pod> = Api::all(client_with(&server, &old).await);
    assert_eq!(
        refusal(pods.list(&ListParams::default()).await.unwrap_err()),
        (401, "Unauthorized".to_owned())
    );
    let pods: Api<Pod> = Api::all(client_with(&server, &new).await);
    pods.list(&ListParams::default()).await.unwrap();
}

#[tokio::test]
async fn a_client_certificate_says_who_comes() {
    let (server, _) = server();
    install_tls();
    let identity =
        server.client_certificate(&User::new("eve").with_group("system:masters")).unwrap();
    let kubeconfig = server.kubeconfig(TOKEN);
    let mut config = kube::Config::from_custom_kubeconfig(
        kube::config::Kubeconfig::from_yaml(&kubeconfig).unwrap(),
        &kube::config::KubeConfigOptions::default(),
    )
    .await
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path.to_str().unwrap().to_owned())
    };
    config.auth_info = kube::config::AuthInfo {
        client_certificate: file("certificate.pem", &identity.certificate),
        client_key: file("key.pem", &identity.key),
        ..kube::config::AuthInfo::default()
    };
    let secrets: Api<Secret> = Api::all(Client::try_from(config).unwrap());
    secrets.list(&ListParams::default()).await.unwrap();
    assert_eq!(server.all_requests().last().unwrap().user.as_deref(), Some("eve"));
}

#[tokio::test]
async fn who_comes_without_credentials_is_refused_or_nobody() {
    let server = ApiServer::start();
    let nobody = [("authorization", "")];
    assert_eq!(get(&server, "/api/v1/pods", &nobody).await.0, 401);
    let options = Options {
        authorization: Authorization::RoleBased,
        admits_anonymous: true,
        ..Options::default()
    };
    let server = ApiServer::start_with(options).unwrap();
    let url = format!("{}/api/v1/pods", server.url());
    let answer = reqwest::Client::new().get(url).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    let status: Value = answer.json().await.unwrap();
    assert!(status["message"].as_str().unwrap().contains("system:anonymous"), "{status}");
    let answer = request(&server, reqwest::Method::GET, "/healthz", &[], None).await;
    assert_eq!(answer.text().await.unwrap(), "ok");
}
