//! Objects in our words, read straight from the bytes that the API server sent: what is not told is passed over, not kept.

mod bounded;
mod cluster_event;
mod configuration;
mod containers;
mod definition;
mod metadata;
mod node;
mod pod;
mod workload;

pub(crate) use definition::Definition;
pub(crate) use metadata::{Metadata, beginning, read as read_metadata};

use super::bounds::bounded;
use super::kind::{Kind, Reading};
use event_model::{KubernetesEvent, KubernetesObject};

/// What is told of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Object(Box<KubernetesObject>),
    Event(Box<KubernetesEvent>),
    /// Nothing, but to those who conclude from it.
    Nothing,
}

/// Reads an object of a kind.
pub(crate) fn read(kind: &Kind, object: &str) -> Result<(Metadata, Told), serde_json::Error> {
    let (metadata, object) = match kind.reading {
        Reading::Pod => pod::read(object)?,
        Reading::Node => node::read(object)?,
        Reading::Workload => workload::read(object)?,
        Reading::Definition => definition::read(object)?,
        Reading::Parts(parts) => configuration::read(object, parts)?,
        Reading::Metadata => (metadata::read(object)?, KubernetesObject::default()),
        Reading::Event => {
            let (metadata, event) = cluster_event::read(object)?;
            return Ok((metadata, Told::Event(Box::new(event))));
        }
        Reading::Unsent => return Ok((metadata::read(object)?, Told::Nothing)),
    };
    let object = whole(kind, &metadata, object);
    Ok((metadata, Told::Object(Box::new(bounded(object)))))
}

/// What is particular to the kind, with what every object has.
pub(crate) fn whole(
    kind: &Kind,
    metadata: &Metadata,
    particular: KubernetesObject,
) -> KubernetesObject {
    KubernetesObject {
        api_version: kind.api_version(),
        kind: kind.kind.to_string(),
        namespace: metadata.namespace.clone(),
        name: metadata.name.clone(),
        uid: metadata.uid.clone(),
        resource_version: metadata.resource_version.clone(),
        created_at: metadata.created_at,
        owners: metadata.owners.clone(),
        labels: metadata.labels.clone(),
        ..particular
    }
}
