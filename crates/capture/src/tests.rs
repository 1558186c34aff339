use crate::{CaptureError, Encoder, Entry, Head, Reader, RuleFile};
use detection::Act;
use event_model::{
    Alert, AlertSubject, AuditEvent, Container, ContainerId, Event, EventKind, FileEvent, Host,
    Priority, Process, ProcessKey, ProcessRef, Timestamp,
};
use std::sync::Arc;
use uuid::Uuid;

fn head() -> Head {
    let host = Host { node: "node-1".to_owned(), ..Host::default() };
    Head { version: "0.1.0".to_owned(), began_at: Timestamp(5), host }
}

fn process(pid: u32, name: &str) -> Arc<Process> {
    let reference = ProcessRef { key: ProcessKey { pid, start_time: 10 }, generation: 1 };
    Arc::new(Process { reference, name: name.to_owned(), ..Process::default() })
}

fn event(process: &Process, path: &str) -> Event {
    let file = FileEvent { path: path.to_owned(), ..FileEvent::default() };
    let kind = EventKind::File(Box::new(file));
    Event { time: Timestamp(7), process: process.reference, container: None, kind }
}

fn alert(process: &Process, path: &str) -> Alert {
    Alert {
        id: Uuid::from_u128(7),
        time: Timestamp(7),
        detected_at: Timestamp(8),
        rule: "Shadow".to_owned(),
        priority: Priority::Warning,
        message: "read".to_owned(),
        tags: vec!["T1003".to_owned()],
        subject: AlertSubject::Act {
            event: event(process, path),
            process_chain: vec![process.clone()],
            container: None,
        },
        host: head().host,
        matched_fields: vec![],
    }
}

/// A capture that is being written.
struct Written {
    encoder: Encoder,
    bytes: Vec<u8>,
}

impl Written {
    fn begin() -> Self {
        let mut bytes = vec![];
        let encoder = Encoder::begin(&head(), &mut bytes);
        Self { encoder, bytes }
    }

    fn act(&mut self, chain: &[&Arc<Process>], container: Option<&Arc<Container>>, path: &str) {
        let (host, event) = (head().host, event(chain[0], path));
        let act = Act {
            event: &event,
            process: chain[0],
            ancestors: &[],
            container: None,
            host: &host,
            remote_name: Some("pool.example"),
            is_on_sensor: true,
            environment: None,
            login_name: Some("ann"),
            group_name: None,
        };
        let ancestors = chain[1..].iter().copied();
        self.encoder.act(&act, chain[0], ancestors, container, &mut self.bytes);
    }
}

fn read(bytes: &[u8]) -> (Vec<Entry>, Option<CaptureError>) {
    let (mut entries, mut error) = (vec![], None);
    for entry in Reader::new(bytes).expect("a capture") {
        match entry {
            Ok(entry) => entries.push(entry),
            Err(told) => error = Some(told),
        }
    }
    (entries, error)
}

fn chain(entry: &Entry) -> Vec<&str> {
    let Entry::Act(act) = entry else { panic!("{entry:?}") };
    std::iter::once(&act.process).chain(&act.ancestors).map(|process| &*process.name).collect()
}

#[test]
fn what_is_written_is_read_again() {
    let mut written = Written::begin();
    let files = [RuleFile { name: "a.yaml".to_owned(), text: "- rule: A".to_owned() }];
    assert!(written.encoder.rules(&files, &mut written.bytes));
    let (cat, shell) = (process(8, "cat"), process(7, "sh"));
    let container = Container { id: ContainerId::from("4f1c"), ..Container::default() };
    written.act(&[&cat, &shell], Some(&Arc::new(container.clone())), "/etc/shadow");
    let alert = alert(&cat, "/etc/shadow");
    written.encoder.alert(&alert, &mut written.bytes);
    let request = AuditEvent { audit_id: "r".to_owned(), ..AuditEvent::default() };
    written.encoder.request(&request, &mut written.bytes);
    written.encoder.end("it was told to", &mut written.bytes);

    let reader = Reader::new(&*written.bytes).expect("a capture");
    assert_eq!(*reader.head(), head());
    let entries: Vec<Entry> = reader.map(|entry| entry.expect("an entry")).collect();
    let [
        Entry::Rules(rules),
        Entry::Act(act),
        Entry::Alert(raised),
        Entry::Request(asked),
        Entry::End(reason),
    ] = &entries[..]
    else {
        panic!("{entries:#?}")
    };
    assert_eq!((rules.as_slice(), reason.as_str()), (&files[..], "it was told to"));
    assert_eq!((act.number, asked.number), (1, 2));
    assert_eq!((&*act.process, &*act.ancestors[0]), (&*cat, &*shell));
    assert_eq!(act.container.as_deref(), Some(&container));
    assert_eq!((act.remote_name.as_deref(), act.is_on_sensor), (Some("pool.example"), true));
    assert_eq!((act.login_name.as_deref(), act.group_name.as_deref()), (Some("ann"), None));
    assert_eq!((&**raised, &*asked.event), (&alert, &request));
}

