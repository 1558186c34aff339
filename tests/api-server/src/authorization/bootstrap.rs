use crate::store::Store;
use serde_json::{Value, json};

/// Puts the roles in place that every cluster has from its start.
pub fn bootstrap(store: &mut Store) {
    for (name, rules, group) in roles() {
        let labels = json!({"kubernetes.io/bootstrapping": "rbac-defaults"});
        let annotations = json!({"rbac.authorization.kubernetes.io/autoupdate": "true"});
        let metadata = json!({"name": name, "labels": labels, "annotations": annotations});
        store.create("clusterroles", json!({"metadata": metadata, "rules": rules}));
        let api = "rbac.authorization.k8s.io";
        store.create(
            "clusterrolebindings",
            json!({
                "metadata": metadata,
                "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": name},
                "subjects": [{"apiGroup": api, "kind": "Group", "name": group}],
            }),
        );
    }
}

/// Name, rules, and the group that they are granted to.
fn roles() -> Vec<(&'static str, Value, &'static str)> {
    let discovery = [
        "/api",
        "/api/*",
        "/apis",
        "/apis/*",
        "/healthz",
        "/livez",
        "/openapi",
        "/openapi/*",
        "/readyz",
        "/version",
        "/version/",
    ];
    let public = ["/healthz", "/livez", "/readyz", "/version", "/version/"];
    let reviews = ["selfsubjectaccessreviews", "selfsubjectrulesreviews"];
    vec![
        (
            "cluster-admin",
            json!([
                {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
                {"nonResourceURLs": ["*"], "verbs": ["*"]},
            ]),
            "system:masters",
        ),
        (
            "system:basic-user",
            json!([
                {"apiGroups": ["authorization.k8s.io"], "resources": reviews, "verbs": ["create"]},
                {
                    "apiGroups": ["authentication.k8s.io"],
                    "resources": ["selfsubjectreviews"], "verbs": ["create"],
                },
            ]),
            "system:authenticated",
        ),
        (
            "system:discovery",
            json!([{"nonResourceURLs": discovery, "verbs": ["get"]}]),
            "system:authenticated",
        ),
        (
            "system:public-info-viewer",
            json!([{"nonResourceURLs": public, "verbs": ["get"]}]),
            "system:unauthenticated",
        ),
    ]
}
