use super::cluster::{CREATED, digest, metadata};
use serde_json::{Value, json};

/// Images that each node has told of.
const IMAGES: usize = 20;

pub(super) fn name(number: usize) -> String {
    format!("worker-{number:05}")
}

pub(super) fn address(number: usize) -> String {
    format!("10.{}.{}.{}", 64 + number / 65_536, number / 256 % 256, number % 256)
}

pub(super) fn node(number: usize) -> Value {
    let name = name(number);
    let mut metadata = metadata("Node", None, &name);
    metadata["labels"] = json!({
        "beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": "m5.4xlarge",
        "topology.kubernetes.io/region": "eu-central-1",
        "topology.kubernetes.io/zone": format!("eu-central-1{}", ["a", "b", "c"][number % 3]),
    });
    metadata["annotations"] = json!({
        "node.alpha.kubernetes.io/ttl": "0",
        "volumes.kubernetes.io/controller-managed-attach-detach": "true",
    });
    let spec = json!({
        "podCIDR": format!("10.{}.{}.0/24", 128 + number / 256, number % 256),
        "podCIDRs": [format!("10.{}.{}.0/24", 128 + number / 256, number % 256)],
        "providerID": format!("aws:///eu-central-1a/i-{number:017x}"),
    });
    json!({"metadata": metadata, "spec": spec, "status": status(number, &name)})
}

fn status(number: usize, name: &str) -> Value {
    let size = json!({
        "cpu": "16", "ephemeral-storage": "104845292Ki", "hugepages-2Mi": "0", "memory": "64803100Ki",
        "pods": "110",
    });
    let images: Vec<Value> = (0..IMAGES)
        .map(|image| {
            let name = format!("registry.example.com/team/service-{image:03}");
            json!({
                "names": [format!("{name}@{}", digest(&name)), format!("{name}:1.{image}.0")],
                "sizeBytes": 50_000_000 + image,
            })
        })
        .collect();
    json!({
        "addresses": [
            {"type": "InternalIP", "address": address(number)}, {"type": "Hostname", "address": name},
        ],
        "allocatable": size, "capacity": size, "conditions": conditions(),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}, "images": images,
        "nodeInfo": {
            "architecture": "amd64", "bootID": super::cluster::uid("boot", None, name),
            "containerRuntimeVersion": "containerd://2.1.4", "kernelVersion": "6.8.0-1029-aws",
            "kubeProxyVersion": "", "kubeletVersion": "v1.34.2",
            "machineID": super::cluster::uid("machine", None, name).replace('-', ""),
            "operatingSystem": "linux", "osImage": "Ubuntu 24.04.3 LTS",
            "systemUUID": super::cluster::uid("system", None, name),
        },
    })
}

fn conditions() -> Vec<Value> {
    let condition = |kind: &str, is: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": is, "reason": reason, "message": message,
            "lastHeartbeatTime": CREATED, "lastTransitionTime": CREATED,
        })
    };
    vec![
        condition(
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        condition(
            "DiskPressure",
            "False",
            "KubeletHasNoDiskPressure",
            "kubelet has no disk pressure",
        ),
        condition(
            "PIDPressure",
            "False",
            "KubeletHasSufficientPID",
            "kubelet has sufficient PID available",
        ),
        condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ]
}
