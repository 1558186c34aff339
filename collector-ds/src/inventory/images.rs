use super::limits;
use super::view::NodeView;
use event_model::{Container, ContainerId, Image, Process};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An image that runs, and the processes that can show its files.
#[derive(Debug)]
pub struct Running {
    /// The image, but for its operating system.
    pub image: Image,
    /// The oldest process of each of its containers.
    pub processes: Vec<Arc<Process>>,
}

/// What tells images of a node apart.
fn key(container: &Container) -> String {
    let known = container.image_digest.as_ref().or(container.image.as_ref());
    known.map_or_else(
        || format!("container/{}", container.id),
        |key| limits::clipped(key, limits::PATH),
    )
}

/// The images that run, by their keys; and how many did not fit.
pub fn running(view: &NodeView) -> (BTreeMap<String, Running>, usize) {
    let mut oldest: BTreeMap<&ContainerId, &Arc<Process>> = BTreeMap::new();
    for process in &view.processes {
        if let Some(id) = &process.container {
            oldest.entry(id).or_insert(process);
        }
    }
    let mut images: BTreeMap<String, Running> = BTreeMap::new();
    let mut left_out = 0;
    for container in &view.containers {
        // One without processes does not run: it is about to, or is gone.
        let Some(process) = oldest.get(&container.id) else { continue };
        let key = key(container);
        if images.len() >= limits::IMAGES && !images.contains_key(&key) {
            left_out += 1;
            continue;
        }
        let running = images.entry(key.clone()).or_insert_with(|| Running {
            image: Image {
                key,
                digest: container.image_digest.clone(),
                reference: container.image.clone(),
                ..Image::default()
            },
            processes: vec![],
        });
        running.image.container_count += 1;
        running.image.containers.push(container.id.clone());
        running.processes.push(Arc::clone(process));
    }
    for Running { image, .. } in images.values_mut() {
        image.containers.sort();
        image.containers.truncate(limits::CONTAINERS_NAMED);
    }
    (images, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(id: &str, image: Option<&str>, digest: Option<&str>) -> Arc<Container> {
        Arc::new(Container {
            id: id.into(),
            image: image.map(str::to_owned),
            image_digest: digest.map(str::to_owned),
            ..Container::default()
        })
    }

    fn process(pid: u32, container: Option<&str>) -> Arc<Process> {
        let mut process = Process { container: container.map(Into::into), ..Process::default() };
        process.reference.key.pid = pid;
        Arc::new(process)
    }

    #[test]
    fn images_are_told_apart_by_their_digests() {
        let view = NodeView {
            containers: vec![
                container("b", Some("web:1"), Some("sha256:1")),
                container("a", Some("web:latest"), Some("sha256:1")),
                container("c", Some("web:1"), None),
                container("d", None, None),
                container("gone", Some("web:1"), Some("sha256:2")),
            ],
            processes: vec![
                process(1, None),
                process(2, Some("a")),
                process(3, Some("b")),
                process(4, Some("a")),
                process(5, Some("c")),
                process(6, Some("d")),
            ],
        };
        let (images, left_out) = running(&view);
        let keys: Vec<_> = images.keys().map(String::as_str).collect();
        assert_eq!((keys, left_out), (vec!["container/d", "sha256:1", "web:1"], 0));
        let web = &images["sha256:1"];
        assert_eq!(web.image.containers, ["a".into(), "b".into()]);
        assert_eq!((web.image.container_count, web.image.reference.as_deref()), (2, Some("web:1")));
        let pids: Vec<_> = web.processes.iter().map(|process| process.reference.key.pid).collect();
        assert_eq!(pids, [3, 2], "the oldest of each");
    }
}
