use anyhow::Context;
use uuid::Uuid;

/// What the chart fills from the pod's `metadata.name`.
const POD_NAME: &str = "POD_NAME";
/// In a pod, its name too.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// The name by which this run holds a Lease: the pod's, for people, and a random part, since the next run of the same pod is
/// another.
pub(super) fn make(pod: &str) -> anyhow::Result<String> {
    let pod = match pod {
        "" => std::env::var(POD_NAME).or_else(|_| host_name())?,
        pod => pod.to_owned(),
    };
    Ok(format!("{pod}_{}", Uuid::new_v4()))
}

fn host_name() -> anyhow::Result<String> {
    let name = std::fs::read_to_string(HOST_NAME)
        .with_context(|| format!("reading {HOST_NAME}; set leadership.pod instead"))?;
    Ok(name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::make;

    #[test]
    fn each_run_has_an_identity_of_its_own_that_names_its_pod() {
        let (one, other) = (make("misc-1").unwrap(), make("misc-1").unwrap());
        assert!(one.starts_with("misc-1_"), "{one}");
        assert_ne!(one, other);
        assert!(make("").unwrap().split_once('_').is_some_and(|(pod, _)| !pod.is_empty()));
    }
}
