use super::error::StoreError;
use super::sources::SourceRow;
use event_model::{Event, Timestamp};
use std::sync::Arc;
use std::time::Instant;

/// Where events are kept.
///
/// The writer calls it from one thread: `append` any number of times, then `commit` or
/// `rollback`. Commits of the state follow those of events, so after a crash between the two the
/// same events come again: storing an event that is there already must change nothing.
pub(crate) trait EventStore: Send {
    /// Takes an event into the group under way.
    fn append(&mut self, source: SourceRow, sequence: u64, event: &Event)
    -> Result<(), StoreError>;

    /// Makes the group durable.
    fn commit(&mut self) -> Result<(), StoreError>;

    /// Forgets the group.
    fn rollback(&mut self);

    /// Bytes that events take on disk.
    fn bytes(&self) -> Result<u64, StoreError>;

    /// Removes the oldest events in the largest piece that can go cheaply. None where there is
    /// nothing to remove.
    fn remove_oldest(&mut self) -> Result<Option<Removed>, StoreError>;

    /// For queries, from any thread.
    fn reader(&self) -> Arc<dyn EventReader>;
}

/// What was removed to make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Removed {
    /// How many events.
    pub(crate) events: u64,
    /// No event before this moment is left.
    pub(crate) before: Timestamp,
}

/// Reads events.
pub(crate) trait EventReader: Send + Sync {
    /// The newest events that match and lie after `after` in that order, at most `limit`.
    fn page(
        &self,
        filter: &EventFilter,
        after: Option<&EventCursor>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<StoredEvent>, StoreError>;
}

/// Which events to read. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// At this moment or later.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// Names of kinds; empty: all.
    pub kinds: Vec<String>,
    /// Of this cluster.
    pub cluster: Option<String>,
    /// On this node.
    pub node: Option<String>,
    /// In the container of this id, beginning of an id (12 digits or more), or name.
    pub container: Option<String>,
    /// In a pod of this namespace.
    pub namespace: Option<String>,
    /// In the pod of this name.
    pub pod: Option<String>,
    /// By this process id.
    pub pid: Option<u32>,
    /// By a process of this executable: its path, or the name of the file.
    pub executable: Option<String>,
}

/// An event's place in the order of events, the newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventCursor {
    /// The file, as days since 1970. None: events whose time cannot be right.
    pub day: Option<i32>,
    /// Nanoseconds since 1970.
    pub time: i64,
    /// The source's number.
    pub source: i64,
    /// The sequence, as the database orders it.
    pub sequence: i64,
}

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredEvent {
    pub(crate) source: SourceRow,
    pub(crate) sequence: u64,
    pub(crate) event: Event,
    pub(crate) cursor: EventCursor,
}
