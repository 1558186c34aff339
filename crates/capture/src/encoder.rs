use crate::{Head, MAGIC, RuleFile, VERSION, frame};
use detection::Act;
use event_model::{Alert, AuditEvent, Container, Process};
use proto::wire;
use proto::wire::capture_entry::Entry;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// Of so many processes, and of so many containers, it is remembered that they stand in the file already. Those that are
/// forgotten come again.
const MOST_REMEMBERED: usize = 8192;

/// Appends entries to memory, from which they go to a file in the same order.
#[derive(Debug, Default)]
pub struct Encoder {
    processes: Told<Process>,
    containers: Told<Container>,
}

/// Which entities stand in the file, by where they stand in memory. As long as this holds a weak reference nothing
/// else can come to stand there, and what changes is moved elsewhere.
#[derive(Debug)]
struct Told<T> {
    numbers: HashMap<usize, (Weak<T>, u64)>,
    count: u64,
}

impl<T> Default for Told<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), count: 0 }
    }
}

impl Encoder {
    /// Begins a capture: appends what every file begins with.
    pub fn begin(head: &Head, bytes: &mut Vec<u8>) -> Self {
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        let head = wire::CaptureHead {
            version: head.version.clone(),
            began_at: head.began_at.0,
            host: Some((&head.host).into()),
        };
        frame::append(Entry::Head(head), bytes);
        Self::default()
    }

    /// Appends the rules that are asked from here on. False where they are too large to be kept.
    pub fn rules(&mut self, files: &[RuleFile], bytes: &mut Vec<u8>) -> bool {
        let file = |file: &RuleFile| wire::CapturedRuleFile {
            name: file.name.clone(),
            text: file.text.clone(),
        };
        let files = files.iter().map(file).collect();
        frame::append(Entry::Rules(wire::CapturedRules { files }), bytes)
    }

    /// Appends an act, behind those whom it refers to and who do not stand in the file yet. `process`, `ancestors` and
    /// `container` are those of the act.
    pub fn act<'p>(
        &mut self,
        act: &Act<'_>,
        process: &Arc<Process>,
        ancestors: impl Iterator<Item = &'p Arc<Process>>,
        container: Option<&Arc<Container>>,
        bytes: &mut Vec<u8>,
    ) {
        let process = self.process(process, bytes);
        let ancestors = ancestors.map(|ancestor| self.process(ancestor, bytes)).collect();
        let container = container.map_or(0, |container| {
            self.containers.number(container, || Entry::Container((&**container).into()), bytes)
        });
        let act = wire::CapturedAct {
            event: Some(act.event.into()),
            process,
            ancestors,
            container,
            remote_name: act.remote_name.map(str::to_owned),
            is_on_sensor: act.is_on_sensor,
            login_name: act.login_name.map(str::to_owned),
            group_name: act.group_name.map(str::to_owned),
        };
        frame::append(Entry::Act(act), bytes);
    }

    fn process(&mut self, process: &Arc<Process>, bytes: &mut Vec<u8>) -> u64 {
        self.processes.number(process, || Entry::Process((&**process).into()), bytes)
    }

    /// Appends a request to the API server of Kubernetes.
    pub fn request(&mut self, event: &AuditEvent, bytes: &mut Vec<u8>) {
        frame::append(Entry::Request(event.into()), bytes);
    }

    /// Appends an alert that the last act or request raised.
    pub fn alert(&mut self, alert: &Alert, bytes: &mut Vec<u8>) {
        frame::append(Entry::Alert(alert.into()), bytes);
    }

    /// Appends the end.
    pub fn end(self, reason: &str, bytes: &mut Vec<u8>) {
        frame::append(Entry::End(wire::CaptureEnd { reason: reason.to_owned() }), bytes);
    }
}

impl<T> Told<T> {
    /// The number of an entity; appends it where it does not stand in the file.
    fn number(
        &mut self,
        entity: &Arc<T>,
        entry: impl FnOnce() -> Entry,
        bytes: &mut Vec<u8>,
    ) -> u64 {
        let place = Arc::as_ptr(entity).addr();
        if let Some((_, number)) = self.numbers.get(&place) {
            return *number;
        }
        self.make_room();
        self.count += 1;
        self.numbers.insert(place, (Arc::downgrade(entity), self.count));
        frame::append(entry(), bytes);
        self.count
    }

    /// Forgets those that are gone; where that is not enough, all.
    fn make_room(&mut self) {
        if self.numbers.len() < MOST_REMEMBERED {
            return;
        }
        self.numbers.retain(|_, (entity, _)| entity.strong_count() > 0);
        if self.numbers.len() > MOST_REMEMBERED / 2 {
            self.numbers.clear();
        }
    }
}
