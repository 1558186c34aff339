use super::{ContainerCgroup, parse};
use proptest::prelude::*;

const ID: &str = "3f5e9c1d7a2b4c6d8e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f";
const OUTER: &str = "a94f8e3c2b1d0f9e8d7c6b5a49382716f5e4d3c2b1a0f9e8d7c6b5a493827160";
const POD: &str = "6b8a1c3e-5d7f-4a2b-9c1d-3e5f7a9b1c2d";
const STATIC_POD: &str = "f8d2a1b3c4e5f60718293a4b5c6d7e8f";

/// A path in which `{id}`, `{outer}`, `{pod}`, `{pod_}` (underscores) and `{static}` stand for the constants.
fn path(shape: &str) -> String {
    shape
        .replace("{id}", ID)
        .replace("{outer}", OUTER)
        .replace("{pod}", POD)
        .replace("{pod_}", &POD.replace('-', "_"))
        .replace("{static}", STATIC_POD)
}

/// Shape, runtime and pod of cgroups that are a container's own.
#[rustfmt::skip]
const CONTAINERS: &[(&str, Option<&str>, Option<&str>)] = &[
    // docker alone: cgroupfs and systemd drivers, --cgroup-parent, and as a user's rootless daemon.
    ("/docker/{id}", Some("docker"), None),
    ("/system.slice/docker-{id}.scope", Some("docker"), None),
    ("/actions_job/{id}", None, None),
    ("/my.slice/docker-{id}.scope", Some("docker"), None),
    ("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{id}.scope", Some("docker"), None),
    ("/system.slice:docker:{id}", Some("docker"), None),
    // Kubernetes with the cgroupfs driver: guaranteed, burstable, best effort, static pods.
    ("/kubepods/pod{pod}/{id}", None, Some(POD)),
    ("/kubepods/burstable/pod{pod}/{id}", None, Some(POD)),
    ("/kubepods/besteffort/pod{pod}/{id}", None, Some(POD)),
    ("/kubepods/burstable/pod{static}/{id}", None, Some(STATIC_POD)),
    ("/kubepods/besteffort/pod{pod}/crio-{id}", Some("cri-o"), Some(POD)),
    ("/custom-root/kubepods/burstable/pod{pod}/{id}", None, Some(POD)),
    // Kubernetes with the systemd driver.
    ("/kubepods.slice/kubepods-pod{pod_}.slice/cri-containerd-{id}.scope", Some("containerd"), Some(POD)),
    ("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{pod_}.slice/cri-containerd-{id}.scope", Some("containerd"), Some(POD)),
    ("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{pod_}.slice/cri-containerd-{id}.scope", Some("containerd"), Some(POD)),
    ("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{static}.slice/cri-containerd-{id}.scope", Some("containerd"), Some(STATIC_POD)),
    ("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{pod_}.slice/crio-{id}.scope", Some("cri-o"), Some(POD)),
    ("/kubepods.slice/kubepods-pod{pod_}.slice/docker-{id}.scope", Some("docker"), Some(POD)),
    // A kubelet with the systemd driver over a containerd with the cgroupfs driver.
    ("/kubepods-besteffort-pod{pod_}.slice:cri-containerd:{id}", Some("containerd"), Some(POD)),
    ("/system.slice/containerd.service/kubepods-burstable-pod{pod_}.slice:cri-containerd:{id}", Some("containerd"), Some(POD)),
    // kind: the node is a docker container, its kubelet has a root of its own.
    ("/docker/{outer}/kubelet/kubepods/burstable/pod{pod}/{id}", None, Some(POD)),
    ("/docker/{outer}/kubepods/besteffort/pod{pod}/{id}", None, Some(POD)),
    ("/kubelet/kubepods/besteffort/pod{pod}/{id}", None, Some(POD)),
    ("/system.slice/docker-{outer}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod{pod_}.slice/cri-containerd-{id}.scope", Some("containerd"), Some(POD)),
    ("/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{pod_}.slice/cri-containerd-{id}.scope", Some("containerd"), Some(POD)),
    ("/system.slice/docker-{outer}.scope/kubelet/kubepods/pod{pod}/{id}", None, Some(POD)),
    // Docker in docker, and docker in a pod.
    ("/docker/{outer}/docker/{id}", Some("docker"), None),
    ("/system.slice/docker-{outer}.scope/docker/{id}", Some("docker"), None),
    ("/kubepods/besteffort/pod{pod}/{outer}/docker/{id}", Some("docker"), Some(POD)),
    // podman: root with either driver, in a podman pod, rootless, and with split cgroups.
    ("/machine.slice/libpod-{id}.scope", Some("podman"), None),
    ("/libpod_parent/libpod-{id}", Some("podman"), None),
    ("/machine.slice/machine-libpod_pod_{outer}.slice/libpod-{id}.scope", Some("podman"), None),
    ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{id}.scope", Some("podman"), None),
    ("/system.slice/web.service/libpod-payload-{id}", Some("podman"), None),
    // containerd without Kubernetes: nerdctl, and its namespaces.
    ("/default/{id}", Some("containerd"), None),
    ("/system.slice/nerdctl-{id}.scope", Some("containerd"), None),
    ("/k8s.io/{id}", Some("containerd"), None),
    // Amazon ECS on EC2: the task's id, then the container's.
    ("/ecs/0123456789abcdef0123456789abcdef/{id}", None, None),
    ("/ecs/cluster/9781c248-0edd-4cdb-9a93-f63cb662a5d3/{id}", None, None),
];

