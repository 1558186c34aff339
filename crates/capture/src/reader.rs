use crate::{
    CaptureError, CapturedAct, CapturedRequest, Entry, Head, MAGIC, RuleFile, VERSION, frame,
};
use event_model::{Container, Process, Timestamp};
use proto::wire::CapturedAct as WireAct;
use proto::wire::capture_entry::Entry as Wire;
use proto::{ConversionError, wire};
use std::io::Read;
use std::sync::Arc;

/// Reads a capture, an entry after another. After an error comes nothing more; what came before holds.
///
/// Processes and containers are kept in memory, as later acts may refer to them: it takes about what the file has of them.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    head: Head,
    offset: u64,
    processes: Vec<Arc<Process>>,
    containers: Vec<Arc<Container>>,
    /// Acts and requests that were read.
    read: u64,
    is_over: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the beginning. `from` is to be buffered.
    ///
    /// # Errors
    /// It is no capture, or not one of this version.
    pub fn new(mut from: R) -> Result<Self, CaptureError> {
        let unreadable = |source| CaptureError::Unreadable { offset: 0, source };
        let begin = frame::read_up_to(&mut from, MAGIC.len() + 4).map_err(unreadable)?;
        let version = begin.strip_prefix(&MAGIC).ok_or(CaptureError::NoCapture)?;
        let version = <[u8; 4]>::try_from(version).map_err(|_| CaptureError::NoHead)?;
        match u32::from_le_bytes(version) {
            VERSION => {}
            found => return Err(CaptureError::Version { found }),
        }
        let begin = begin.len() as u64;
        let (first, offset) = frame::read(&mut from, begin)?.ok_or(CaptureError::NoHead)?;
        let Some(Wire::Head(head)) = first.entry else { return Err(CaptureError::NoHead) };
        let host = head.host.ok_or(CaptureError::NoHead)?;
        let host =
            host.try_into().map_err(|source| CaptureError::Wrong { offset: begin, source })?;
        Ok(Self {
            from,
            head: Head { version: head.version, began_at: Timestamp(head.began_at), host },
            offset,
            processes: vec![],
            containers: vec![],
            read: 0,
            is_over: false,
        })
    }

    /// Who recorded, and where.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    fn read_next(&mut self) -> Result<Entry, CaptureError> {
        loop {
            let offset = self.offset;
            let broken_off = CaptureError::BrokenOff { offset };
            let (entry, next) = frame::read(&mut self.from, offset)?.ok_or(broken_off)?;
            self.offset = next;
            let misplaced = |what: &str| CaptureError::Misplaced { offset, what: what.to_owned() };
            let wrong = |source| CaptureError::Wrong { offset, source };
            match entry.entry.ok_or_else(|| misplaced("is of no kind that this version knows"))? {
                Wire::Head(_) => return Err(misplaced("is a second head")),
                Wire::Rules(rules) => return Ok(Entry::Rules(rule_files(rules))),
                Wire::Process(process) => {
                    self.processes.push(Arc::new(process.try_into().map_err(wrong)?));
                }
                Wire::Container(container) => self.containers.push(Arc::new(container.into())),
                Wire::Act(act) => return self.act(act, offset).map(Entry::Act),
                Wire::Request(event) => {
                    let event = Box::new(event.try_into().map_err(wrong)?);
                    self.read += 1;
                    return Ok(Entry::Request(CapturedRequest { number: self.read, event }));
                }
                Wire::Alert(_) if self.read == 0 => {
                    return Err(misplaced("is an alert that nothing raised"));
                }
                Wire::Alert(alert) => {
                    return Ok(Entry::Alert(Box::new(alert.try_into().map_err(wrong)?)));
                }
                Wire::End(end) => return Ok(Entry::End(end.reason)),
            }
        }
    }

    fn act(&mut self, act: WireAct, offset: u64) -> Result<CapturedAct, CaptureError> {
        let missing = ConversionError::Missing { field: "act.event" };
        let event = act.event.ok_or(missing).and_then(TryInto::try_into);
        let event = event.map_err(|source| CaptureError::Wrong { offset, source })?;
        let misplaced = |kind: &str, number: u64| {
            let what = format!("refers to {kind} {number}, which does not stand before it");
            CaptureError::Misplaced { offset, what }
        };
        let process = |number: u64| {
            known(&self.processes, number).ok_or_else(|| misplaced("process", number))
        };
        let container = (act.container != 0).then(|| {
            known(&self.containers, act.container)
                .ok_or_else(|| misplaced("container", act.container))
        });
        let captured = CapturedAct {
            number: self.read + 1,
            event,
            process: process(act.process)?,
            ancestors: act.ancestors.into_iter().map(process).collect::<Result<_, _>>()?,
            container: container.transpose()?,
            remote_name: act.remote_name,
            is_on_sensor: act.is_on_sensor,
            login_name: act.login_name,
            group_name: act.group_name,
        };
        self.read += 1;
        Ok(captured)
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Entry, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let entry = self.read_next();
        self.is_over = matches!(entry, Err(_) | Ok(Entry::End(_)));
        Some(entry)
    }
}

/// The entity of that number, counted from 1.
fn known<T>(entities: &[Arc<T>], number: u64) -> Option<Arc<T>> {
    let place = usize::try_from(number.checked_sub(1)?).ok()?;
    entities.get(place).cloned()
}

fn rule_files(rules: wire::CapturedRules) -> Vec<RuleFile> {
    let file = |file: wire::CapturedRuleFile| RuleFile { name: file.name, text: file.text };
    rules.files.into_iter().map(file).collect()
}
