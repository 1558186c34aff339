use crate::cluster::Cluster;
use event_model::FindingSeverity;
use serde_json::{Value, json};

const RBAC: &str = "rbac.authorization.k8s.io/v1";

fn role(namespace: &str, name: &str, rules: &Value) -> Value {
    let (kind, namespace) = if namespace.is_empty() {
        ("ClusterRole", Value::Null)
    } else {
        ("Role", json!(namespace))
    };
    json!({"apiVersion": RBAC, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "rules": rules})
}

fn rule(verbs: &str, group: &str, resources: &str) -> Value {
    let list = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    json!({"verbs": list(verbs), "apiGroups": [group], "resources": list(resources)})
}

fn binding(namespace: &str, name: &str, role: &str, subjects: &[&str]) -> Value {
    let subject = |text: &&str| match text.split('/').collect::<Vec<_>>()[..] {
        ["sa", namespace, name] => {
            json!({"kind": "ServiceAccount", "namespace": namespace, "name": name})
        }
        [kind, name] => {
            json!({"kind": kind, "name": name, "apiGroup": "rbac.authorization.k8s.io"})
        }
        _ => panic!("{text}"),
    };
    let subjects: Vec<_> = subjects.iter().map(subject).collect();
    let (role_kind, role) = role.split_once('/').unwrap();
    let (kind, namespace) = if namespace.is_empty() {
        ("ClusterRoleBinding", Value::Null)
    } else {
        ("RoleBinding", json!(namespace))
    };
    json!({"apiVersion": RBAC, "kind": kind, "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"kind": role_kind, "name": role}, "subjects": subjects})
}

fn cluster(objects: &[Value]) -> Cluster {
    let mut cluster = Cluster::of("");
    cluster.apply(&role("", "cluster-admin", &json!([rule("*", "*", "*")])));
    for object in objects {
        cluster.apply(object);
    }
    cluster
}

fn running(namespace: &str, account: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": account, "namespace": namespace},
        "spec": {"template": {"spec": {"serviceAccountName": account, "containers": []}}}})
}

#[test]
fn who_may_create_pods_beside_a_cluster_admin_can_become_one_and_the_way_is_told() {
    let mut cluster = cluster(&[
        role("shop", "deployer", &json!([rule("create", "", "pods")])),
        binding("shop", "deployer", "Role/deployer", &["sa/shop/web"]),
        binding("", "admin", "ClusterRole/cluster-admin", &["sa/shop/admin"]),
    ]);
    assert_eq!(cluster.found("rbac-cluster-admin"), ["ServiceAccount shop/admin"]);
    let finding = cluster.only("rbac-way-to-cluster-admin");
    assert_eq!((&*finding.object.kind, &*finding.object.name), ("ServiceAccount", "web"));
    assert_eq!(
        finding.evidence,
        [
            "ServiceAccount shop/web → RoleBinding shop/deployer → Role shop/deployer: create pods",
            "ServiceAccount shop/admin → ClusterRoleBinding admin → ClusterRole cluster-admin: all rights → cluster-admin",
        ]
    );
}

fn account(namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}})
}

#[test]
fn a_service_account_that_does_not_exist_is_a_step_for_those_alone_who_can_make_it_or_say_to_be_it()
{
    let core = |verbs: &str, resources: &str| rule(verbs, "", resources);
    for (rules, leads) in [
        (json!([core("create", "pods")]), false),
        (json!([core("create", "serviceaccounts/token")]), false),
        (json!([core("get", "secrets")]), false),
        (json!([core("create", "pods"), core("create", "serviceaccounts")]), true),
        (json!([core("impersonate", "serviceaccounts")]), true),
        (json!([rule("bind", "rbac.authorization.k8s.io", "roles")]), true),
    ] {
        let mut cluster = cluster(&[
            account("shop", "web"),
            role("shop", "deployer", &rules),
            binding("shop", "deployer", "Role/deployer", &["sa/shop/web"]),
            binding("", "admin", "ClusterRole/cluster-admin", &["sa/shop/admin"]),
        ]);
        let ways = cluster.found("rbac-way-to-cluster-admin");
        assert_eq!(ways.len(), usize::from(leads), "{rules}: {ways:?}");
        let told = cluster.only("rbac-cluster-admin").message;
        assert!(told.starts_with("does not exist, and who makes it has all rights"), "{told}");

        cluster.apply(&account("shop", "admin"));
        assert_eq!(cluster.found("rbac-way-to-cluster-admin"), ["ServiceAccount shop/web"]);
        let told = cluster.only("rbac-cluster-admin").message;
        assert!(told.starts_with("has all rights"), "{told}");

        cluster.remove(&account("shop", "admin"));
        assert_eq!(cluster.found("rbac-way-to-cluster-admin"), ways);
    }
}

