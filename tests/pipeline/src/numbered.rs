//! Numbered events from a collector, and the account of them in the backend's store.

use anyhow::{Context, Result};
use event_model::{
    Component, Event, EventKind, ProcessKey, ProcessRef, Record, SourceDescription, SourceId,
    Timestamp,
};
use node_link::{Link, LinkConfig, Outbox, connect};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;
use suite::api::Api;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const EVENTS_EACH_MILLISECOND: u32 = 2;

/// Larger than everything a test sends: nothing may be dropped for want of room.
const QUEUE_BYTES: u64 = 256 << 20;

/// A collector that sends numbered events until it is stopped.
pub struct Stream {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU32>,
    sender: thread::JoinHandle<()>,
    _link: thread::JoinHandle<()>,
}

impl Stream {
    /// Begins to send, about two events a millisecond.
    pub fn begin(socket: &Path) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (outbox, link) = runtime.block_on(async { collector_at(socket) });
        let link = thread::spawn(move || {
            // Ends with the test's process: until then it repeats what was not acknowledged.
            runtime
                .block_on(link.run(CancellationToken::new()))
                .expect("the link goes on for ever");
        });
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let sender = {
            let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
            thread::spawn(move || send_numbers(&outbox, &stop, &sent))
        };
        Ok(Self { stop, sent, sender, _link: link })
    }

    /// Stops sending; says how many numbers were sent: 1 to that.
    pub fn stop(self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.sender.join().expect("the sender does not panic");
        self.sent.load(Ordering::Relaxed)
    }
}

/// The two ends of a new collector's way to the publisher at a socket.
pub fn collector_at(socket: &Path) -> (Outbox, Link) {
    let config = LinkConfig { socket: socket.to_owned(), queue_bytes: QUEUE_BYTES };
    let source = SourceDescription {
        id: SourceId::generate(),
        component: Component::CollectorDs,
        version: "test".into(),
        node: "test-node".into(),
        boot_id: Uuid::new_v4(),
    };
    connect(config, source)
}

fn send_numbers(outbox: &Outbox, stop: &AtomicBool, sent: &AtomicU32) {
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..EVENTS_EACH_MILLISECOND {
            let number = sent.fetch_add(1, Ordering::Relaxed) + 1;
            outbox.send(numbered(number));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// An event with a number, which [`number_of`] reads in the store.
pub fn numbered(number: u32) -> Record {
    let key = ProcessKey { pid: number, start_time: 0 };
    Record::Event(Event {
        time: Timestamp::now(),
        process: ProcessRef { key, generation: 0 },
        container: None,
        kind: EventKind::Fork { child: key },
    })
}

/// What the store holds of the numbers that were sent.
#[derive(Debug)]
pub struct Account {
    /// Numbers that are not there.
    pub missing: usize,
    /// Numbers that are there more than once.
    pub repeated: usize,
    /// Numbers that nobody sent.
    pub foreign: usize,
}

impl Account {
    /// Counts how often each number stands in the store.
    pub fn take(api: &Api, sent: u32) -> Result<Self> {
        let mut times: HashMap<u64, usize> = HashMap::new();
        for event in api.all("/api/v1/events?type=fork")? {
            *times.entry(number_of(&event)?).or_default() += 1;
        }
        let expected = 1..=u64::from(sent);
        Ok(Self {
            missing: expected.clone().filter(|number| !times.contains_key(number)).count(),
            repeated: times.values().filter(|times| **times > 1).count(),
            foreign: times.keys().filter(|number| !expected.contains(number)).count(),
        })
    }
}

/// The number of an event as the backend's API tells it.
pub fn number_of(event: &Value) -> Result<u64> {
    event["kind"]["child"]["pid"]
        .as_u64()
        .with_context(|| format!("an event without a child: {event:#}"))
}
