use crate::cluster::Cluster;
use assessment::AssessmentSettings;
use event_model::FindingSource;
use serde_json::json;

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: 'nginx', securityContext: {privileged: true}}
        - {name: proxy, image: 'registry.example.com/proxy:1'}
      volumes: [{name: logs, hostPath: {path: /var/log}}]
";

#[test]
fn a_deployment_offends_by_its_containers_images_and_volumes() {
    let mut cluster = Cluster::of(DEPLOYMENT);
    assert_eq!(cluster.found("no-privileged"), ["Deployment shop/web [web]"]);
    assert_eq!(cluster.found("latest-tag"), ["Deployment shop/web [web]"]);
    let finding = cluster.only("latest-tag");
    assert_eq!(finding.evidence, ["nginx"]);
    assert!(
        finding.message.starts_with("container web (nginx): has an image"),
        "{}",
        finding.message
    );
    let path = cluster.only("host-path");
    assert_eq!((&*path.part, &*path.evidence), ("volume logs", &["/var/log".to_owned()][..]));
    assert_eq!(path.source, FindingSource::Posture);
    assert!(path.tags.contains(&"T1611".to_owned()));
}

#[test]
fn what_is_mended_is_gone_and_so_is_what_is_deleted() {
    let mut cluster = Cluster::of(DEPLOYMENT);
    assert_eq!(cluster.found("no-privileged").len(), 1);
    cluster.apply_yaml(&DEPLOYMENT.replace("privileged: true", "privileged: false"));
    assert_eq!(cluster.found("no-privileged"), [""; 0]);
    cluster.remove(&json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}));
    assert_eq!(cluster.settled(), []);
}

#[test]
fn pods_of_a_deployment_are_not_told_beside_it_but_those_of_an_unknown_kind_are() {
    let pod = |name: &str, owner: &str| {
        format!(
            "
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: shop, ownerReferences: [{owner}]}}
spec: {{hostPID: true, containers: [{{name: web, image: nginx}}]}}
"
        )
    };
    let replica_set =
        "{apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: a, controller: true}";
    let other = "{apiVersion: example.com/v1, kind: Cache, name: web, uid: a, controller: true}";
    let mut cluster =
        Cluster::of(&[pod("a", replica_set), pod("b", other), pod("c", "")].join("---\n"));
    assert_eq!(
        cluster.found("host-namespaces"),
        ["Pod shop/b [pod hostPID]", "Pod shop/c [pod hostPID]"]
    );
    assert_eq!(cluster.found("naked-pod"), ["Pod shop/c [pod c]"]);
    // Adopted by a ReplicaSet.
    cluster.apply_yaml(&pod("c", replica_set));
    assert_eq!(cluster.found("host-namespaces"), ["Pod shop/b [pod hostPID]"]);
}

#[test]
fn an_owner_that_stands_elsewhere_than_in_the_metadata_hides_no_pod() {
    let mut cluster = Cluster::of("");
    let owner = r#""ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"a","uid":"b","controller":true}]"#;
    let pod = format!(
        r#"{{"metadata":{{"name":"a","namespace":"shop","uid":"0e37df36-f698-11e6-8dd4-cb9ced3df976","annotations":{{"a":{}}}}},"spec":{{"hostPID":true,"containers":[{{"name":"a","image":"a"}}],"volumes":[{{"name":"v","ephemeral":{{"volumeClaimTemplate":{{"metadata":{{{owner}}}}}}}}}]}}}}"#,
        json!(owner)
    );
    cluster.assessment.apply("v1", "Pod", pod.as_bytes());
    assert_eq!(cluster.found("host-namespaces"), ["Pod shop/a [pod hostPID]"]);
}

#[test]
fn pods_that_ended_and_exempt_namespaces_are_left_out() {
    let ended = "
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: shop}
spec: {hostPID: true, containers: [{name: web, image: nginx}]}
status: {phase: Succeeded}
";
    let exempt = DEPLOYMENT.replace("namespace: shop", "namespace: kube-system");
    assert_eq!(Cluster::of(&[ended, &exempt].join("---\n")).settled(), []);
}

