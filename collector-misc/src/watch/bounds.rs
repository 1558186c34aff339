use event_model::KubernetesObject;

/// More than real objects have; whoever may create pods could otherwise make records of a megabyte.
const MOST_LABELS: usize = 128;
const MOST_CONTAINERS: usize = 256;
const LONGEST_IMAGE: usize = 1024;

/// Set on an object that was cut down to the bounds.
const TRUNCATED: &str = "truncated";

/// Cuts `object` down to a size that every hop takes, and marks it where that cost something.
pub(crate) fn bounded(mut object: KubernetesObject) -> KubernetesObject {
    let mut is_truncated = false;
    while object.labels.len() > MOST_LABELS {
        object.labels.pop_last();
        is_truncated = true;
    }
    if object.containers.len() > MOST_CONTAINERS {
        object.containers.truncate(MOST_CONTAINERS);
        is_truncated = true;
    }
    for container in &mut object.containers {
        is_truncated |= truncate(&mut container.image);
        is_truncated |= container.image_id.as_mut().is_some_and(truncate);
    }
    if is_truncated {
        object.attributes.insert(TRUNCATED.to_owned(), "true".to_owned());
    }
    object
}

fn truncate(text: &mut String) -> bool {
    if text.len() <= LONGEST_IMAGE {
        return false;
    }
    text.truncate(text.floor_char_boundary(LONGEST_IMAGE));
    true
}

#[cfg(test)]
mod tests {
    use super::bounded;
    use event_model::{KubernetesContainer, KubernetesObject};

    #[test]
    fn an_object_beyond_measure_is_cut_and_marked() {
        let container =
            KubernetesContainer { image: "é".repeat(4000), ..KubernetesContainer::default() };
        let object = KubernetesObject {
            labels: (0..100_000).map(|number| (number.to_string(), "x".to_owned())).collect(),
            containers: vec![container; 5000],
            ..KubernetesObject::default()
        };
        let object = bounded(object);
        assert_eq!(object.attributes["truncated"], "true");
        assert!(serde_json::to_vec(&object).unwrap().len() < 512 << 10);
    }

    #[test]
    fn an_ordinary_object_is_left_as_it_is() {
        let object = KubernetesObject {
            labels: [("app".to_owned(), "shop".to_owned())].into(),
            containers: vec![KubernetesContainer::default()],
            ..KubernetesObject::default()
        };
        assert_eq!(bounded(object.clone()), object);
    }
}
