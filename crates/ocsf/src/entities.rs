//! What events refer to: processes, containers and hosts as their records told them, within a bound of bytes.

use event_model::{Container, ContainerId, Host, Process, ProcessRef, Record, SourceId};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What an entity costs beside its texts: itself, and its places in the two maps.
const OVERHEAD_BYTES: usize = 512;

/// The entities of a stream, fed with its records. What was not asked for the longest time gives way to what is new.
pub struct Entities {
    maximum_bytes: usize,
    bytes: usize,
    clock: u64,
    known: HashMap<Key, Entry>,
    by_use: BTreeMap<u64, Key>,
}

/// Each run of a collector tells its entities anew, and process ids hold within one boot alone: so an entity belongs to
/// the source that told it.
type Key = (SourceId, Name);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Name {
    Process(ProcessRef),
    Container(ContainerId),
    Host,
}

struct Entry {
    entity: Entity,
    bytes: usize,
    used: u64,
}

#[derive(Clone)]
enum Entity {
    Process(Arc<Process>),
    Container(Arc<Container>),
    Host(Arc<Host>),
}

impl Entities {
    /// None yet, and later as many as take about `maximum_bytes`.
    pub fn new(maximum_bytes: usize) -> Self {
        let (known, by_use) = (HashMap::new(), BTreeMap::new());
        Self { maximum_bytes, bytes: 0, clock: 0, known, by_use }
    }

    /// Takes note of a record, where it is of an entity that events refer to.
    pub fn note(&mut self, source: SourceId, record: &Record) {
        match record {
            Record::Process(process) => {
                let bytes = bytes_of_process(process);
                let name = Name::Process(process.reference);
                self.insert((source, name), Entity::Process(Arc::new((**process).clone())), bytes);
            }
            Record::Container(container) => {
                let bytes = bytes_of_container(container);
                let name = Name::Container(container.id.clone());
                let entity = Entity::Container(Arc::new((**container).clone()));
                self.insert((source, name), entity, bytes);
            }
            Record::Host(host) => {
                self.insert((source, Name::Host), Entity::Host(Arc::new(host.clone())), 0);
            }
            _ => {}
        }
    }

    /// The process as it was.
    pub fn process(&mut self, source: SourceId, process: ProcessRef) -> Option<Arc<Process>> {
        match self.look_up((source, Name::Process(process)))? {
            Entity::Process(process) => Some(process),
            _ => None,
        }
    }

    /// The container of that id.
    pub fn container(&mut self, source: SourceId, id: &ContainerId) -> Option<Arc<Container>> {
        match self.look_up((source, Name::Container(id.clone())))? {
            Entity::Container(container) => Some(container),
            _ => None,
        }
    }

    /// The host that the source runs on.
    pub fn host(&mut self, source: SourceId) -> Option<Arc<Host>> {
        match self.look_up((source, Name::Host))? {
            Entity::Host(host) => Some(host),
            _ => None,
        }
    }

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn insert(&mut self, key: Key, entity: Entity, bytes: usize) {
        self.forget(&key);
        let bytes = bytes + OVERHEAD_BYTES;
        self.clock += 1;
        self.bytes += bytes;
        self.by_use.insert(self.clock, key.clone());
        self.known.insert(key, Entry { entity, bytes, used: self.clock });
        while self.bytes > self.maximum_bytes {
            let Some((_, oldest)) = self.by_use.first_key_value() else { return };
            let oldest = oldest.clone();
            self.forget(&oldest);
        }
    }

    fn look_up(&mut self, key: Key) -> Option<Entity> {
        let entry = self.known.get_mut(&key)?;
        self.clock += 1;
        self.by_use.remove(&entry.used);
        entry.used = self.clock;
        self.by_use.insert(self.clock, key);
        Some(entry.entity.clone())
    }

    fn forget(&mut self, key: &Key) {
        if let Some(entry) = self.known.remove(key) {
            self.bytes -= entry.bytes;
            self.by_use.remove(&entry.used);
        }
    }
}

fn bytes_of_process(process: &Process) -> usize {
    let arguments = process.arguments.iter().map(|text| text.len() + size_of::<String>());
    arguments.sum::<usize>()
        + process.executable.path.len()
        + process.executable.invoked_as.len()
        + process.working_directory.len()
        + process.name.len()
}

fn bytes_of_container(container: &Container) -> usize {
    let of_labels = |labels: &BTreeMap<String, String>| {
        let labels = labels.iter().map(|(name, value)| name.len() + value.len() + 64);
        labels.sum::<usize>()
    };
    of_labels(&container.labels)
        + container.pod.as_ref().map_or(0, |pod| of_labels(&pod.labels) + 256)
        + container.cgroup_path.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::ProcessKey;

    fn process(pid: u32) -> Record {
        let reference = ProcessRef { key: ProcessKey { pid, start_time: 1 }, generation: 0 };
        let arguments = vec!["x".repeat(1000)];
        Record::Process(Box::new(Process { reference, arguments, ..Process::default() }))
    }

    fn reference(pid: u32) -> ProcessRef {
        ProcessRef { key: ProcessKey { pid, start_time: 1 }, generation: 0 }
    }

    #[test]
    fn what_was_asked_for_lately_stays_within_the_bound() {
        let source = SourceId::generate();
        let mut entities = Entities::new(20_000);
        entities.note(source, &process(1));
        for pid in 2..1000 {
            entities.note(source, &process(pid));
            assert!(entities.process(source, reference(1)).is_some(), "asked for at {pid}");
            assert!(entities.bytes() <= 20_000);
        }
        assert!(entities.process(source, reference(999)).is_some(), "the newest");
        assert!(entities.process(source, reference(2)).is_none(), "the oldest");
        assert_eq!(entities.known.len(), entities.by_use.len());
    }

    #[test]
    fn an_entity_that_is_told_again_takes_its_place_once() {
        let source = SourceId::generate();
        let mut entities = Entities::new(1 << 20);
        (0..10).for_each(|_| entities.note(source, &process(1)));
        assert_eq!((entities.known.len(), entities.by_use.len()), (1, 1));
        let once = entities.bytes();
        entities.note(source, &process(1));
        assert_eq!(entities.bytes(), once);
    }

    #[test]
    fn a_process_of_another_source_is_another() {
        let mut entities = Entities::new(1 << 20);
        entities.note(SourceId::generate(), &process(1));
        assert!(entities.process(SourceId::generate(), reference(1)).is_none());
    }
}
