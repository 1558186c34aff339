//! Pods of a real containerd, named by its Kubernetes interface.

use crate::containerd::{Containerd, PodNames, Sandbox};
use crate::docker::IMAGE;
use crate::expect::container;
use crate::kubernetes::pod_uid;
use crate::sensor::{Node, Sensor, status, unique};
use event_model::Container;

fn pod(name: &str) -> PodNames {
    PodNames {
        uid: pod_uid(),
        name: unique(name),
        namespace: "shop".to_owned(),
        container: "cart".to_owned(),
    }
}

fn sensor(containerd: &Containerd) -> Sensor {
    Sensor::start_on(Node { cri_sockets: vec![containerd.socket()], ..Node::new() })
}

fn expect_named(sensor: &Sensor, id: &str) -> Container {
    sensor.expect(&format!("the pod's name of {id}"), |records| {
        container(records, id)
            .filter(|container| container.pod.as_ref().is_some_and(|pod| pod.name.is_some()))
    })
}

#[test]
fn a_pods_container_and_sandbox_are_named_and_their_programs_attributed() {
    let containerd = Containerd::start();
    let sensor = sensor(&containerd);
    let pod = pod("web");
    let running = Sandbox::run(&containerd.socket(), &pod, &["/bin/sleep", "3601"]);

    let cart = expect_named(&sensor, &running.container);
    assert_eq!(cart.runtime.as_deref(), Some("containerd"));
    assert_eq!(cart.name.as_deref(), Some("cart"));
    assert_eq!(cart.image, Some(format!("docker.io/{IMAGE}")));
    assert_eq!(cart.privileged, Some(false));
    assert!(cart.created_at.is_some());
    let told = cart.pod.expect("a pod");
    assert_eq!(told.uid, pod.uid);
    assert_eq!(told.name.as_deref(), Some(pod.name.as_str()));
    assert_eq!(told.namespace.as_deref(), Some("shop"));
    assert_eq!(told.labels.get("app").map(String::as_str), Some("shop"));
    assert_eq!(told.labels.len(), 1, "kubelet's own are left out: {:?}", told.labels);

    let exec = sensor.expect_exec(&["/bin/sleep", "3601"]);
    assert_eq!(exec.container(), Some(running.container.as_str()), "{exec:?}");
    let sandbox = expect_named(&sensor, &running.id);
    assert_eq!(sandbox.pod.map(|pod| pod.uid), Some(pod.uid));
}

#[test]
fn a_runtime_may_come_late_and_restart() {
    let mut containerd = Containerd::start();
    let before = pod("before");
    let first = Sandbox::run(&containerd.socket(), &before, &["/bin/sleep", "3602"]);
    let sensor = sensor(&containerd);
    let told = expect_named(&sensor, &first.container);
    assert_eq!(told.pod.and_then(|pod| pod.name), Some(before.name));

    containerd.restart();
    let after = pod("after");
    let second = Sandbox::run(&containerd.socket(), &after, &["/bin/sleep", "3603"]);
    let told = expect_named(&sensor, &second.container);
    assert_eq!(told.pod.and_then(|pod| pod.name), Some(after.name));
    sensor.expect("a status without problems of runtimes", |records| {
        let status = status(records)?;
        let problems = status.problems.iter().filter(|problem| problem.contains("runtime"));
        (problems.count() == 0).then_some(())
    });
}
