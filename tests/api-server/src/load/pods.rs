use super::cluster::{CREATED, PODS_OF_DEPLOYMENT, digest, metadata, uid};
use super::nodes;
use serde_json::{Value, json};

fn deployment_name(number: usize) -> String {
    format!("app-{number:05}")
}

fn replica_set_name(number: usize) -> String {
    format!("{}-7d9f8b6c5", deployment_name(number))
}

/// The pod's name ends as names that are generated do.
pub(super) fn name(number: usize) -> String {
    let letters = b"bcdfghjklmnpqrstvwxz2456789";
    let suffix: String = (0..5_u32)
        .map(|place| {
            letters[(number * 7_919 + 13) / letters.len().pow(place) % letters.len()] as char
        })
        .collect();
    format!("{}-{suffix}", replica_set_name(number / PODS_OF_DEPLOYMENT))
}

pub(super) fn address(number: usize) -> String {
    format!("10.{}.{}.{}", 128 + number / 65_536, number / 256 % 256, number % 256)
}

fn image(number: usize) -> String {
    format!("registry.example.com/team/service-{:03}", number % 200)
}

fn labels(deployment: usize) -> Value {
    json!({
        "app.kubernetes.io/instance": deployment_name(deployment),
        "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/name": format!("service-{:03}", deployment % 200),
        "app.kubernetes.io/version": "1.4.2",
        "pod-template-hash": "7d9f8b6c5",
    })
}

fn owner(api_version: &str, kind: &str, namespace: &str, name: &str) -> Value {
    json!([{
        "apiVersion": api_version, "kind": kind, "name": name, "uid": uid(kind, Some(namespace), name),
        "controller": true, "blockOwnerDeletion": true,
    }])
}

pub(super) fn deployment(namespace: &str, number: usize) -> Value {
    let mut metadata = metadata("Deployment", Some(namespace), &deployment_name(number));
    metadata["labels"] = labels(number);
    metadata["generation"] = json!(1);
    let replicas = PODS_OF_DEPLOYMENT;
    let mut spec = template_spec(number);
    spec["progressDeadlineSeconds"] = json!(600);
    spec["revisionHistoryLimit"] = json!(10);
    spec["strategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}});
    let status = json!({
        "observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas,
        "readyReplicas": replicas, "availableReplicas": replicas,
    });
    json!({"metadata": metadata, "spec": spec, "status": status})
}

pub(super) fn replica_set(namespace: &str, number: usize) -> Value {
    let mut metadata = metadata("ReplicaSet", Some(namespace), &replica_set_name(number));
    metadata["labels"] = labels(number);
    metadata["generation"] = json!(1);
    metadata["ownerReferences"] =
        owner("apps/v1", "Deployment", namespace, &deployment_name(number));
    let replicas = PODS_OF_DEPLOYMENT;
    let status = json!({
        "observedGeneration": 1, "replicas": replicas, "fullyLabeledReplicas": replicas,
        "readyReplicas": replicas, "availableReplicas": replicas,
    });
    json!({"metadata": metadata, "spec": template_spec(number), "status": status})
}

/// What a Deployment and its ReplicaSet have in common.
fn template_spec(number: usize) -> Value {
    let mut pod = spec(number * PODS_OF_DEPLOYMENT, 1);
    if let Value::Object(pod) = &mut pod {
        pod.remove("nodeName");
    }
    json!({
        "replicas": PODS_OF_DEPLOYMENT, "selector": {"matchLabels": labels(number)},
        "template": {"metadata": {"labels": labels(number)}, "spec": pod},
    })
}

/// The pod `number` of a cluster with so many nodes: 4 to 6 KiB.
pub(super) fn pod(namespace: &str, number: usize, nodes: usize) -> Value {
    let deployment = number / PODS_OF_DEPLOYMENT;
    let mut metadata = metadata("Pod", Some(namespace), &name(number));
    let replica_set = replica_set_name(deployment);
    metadata["generateName"] = json!(format!("{replica_set}-"));
    metadata["labels"] = labels(deployment);
    metadata["annotations"] = json!({
        "prometheus.io/port": "9090", "prometheus.io/scrape": "true",
        "checksum/config": digest(&replica_set),
    });
    metadata["ownerReferences"] = owner("apps/v1", "ReplicaSet", namespace, &replica_set);
    metadata["managedFields"] = managed_fields(&uid("ReplicaSet", Some(namespace), &replica_set));
    json!({"metadata": metadata, "spec": spec(number, nodes), "status": status(number, nodes)})
}

fn spec(number: usize, nodes: usize) -> Value {
    let token = json!({
        "name": "kube-api-access", "projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        ]},
    });
    let toleration = |key: &str| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
    json!({
        "containers": [container(number)], "dnsPolicy": "ClusterFirst", "enableServiceLinks": true,
        "nodeName": nodes::name(number % nodes), "preemptionPolicy": "PreemptLowerPriority",
        "priority": 0, "restartPolicy": "Always", "schedulerName": "default-scheduler",
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "serviceAccount": "workload", "serviceAccountName": "workload",
        "terminationGracePeriodSeconds": 30,
        "tolerations": [toleration("node.kubernetes.io/not-ready"), toleration("node.kubernetes.io/unreachable")],
        "volumes": [token, {"name": "tmp", "emptyDir": {}}],
    })
}

fn container(number: usize) -> Value {
    let probe = |path: &str| {
        json!({
            "httpGet": {"path": path, "port": "http", "scheme": "HTTP"}, "failureThreshold": 3,
            "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1,
        })
    };
    json!({
        "name": "main", "image": format!("{}:1.4.2", image(number / PODS_OF_DEPLOYMENT)),
        "imagePullPolicy": "IfNotPresent", "args": ["--listen=:8080", "--log-format=json"],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
            {"name": "GOMEMLIMIT", "value": "230MiB"},
            {"name": "DATABASE_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}},
        ],
        "ports": [
            {"name": "http", "containerPort": 8080, "protocol": "TCP"},
            {"name": "metrics", "containerPort": 9090, "protocol": "TCP"},
        ],
        "livenessProbe": probe("/livez"), "readinessProbe": probe("/readyz"),
        "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
        },
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},
            {
                "name": "kube-api-access", "readOnly": true,
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            },
        ],
    })
}