#[test]
fn who_changed_stands_there_again_and_who_did_not_once() {
    let mut written = Written::begin();
    let (cat, mut shell) = (process(8, "cat"), process(7, "sh"));
    written.act(&[&cat, &shell], None, "/a");
    let before = written.bytes.len();
    written.act(&[&cat, &shell], None, "/a");
    let again = written.bytes.len() - before;
    // As the sensor changes a process that nobody else holds.
    Arc::make_mut(&mut shell).name = "root".to_owned();
    written.act(&[&cat, &shell], None, "/a");
    assert!(
        again < written.bytes.len() - before - again,
        "the second act is shorter than the third"
    );
    let (entries, _) = read(&written.bytes);
    let chains: Vec<_> = entries.iter().map(chain).collect();
    assert_eq!(chains, [["cat", "sh"], ["cat", "sh"], ["cat", "root"]]);
}

#[test]
fn processes_without_end_are_forgotten_and_told_again() {
    let mut written = Written::begin();
    let shell = process(1, "sh");
    let all: Vec<_> = (2..20_000).map(|pid| process(pid, &format!("p{pid}"))).collect();
    for process in &all {
        written.act(&[process, &shell], None, "/a");
    }
    let (entries, _) = read(&written.bytes);
    assert_eq!(entries.len(), all.len());
    for (entry, process) in entries.iter().zip(&all) {
        assert_eq!(chain(entry), [process.name.as_str(), "sh"]);
    }
}

#[test]
fn a_torn_or_damaged_capture_is_read_up_to_there() {
    let mut written = Written::begin();
    let cat = process(8, "cat");
    written.act(&[&cat], None, "/a");
    let whole = written.bytes.len();
    written.act(&[&cat], None, "/b");
    let bytes = written.bytes;

    let (entries, error) = read(&bytes);
    assert_eq!(entries.len(), 2);
    assert!(error.is_some_and(|error| error.is_broken_off()));
    for end in whole + 1..bytes.len() {
        let (entries, error) = read(&bytes[..end]);
        assert_eq!(entries.len(), 1);
        let error = error.expect("it is torn").to_string();
        assert_eq!(error, format!("the capture is torn: the entry at byte {whole} is not whole"));
    }
    for place in whole..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x10;
        let (entries, error) = read(&damaged);
        assert_eq!(entries.len(), 1, "damaged at {place}");
        let error = error.expect("it is damaged").to_string();
        assert!(error.contains(&format!("byte {whole} ")), "{error}");
    }
}

#[test]
fn what_is_no_capture_is_told_so() {
    let refusal =
        |bytes: &[u8]| Reader::new(bytes).map(|_| ()).expect_err("it is none").to_string();
    assert!(refusal(b"").starts_with("this is no capture"));
    assert!(refusal(b"- rule: A").starts_with("this is no capture"));
    let mut bytes = Written::begin().bytes;
    assert!(refusal(&bytes[..20]).contains("torn"), "{}", refusal(&bytes[..20]));
    assert!(refusal(&bytes[..12]).contains("without its head"));
    bytes[8] = 9;
    assert_eq!(refusal(&bytes), "the capture is of version 9, this program reads version 1");
}

#[test]
fn a_reference_to_nothing_is_an_error() {
    let mut written = Written::begin();
    let cat = process(8, "cat");
    written.act(&[&cat], None, "/a");
    // The same encoder goes on in another file, which lacks the process.
    let mut other = Written::begin();
    std::mem::swap(&mut written.encoder, &mut other.encoder);
    other.act(&[&cat], None, "/b");
    let (entries, error) = read(&other.bytes);
    assert_eq!(entries, []);
    let error = error.expect("it is wrong").to_string();
    assert!(error.ends_with("refers to process 1, which does not stand before it"), "{error}");
}