#[test]
fn services_with_the_same_selector_are_told_until_one_goes() {
    let service = |name: &str| {
        format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: {name}, namespace: shop}}, spec: {{selector: {{app: web}}}}}}\n"
        )
    };
    let mut cluster = Cluster::of(&[service("a"), service("b")].join("---\n"));
    assert_eq!(
        cluster.found("unique-service-selector"),
        ["Service shop/a [service b]", "Service shop/b [service a]"]
    );
    for number in 0..40 {
        cluster.apply_yaml(&service(&format!("more-{number:02}")));
    }
    let told = cluster.found("unique-service-selector");
    assert_eq!(told.len(), 42, "one for each of so many: {told:#?}");
    for number in 0..40 {
        cluster.remove(&json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": format!("more-{number:02}"), "namespace": "shop"}}));
    }
    cluster.remove(&json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "shop"}}));
    assert_eq!(cluster.found("unique-service-selector"), [""; 0]);
}

#[test]
fn a_policy_is_set_and_switched_off_as_in_the_chart() {
    let policies = json!({"no-privileged": {"disabled": true}, "host-path": {"parameters": {"allowedPaths": ["/var/log"]}}});
    let settings = AssessmentSettings {
        policies: serde_json::from_value(policies).unwrap(),
        ..AssessmentSettings::default()
    };
    let mut cluster = Cluster::new(&settings);
    cluster.apply_yaml(DEPLOYMENT);
    assert_eq!(cluster.found("no-privileged"), [""; 0]);
    assert_eq!(cluster.found("host-path"), [""; 0]);
    assert_eq!(cluster.found("latest-tag").len(), 1);
}

#[test]
fn settings_that_nothing_has_are_refused() {
    let settings = AssessmentSettings {
        disabled_checks: ["rbac-exce".to_owned()].into(),
        ..AssessmentSettings::default()
    };
    let error = assessment::Assessment::new(&settings, None).err().unwrap().to_string();
    assert!(error.contains("no check `rbac-exce`"), "{error}");
    assert!(serde_json::from_value::<AssessmentSettings>(json!({"polices": {}})).is_err());
}

/// An object that offends, of each kind that has findings of its own, with this uid.
fn offender(kind: &str, uid: &str) -> serde_json::Value {
    let rbac = "rbac.authorization.k8s.io/v1";
    let mut object = match kind {
        "Deployment" => {
            json!({"apiVersion": "apps/v1", "spec": {"template": {"spec": {"hostPID": true, "containers": [{"name": "a", "image": "b"}]}}}})
        }
        "Service" => {
            json!({"apiVersion": "v1", "spec": {"type": "NodePort", "externalIPs": ["1.2.3.4"], "selector": {"app": "web"}, "ports": [{"port": 80}]}})
        }
        "ClusterRole" => {
            json!({"apiVersion": rbac, "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]})
        }
        _ => {
            json!({"apiVersion": rbac, "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}, "subjects": [{"kind": "Group", "name": "system:unauthenticated"}]})
        }
    };
    object["kind"] = json!(kind);
    object["metadata"] = json!({"name": "same", "uid": uid});
    if !kind.starts_with("Cluster") {
        object["metadata"]["namespace"] = json!("shop");
    }
    object
}

#[test]
fn what_is_deleted_and_created_again_under_its_name_still_offends() {
    let uid = |number| uuid::Uuid::from_u128(number).to_string();
    for kind in ["Deployment", "Service", "ClusterRole", "ClusterRoleBinding"] {
        for number in 1..50 {
            let (former, new) = (offender(kind, &uid(number)), offender(kind, &uid(number << 64)));
            let told = |cluster: &mut Cluster| -> Vec<_> {
                cluster.settled().into_iter().map(|one| (one.policy, one.part)).collect()
            };
            let mut cluster = Cluster::of("");
            cluster.apply(&former);
            let before = told(&mut cluster);
            assert!(!before.is_empty(), "{kind}");
            cluster.remove(&former);
            cluster.apply(&new);
            assert_eq!(told(&mut cluster), before, "{kind}: both seen at once");
            cluster.apply(&former);
            assert_eq!(told(&mut cluster), before, "{kind}: the list shows another");
            cluster.remove(&new);
            assert_eq!(told(&mut cluster), before, "{kind}: the first is gone at the list's end");
            cluster.remove(&former);
            assert_eq!(told(&mut cluster), [], "{kind}");
        }
    }
}
