use std::borrow::Cow;
use std::fmt;

/// A kind of object that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_field_names)] // The API's word for it.
pub(crate) struct Kind {
    /// Empty for the core group.
    pub(crate) group: Cow<'static, str>,
    /// Such as `v1`.
    pub(crate) version: Cow<'static, str>,
    /// Such as `Pod`.
    pub(crate) kind: Cow<'static, str>,
    /// The kind's name in URLs, such as `pods`.
    pub(crate) plural: Cow<'static, str>,
    /// What is told of its objects.
    pub(crate) reading: Reading,
    /// Whether a server may lack it.
    pub(crate) presence: Presence,
    /// What a server that sends only some of the objects is asked for (`fieldSelector`).
    pub(crate) field_selector: Option<&'static str>,
}

/// How objects of a kind are put in our words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// A pod, with its containers as they run.
    Pod,
    /// A node, with its versions and addresses.
    Node,
    /// What makes pods by a template: its containers, and its `spec`.
    Workload,
    /// A `CustomResourceDefinition`, without its schemas.
    Definition,
    /// These top-level parts are its configuration.
    Parts(&'static [&'static str]),
    /// Metadata alone: the server is asked for no more, and sends no contents.
    Metadata,
    /// What a part of Kubernetes noted about an object.
    Event,
    /// Nothing is told of the object itself: others conclude from it.
    Unsent,
}

/// Where a kind is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// By each server.
    Always,
    /// By some: those of later versions, those with an extension.
    WhereServed,
    /// As long as there is a `CustomResourceDefinition` for it.
    ByDefinition,
}

impl Kind {
    /// Such as `v1` or `apps/v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// The path of all its objects in all namespaces.
    pub(crate) fn path(&self) -> String {
        let Self { group, version, plural, .. } = self;
        if group.is_empty() {
            format!("/api/{version}/{plural}")
        } else {
            format!("/apis/{group}/{version}/{plural}")
        }
    }

    /// Whether a definition makes it.
    pub(crate) fn is_defined(&self) -> bool {
        self.presence == Presence::ByDefinition
    }

    /// The name of the kind as a label of metrics: there are as many as the table has, whatever definitions say.
    pub(crate) fn label(&self) -> Cow<'static, str> {
        match self.kind {
            Cow::Borrowed(kind) => Cow::Borrowed(kind),
            Cow::Owned(_) => Cow::Borrowed("Other"),
        }
    }
}

impl fmt::Display for Kind {
    /// As people write it: `pods`, `deployments.apps`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plural)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}