fn status(number: usize, nodes: usize) -> Value {
    let kinds =
        ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];
    let conditions: Vec<Value> = kinds
        .iter()
        .map(|kind| json!({"type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": CREATED}))
        .collect();
    let image = image(number / PODS_OF_DEPLOYMENT);
    let container = json!({
        "name": "main", "image": format!("{image}:1.4.2"), "imageID": format!("{image}@{}", digest(&image)),
        "containerID": format!("containerd://{}", &digest(&format!("container-{number}"))[7..]),
        "ready": true, "started": true, "restartCount": 0, "lastState": {},
        "state": {"running": {"startedAt": CREATED}},
    });
    let host = nodes::address(number % nodes);
    json!({
        "phase": "Running", "qosClass": "Burstable", "startTime": CREATED, "conditions": conditions,
        "containerStatuses": [container], "hostIP": host, "hostIPs": [{"ip": host}],
        "podIP": address(number), "podIPs": [{"ip": address(number)}],
    })
}

/// What the controller of ReplicaSets and the kubelet say that they have set.
fn managed_fields(replica_set: &str) -> Value {
    let main = json!({
        ".": {}, "f:args": {}, "f:env": {}, "f:image": {}, "f:imagePullPolicy": {}, "f:livenessProbe": {},
        "f:name": {}, "f:ports": {}, "f:readinessProbe": {}, "f:resources": {}, "f:securityContext": {},
        "f:terminationMessagePath": {}, "f:terminationMessagePolicy": {}, "f:volumeMounts": {},
    });
    let owner = format!("k:{{\"uid\":\"{replica_set}\"}}");
    let condition = |kind: &str| format!("k:{{\"type\":\"{kind}\"}}");
    let set = json!({".": {}, "f:lastProbeTime": {}, "f:lastTransitionTime": {}, "f:status": {}, "f:type": {}});
    json!([
        {
            "manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1",
            "time": CREATED, "fieldsType": "FieldsV1", "fieldsV1": {
                "f:metadata": {
                    "f:annotations": {".": {}, "f:checksum/config": {}, "f:prometheus.io/port": {}, "f:prometheus.io/scrape": {}},
                    "f:generateName": {}, "f:labels": {".": {}, "f:app.kubernetes.io/instance": {}, "f:app.kubernetes.io/name": {}, "f:pod-template-hash": {}},
                    "f:ownerReferences": {".": {}, owner: {}},
                },
                "f:spec": {
                    "f:containers": {"k:{\"name\":\"main\"}": main}, "f:dnsPolicy": {}, "f:enableServiceLinks": {},
                    "f:restartPolicy": {}, "f:schedulerName": {}, "f:securityContext": {}, "f:serviceAccount": {},
                    "f:serviceAccountName": {}, "f:terminationGracePeriodSeconds": {}, "f:volumes": {},
                },
            },
        },
        {
            "manager": "kubelet", "operation": "Update", "apiVersion": "v1", "subresource": "status",
            "time": CREATED, "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {
                "f:conditions": {condition("ContainersReady"): set, condition("Initialized"): set, condition("Ready"): set},
                "f:containerStatuses": {}, "f:hostIP": {}, "f:hostIPs": {}, "f:phase": {}, "f:podIP": {},
                "f:podIPs": {}, "f:startTime": {},
            }},
        },
    ])
}