#[test]
fn each_runtimes_own_cgroups_are_read() {
    for (shape, runtime, pod) in CONTAINERS {
        let path = path(shape);
        let expected = ContainerCgroup {
            id: ID,
            runtime: *runtime,
            pod_uid: pod.map(str::to_owned),
            own_path: &path,
        };
        assert_eq!(parse(&path), Some(expected), "{path}");
    }
}

#[test]
fn a_cgroup_below_a_containers_own_belongs_to_the_container() {
    for (shape, ..) in CONTAINERS {
        let own = path(shape);
        for below in
            ["init", "container", "system.slice/nginx.service", "user.slice/a:b", "kubelet"]
        {
            let path = format!("{own}/{below}");
            let found = parse(&path).unwrap_or_else(|| panic!("nothing found in {path}"));
            assert_eq!((found.id, found.own_path), (ID, own.as_str()), "{path}");
        }
    }
}

#[test]
fn what_is_not_a_container_is_left_to_the_host() {
    #[rustfmt::skip]
    let hosts = [
        "", "/", "//", "/init.scope", "/docker", "/system.slice/docker.service", "/user.slice/user-0.slice/session-1.scope",
        "/kubepods", "/kubepods/burstable/pod{pod}", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{pod_}.slice",
        // The monitor of a container runs on the host.
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{pod_}.slice/crio-conmon-{id}.scope",
        "/machine.slice/libpod-conmon-{id}.scope",
        // Mount units name layers by digits too.
        "/system.slice/var-lib-docker-overlay2-{id}-merged.mount",
        "/system.slice/run-docker-runtime\\x2drunc-moby-{id}-runc.abc.mount",
        "/system.slice/var-lib-containers-storage-overlay-{id}-merged.mount",
        // Too short, too long, not lower-case hexadecimal.
        "/docker/3f5e9c1d7a2b", "/docker/{id}0", "/docker/3F5E9C1D7A2B4C6D8E0F1A2B3C4D5E6F708192A3B4C5D6E7F8091A2B3C4D5E6F",
        "/docker/buildkit/ow3qfx5rxm7akm2i34fiiz2vl", "/lxc/web", "/machine.slice/systemd-nspawn@web.service",
        "/x:y:z", "/:", "/unknown-{id}.scope",
    ];
    for shape in hosts {
        let path = path(shape);
        assert_eq!(parse(&path), None, "{path}");
    }
}

#[test]
fn a_monitor_inside_a_container_belongs_to_that_container() {
    let path = path("/docker/{outer}/machine.slice/libpod-conmon-{id}.scope");
    assert_eq!(parse(&path).map(|found| found.id), Some(OUTER));
}

#[test]
fn a_pods_uid_must_be_one() {
    for name in
        ["pod", "pod123", "pod6b8a1c3e-5d7f-4a2b-9c1d", "podg8d2a1b3c4e5f60718293a4b5c6d7e8f"]
    {
        let path = format!("/kubepods/{name}/{ID}");
        assert_eq!(parse(&path).expect("the container is named").pod_uid, None, "{path}");
    }
}

/// Pieces of real paths in any order, with noise between.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("/".to_owned()),
        Just("docker-".to_owned()),
        Just("crio-conmon-".to_owned()),
        Just("cri-containerd:".to_owned()),
        Just(".slice".to_owned()),
        Just(".scope".to_owned()),
        Just("-pod".to_owned()),
        Just("/pod".to_owned()),
        Just(ID.to_owned()),
        Just(POD.to_owned()),
        Just("é\u{0}\u{fffd}".to_owned()),
        "[0-9a-f]{60,68}",
        "\\PC{0,8}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_path_yields_a_valid_id_or_none(path in pieces()) {
        if let Some(found) = parse(&path) {
            prop_assert_eq!(found.id.len(), 64);
            prop_assert!(found.id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
            prop_assert!(path.starts_with(found.own_path) && found.own_path.contains(found.id));
            let owned = path[found.own_path.len()..].chars().next();
            prop_assert!(owned.is_none_or(|next| next == '/'));
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic(path in ".*") {
        parse(&path);
    }
}
