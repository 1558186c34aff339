use event_model::{Container, Pod};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pauses between questions about a container that no runtime knows grow from the first to the second.
const ASK_AGAIN_AFTER: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(5));

/// A container, and how far it is known.
pub(super) struct Known {
    container: Arc<Container>,
    metadata: Metadata,
    next_pause: Duration,
    /// How many cgroups belong to it.
    pub cgroups: usize,
    /// The entity was sent.
    pub announced: bool,
}

/// How the questions to the runtimes stand.
enum Metadata {
    DueAt(Instant),
    Asked,
    Whole,
}

impl Known {
    pub fn new(container: Container, now: Instant) -> Self {
        Self {
            container: Arc::new(container),
            metadata: Metadata::DueAt(now),
            next_pause: ASK_AGAIN_AFTER.0,
            cgroups: 0,
            announced: false,
        }
    }

    pub const fn container(&self) -> &Arc<Container> {
        &self.container
    }

    pub fn is_due(&self, now: Instant) -> bool {
        matches!(self.metadata, Metadata::DueAt(at) if at <= now)
    }

    pub fn asked(&mut self) {
        self.metadata = Metadata::Asked;
    }

    pub fn ask_later(&mut self, now: Instant) {
        if !matches!(self.metadata, Metadata::Whole) {
            self.metadata = Metadata::DueAt(now + self.next_pause);
            self.next_pause = (self.next_pause * 2).min(ASK_AGAIN_AFTER.1);
        }
    }

    /// Adds what a runtime told; returns the entity where that changed it.
    pub fn complete(&mut self, told: Container, whole: bool) -> Option<Arc<Container>> {
        if whole {
            self.metadata = Metadata::Whole;
        }
        let completed = merge(&self.container, told);
        if completed == *self.container {
            return None;
        }
        self.container = Arc::new(completed);
        Some(Arc::clone(&self.container))
    }
}

/// What a runtime told, over what was known. What the kernel showed stands: the id, the cgroup,
/// and the pod that the cgroup lies in.
fn merge(known: &Container, told: Container) -> Container {
    Container {
        id: known.id.clone(),
        runtime: told.runtime.or_else(|| known.runtime.clone()),
        name: told.name.or_else(|| known.name.clone()),
        image: told.image.or_else(|| known.image.clone()),
        image_digest: told.image_digest.or_else(|| known.image_digest.clone()),
        pod: merge_pods(known.pod.as_ref(), told.pod),
        labels: if told.labels.is_empty() { known.labels.clone() } else { told.labels },
        privileged: told.privileged.or(known.privileged),
        cgroup_path: known.cgroup_path.clone(),
        created_at: told.created_at.or(known.created_at),
        mounts: told.mounts.or_else(|| known.mounts.clone()),
    }
}

fn merge_pods(known: Option<&Pod>, told: Option<Pod>) -> Option<Pod> {
    let Some(mut told) = told else { return known.cloned() };
    if let Some(known) = known {
        told.uid.clone_from(&known.uid);
    }
    Some(told)
}
