//! What happens in docker's containers is attributed to them.

use crate::docker::{Container, IMAGE, docker, image, socket};
use crate::expect::{alerts, container};
use crate::kubernetes::pod_uid;
use crate::sensor::{Node, Sensor, unique};

/// A sensor that knows the Docker Engine.
fn sensor() -> Sensor {
    Sensor::start_on(Node { docker_sockets: vec![socket()], ..Node::new() })
}

#[test]
fn a_container_that_lives_for_milliseconds_is_attributed() {
    let sensor = sensor();
    let name = unique("quick");
    let file = sensor.node.path("id");
    let id_file = format!("--cidfile={}", file.display());
    docker(&["run", "--rm", "--network=none", "--name", &name, &id_file, image(), "true", &name]);
    let id = std::fs::read_to_string(file).expect("docker writes the id");

    let exec = sensor.expect_exec(&["true", &name]);
    assert_eq!(exec.container(), Some(id.as_str()), "{exec:?}");
    assert_eq!(exec.process.executable.path, "/bin/busybox", "{exec:?}");
    let known = sensor.expect("the container with its image", |records| {
        container(records, &id).filter(|container| container.image.is_some())
    });
    assert_eq!(known.name.as_deref(), Some(name.as_str()));
    assert_eq!(known.image.as_deref(), Some(IMAGE));
    assert_eq!(known.runtime.as_deref(), Some("docker"));
}

#[test]
fn a_command_of_docker_exec_is_attributed_and_raises_its_alert() {
    let sensor = sensor();
    let name = unique("exec");
    let running = Container::start(&["--name", &name, "--label=team=blue"]);
    sensor.expect("all of the container", |records| {
        container(records, &running.id).filter(|container| container.privileged.is_some())
    });
    let script = format!(": {name}");
    running.exec(&["sh", "-c", &script]);

    let exec = sensor.expect_exec(&["sh", "-c", &script]);
    assert_eq!(exec.container(), Some(running.id.as_str()), "{exec:?}");
    let alert = sensor.expect("the shell's alert", |records| {
        alerts(records).find(|alert| alert.message.contains(&name)).cloned()
    });
    assert_eq!(alert.rule, "Shell in a container");
    let told = alert.container().expect("the alert names its container");
    assert_eq!(told.name.as_deref(), Some(name.as_str()));
    assert_eq!(told.labels.get("team").map(String::as_str), Some("blue"));
    assert_eq!(told.privileged, Some(false));
    assert_eq!(alert.process_chain()[0].reference, exec.process.reference);
    assert!(alert.process_chain().len() > 1, "a chain of parents: {:?}", alert.process_chain());
    assert_eq!(alert.host.node, "node-1");
}

#[test]
fn a_container_below_a_pods_cgroup_belongs_to_that_pod() {
    let sensor = sensor();
    let (name, uid) = (unique("web"), pod_uid());
    let running = Container::start(&[
        &format!("--cgroup-parent={}", kubelet_parent(&uid)),
        "--label=io.kubernetes.pod.namespace=shop",
        "--label=io.kubernetes.container.name=nginx",
        &format!("--label=io.kubernetes.pod.name={name}"),
        &format!("--label=io.kubernetes.pod.uid={uid}"),
    ]);
    let known = sensor.expect("the container with its pod's name", |records| {
        container(records, &running.id)
            .filter(|container| container.pod.as_ref().is_some_and(|pod| pod.name.is_some()))
    });
    let pod = known.pod.expect("a pod");
    assert_eq!(pod.uid, uid);
    assert_eq!(pod.name.as_deref(), Some(name.as_str()));
    assert_eq!(pod.namespace.as_deref(), Some("shop"));
    assert_eq!(known.name.as_deref(), Some("nginx"));
    assert_eq!(known.image.as_deref(), Some(IMAGE));
    assert!(known.cgroup_path.contains(&running.id), "{}", known.cgroup_path);

    running.exec(&["sh", "-c", "true in the pod"]);
    let alert = sensor.expect("the alert of a shell in the pod", |records| {
        alerts(records).find(|alert| alert.message.contains(&format!("pod={name}"))).cloned()
    });
    assert_eq!(
        alert.event().expect("an act").container.as_ref().map(|id| &*id.0),
        Some(running.id.as_str())
    );
}

/// The value of `--cgroup-parent` that gives a container the path that kubelet gives those of a pod.
pub fn kubelet_parent(uid: &str) -> String {
    match docker(&["info", "--format", "{{.CgroupDriver}}"]).as_str() {
        "systemd" => format!("kubepods-burstable-pod{}.slice", uid.replace('-', "_")),
        _ => format!("/kubepods/burstable/pod{uid}"),
    }
}

#[test]
fn a_container_that_ran_before_the_sensor_is_known() {
    let name = unique("early");
    let running = Container::start(&["--name", &name]);
    let sensor = sensor();
    let known = sensor.expect("all of the container", |records| {
        container(records, &running.id).filter(|container| container.privileged.is_some())
    });
    assert_eq!(known.name.as_deref(), Some(name.as_str()));
    running.exec(&["true", &name]);
    let exec = sensor.expect_exec(&["true", &name]);
    assert_eq!(exec.container(), Some(running.id.as_str()), "{exec:?}");
}

#[test]
fn a_container_whose_runtime_does_not_answer_is_attributed_all_the_same() {
    let node = Node::new();
    let socket = node.path("silent.sock");
    let _silent = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let sensor = Sensor::start_on(Node { docker_sockets: vec![socket], ..node });
    let name = unique("nameless");
    let running = Container::start(&[]);
    running.exec(&["true", &name]);
    let exec = sensor.expect_exec(&["true", &name]);
    assert_eq!(exec.container(), Some(running.id.as_str()), "{exec:?}");
    sensor.expect("the trouble with the runtime, in the status", |records| {
        let problems = crate::sensor::status(records)?.problems;
        problems.into_iter().find(|problem| problem.contains("silent.sock"))
    });
}

#[test]
fn what_the_host_does_meanwhile_belongs_to_no_container() {
    let sensor = sensor();
    let name = unique("outside");
    let running = Container::start(&["--name", &name]);
    let status = std::process::Command::new("/bin/true").arg(&name).status().expect("true");
    assert!(status.success());
    let exec = sensor.expect_exec(&["/bin/true", &name]);
    assert_eq!(exec.container(), None, "{exec:?}");
    assert!(sensor.look(|records| container(records, &running.id)).is_some());
}