#[test]
fn every_right_that_leads_to_all_rights_is_a_way() {
    for (rule, told) in [
        (rule("escalate", "rbac.authorization.k8s.io", "clusterroles"), "escalate roles"),
        (rule("bind", "rbac.authorization.k8s.io", "clusterroles"), "bind roles"),
        (rule("impersonate", "", "users"), "impersonate users or groups"),
        (
            rule("patch", "admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
            "change webhook configurations of admission",
        ),
        (
            rule("create", "admissionregistration.k8s.io", "validatingwebhookconfigurations"),
            "change webhook configurations of admission",
        ),
        (
            rule("update", "certificates.k8s.io", "certificatesigningrequests/approval"),
            "approve certificate signing requests",
        ),
        (rule("impersonate", "", "serviceaccounts"), "impersonate service accounts"),
        (rule("create", "", "serviceaccounts/token"), "create serviceaccounts/token"),
        (rule("list", "", "secrets"), "read secrets"),
        (rule("patch", "apps", "daemonsets"), "create pods"),
        (rule("get", "", "nodes/proxy"), "nodes/proxy"),
        (rule("create", "", "*/exec"), "get into pods"),
        (rule("patch", "", "pods/ephemeralcontainers"), "get into pods"),
    ] {
        let mut cluster = cluster(&[
            role("", "some", &json!([rule])),
            binding("", "some", "ClusterRole/some", &["User/eve"]),
            binding("", "admin", "ClusterRole/cluster-admin", &["sa/tools/admin"]),
            running("tools", "admin"),
        ]);
        let finding = cluster.only("rbac-way-to-cluster-admin");
        assert_eq!(finding.object.name, "eve", "{told}");
        assert!(finding.evidence[0].contains(told), "{told}: {:?}", finding.evidence);
    }
}

#[test]
fn rights_that_lead_nowhere_are_no_way() {
    for (rule, namespace) in [
        (rule("get list watch", "", "pods"), "tools"),
        (rule("create", "", "pods"), "elsewhere"),
        (rule("create", "", "pods/exec"), "tools"),
        (rule("impersonate", "", "users"), "tools"),
        (rule("get", "", "nodes/proxy"), "tools"),
        (rule("get", "example.com", "secrets"), "tools"),
    ] {
        // Nothing runs as the admin's account, so nobody gets into its pods.
        let mut cluster = cluster(&[
            role(namespace, "some", &json!([rule])),
            binding(namespace, "some", "Role/some", &["User/eve"]),
            binding("", "admin", "ClusterRole/cluster-admin", &["sa/tools/admin"]),
        ]);
        assert_eq!(cluster.found("rbac-way-to-cluster-admin"), [""; 0], "{rule}");
    }
}

#[test]
fn names_of_resources_limit_a_right_to_those() {
    let limited = |name: &str| {
        let mut rule = rule("create", "", "serviceaccounts/token");
        rule["resourceNames"] = json!([name]);
        cluster(&[
            role("tools", "some", &json!([rule])),
            binding("tools", "some", "Role/some", &["User/eve"]),
            binding("", "admin", "ClusterRole/cluster-admin", &["sa/tools/admin"]),
        ])
        .found("rbac-way-to-cluster-admin")
    };
    assert_eq!(limited("admin"), ["User eve"]);
    assert_eq!(limited("other"), [""; 0]);
}

#[test]
fn a_role_has_the_rights_of_those_that_it_aggregates() {
    let mut taken = role(
        "",
        "extension",
        &json!([rule("escalate", "rbac.authorization.k8s.io", "clusterroles")]),
    );
    taken["metadata"]["labels"] = json!({"aggregate-to-tools": "true"});
    let mut taking = role("", "tools", &json!(null));
    taking["aggregationRule"] =
        json!({"clusterRoleSelectors": [{"matchLabels": {"aggregate-to-tools": "true"}}]});
    let mut cluster = cluster(&[
        taken.clone(),
        taking,
        binding("", "tools", "ClusterRole/tools", &["Group/operators"]),
    ]);
    assert_eq!(cluster.found("rbac-way-to-cluster-admin"), ["Group operators"]);
    cluster.remove(&taken);
    assert_eq!(cluster.found("rbac-way-to-cluster-admin"), [""; 0]);
}

#[test]
fn of_a_groups_members_nothing_is_said_that_is_said_of_the_group() {
    let mut cluster = cluster(&[
        binding("", "all", "ClusterRole/cluster-admin", &["Group/system:serviceaccounts:shop"]),
        role("shop", "reader", &json!([rule("get", "", "configmaps")])),
        binding("shop", "reader", "Role/reader", &["sa/shop/web"]),
        role("shop", "deployer", &json!([rule("create", "", "pods")])),
        binding("shop", "deployer", "Role/deployer", &["User/dev"]),
    ]);
    assert_eq!(cluster.found("rbac-cluster-admin"), ["Group system:serviceaccounts:shop"]);
    assert_eq!(cluster.found("rbac-way-to-cluster-admin"), ["User dev"]);
}

#[test]
fn the_clusters_own_subjects_are_exempt_but_steps_of_ways() {
    let mut cluster = cluster(&[
        binding(
            "",
            "admin",
            "ClusterRole/cluster-admin",
            &["Group/system:masters", "Group/kubeadm:cluster-admins", "sa/kube-system/controller"],
        ),
        role("kube-system", "deployer", &json!([rule("create", "", "pods")])),
        binding("kube-system", "deployer", "Role/deployer", &["User/dev"]),
    ]);
    assert_eq!(cluster.found("rbac-cluster-admin"), [""; 0]);
    assert_eq!(cluster.found("rbac-way-to-cluster-admin"), ["User dev"]);
}

#[test]
fn readers_of_secrets_and_those_who_get_into_pods_are_told_worse_in_the_whole_cluster() {
    let objects = |namespace: &str, kind: &str| {
        [
            role(
                namespace,
                "some",
                &json!([
                    rule("get", "", "secrets"),
                    rule("create", "", "pods/portforward"),
                    rule("*", "example.com", "caches")
                ]),
            ),
            binding(namespace, "some", &format!("{kind}/some"), &["User/eve"]),
        ]
    };
    for (namespace, kind, severity) in
        [("shop", "Role", FindingSeverity::Low), ("", "ClusterRole", FindingSeverity::High)]
    {
        let mut cluster = cluster(&objects(namespace, kind));
        assert_eq!(cluster.only("rbac-secrets-reader").severity, severity);
        assert_eq!(cluster.only("rbac-exec").severity, severity);
        assert_eq!(cluster.found("rbac-wildcard-rights"), ["User eve"]);
    }
}

#[test]
fn everyone_may_have_the_default_rights_and_no_more() {
    let mut cluster = cluster(&[
        role("", "system:discovery", &json!([{"nonResourceURLs": ["/api"], "verbs": ["get"]}])),
        binding(
            "",
            "system:discovery",
            "ClusterRole/system:discovery",
            &["Group/system:authenticated"],
        ),
        role("", "viewer", &json!([rule("get", "", "pods")])),
        binding("", "open", "ClusterRole/viewer", &["User/system:anonymous"]),
        binding("shop", "known", "ClusterRole/viewer", &["Group/system:authenticated"]),
    ]);
    assert_eq!(
        cluster.found("rbac-everyone"),
        [
            "ClusterRoleBinding open [system:anonymous]",
            "RoleBinding shop/known [system:authenticated]"
        ]
    );
    let findings = cluster.settled();
    let open = findings
        .iter()
        .find(|one| one.policy == "rbac-everyone" && one.object.name == "open")
        .unwrap();
    assert_eq!(open.severity, FindingSeverity::Critical);
}

#[test]
fn a_graph_of_thousands_in_a_circle_comes_to_an_end() {
    let mut cluster = cluster(&[]);
    let subjects: Vec<_> =
        (0..2_000).map(|number| format!("sa/ring-{}/a-{number}", number % 100)).collect();
    let subjects: Vec<_> = subjects.iter().map(String::as_str).collect();
    let rights = json!([
        rule("create", "", "pods serviceaccounts/token"),
        rule("impersonate", "", "serviceaccounts")
    ]);
    for number in 0..100 {
        let namespace = format!("ring-{number}");
        cluster.apply(&role(&namespace, "step", &rights));
        // In each namespace the accounts of the one before it may do all.
        let next: Vec<_> = subjects
            .iter()
            .copied()
            .filter(|one| one.starts_with(&format!("sa/ring-{}/", (number + 1) % 100)))
            .collect();
        cluster.apply(&binding(&namespace, "step", "Role/step", &next));
    }
    cluster.apply(&binding("", "everybody", "ClusterRole/none", &subjects));
    cluster.apply(&binding("", "admin", "ClusterRole/cluster-admin", &["sa/ring-0/a-0"]));
    let found = cluster.found("rbac-way-to-cluster-admin");
    assert_eq!(found.len(), 1_999);
    let all = cluster.settled();
    let far = all
        .iter()
        .find(|one| {
            one.policy == "rbac-way-to-cluster-admin"
                && one.object.namespace.as_deref() == Some("ring-99")
        })
        .unwrap();
    assert!(far.evidence.last().unwrap().contains("more steps"), "{:?}", far.evidence);
}
