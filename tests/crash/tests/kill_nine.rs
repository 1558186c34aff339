//! kill -9 of the publisher and of the backend at random moments, in a stream of numbered events.
//!
//! Each number was handed to the publisher and acknowledged by it, or is still kept by the
//! sender, which repeats it: so in the end each must stand in the store exactly once.

use anyhow::{Context, Result, ensure};
use event_model::{
    Component, Event, EventKind, ProcessKey, ProcessRef, Record, SourceDescription, SourceId,
    Timestamp,
};
use node_link::{LinkConfig, Outbox, connect};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;
use suite::Machine;
use suite::api::Api;
use suite::deadline::wait_for;
use suite::program::Name;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The publisher's and the backend's, about half each.
const KILLS: u32 = 100;

const EVENTS_EACH_MILLISECOND: u32 = 2;

const STORED_WITHIN: Duration = Duration::from_mins(2);

/// Larger than everything this test sends: nothing may be dropped for want of room.
const QUEUE_BYTES: u64 = 256 << 20;

#[test]
fn a_hundred_kills_lose_nothing_and_repeat_nothing() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let mut options = pipeline::options(folder.path(), None)?;
    options.sensor = false;
    let socket = options.places.socket();
    let mut machine = Machine::start(options)?;
    machine.wait_ready()?;

    let stream = Stream::begin(&socket)?;
    let killed = kill_at_random(&mut machine)?;
    for name in [Name::Backend, Name::PublisherDs] {
        machine.program(name)?.wait_ready(Duration::from_mins(1))?;
    }
    let sent = stream.stop();
    let account = wait_for("every number in the store", STORED_WITHIN, || {
        let account = Account::take(&machine.api(), sent)?;
        ensure!(account.missing == 0, "{account:?}");
        Ok(account)
    })?;
    println!(
        "shown: crash: {} kill -9 ({} of the publisher, {} of the backend), {sent} events: {} lost, {} stored twice",
        killed.publisher + killed.backend,
        killed.publisher,
        killed.backend,
        account.missing,
        account.repeated,
    );
    ensure!(account.repeated == 0 && account.foreign == 0, "{account:?}");
    ensure!(killed.publisher >= KILLS / 4 && killed.backend >= KILLS / 4, "{killed:?}");
    machine.stop()
}

#[derive(Debug, Default)]
struct Killed {
    publisher: u32,
    backend: u32,
}

/// Kills one of the two, starts it again at once, and lets some time pass: often too little to be ready.
fn kill_at_random(machine: &mut Machine) -> Result<Killed> {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut killed = Killed::default();
    for _ in 0..KILLS {
        thread::sleep(Duration::from_millis(random.u64(20..600)));
        let (name, count) = if random.bool() {
            (Name::PublisherDs, &mut killed.publisher)
        } else {
            (Name::Backend, &mut killed.backend)
        };
        machine.program(name)?.crash_and_restart()?;
        *count += 1;
    }
    Ok(killed)
}

/// A collector that sends numbered events until it is stopped.
struct Stream {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU32>,
    sender: thread::JoinHandle<()>,
    _link: thread::JoinHandle<()>,
}

impl Stream {
    fn begin(socket: &Path) -> Result<Self> {
        let config = LinkConfig { socket: socket.to_owned(), queue_bytes: QUEUE_BYTES };
        let source = SourceDescription {
            id: SourceId::generate(),
            component: Component::CollectorDs,
            version: "test".into(),
            node: "test-node".into(),
            boot_id: Uuid::new_v4(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (outbox, link) = runtime.block_on(async { connect(config, source) });
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
    fn stop(self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.sender.join().expect("the sender does not panic");
        self.sent.load(Ordering::Relaxed)
    }
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

fn numbered(number: u32) -> Record {
    let key = ProcessKey { pid: number, start_time: 0 };
    Record::Event(Event {
        time: Timestamp::now(),
        process: ProcessRef { key, generation: 0 },
        container: None,
        kind: EventKind::Fork { child: key },
    })
}

#[derive(Debug)]
struct Account {
    missing: usize,
    repeated: usize,
    foreign: usize,
}

impl Account {
    /// Counts how often each number stands in the store.
    fn take(api: &Api, sent: u32) -> Result<Self> {
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

fn number_of(event: &Value) -> Result<u64> {
    event["kind"]["child"]["pid"]
        .as_u64()
        .with_context(|| format!("an event without a child: {event:#}"))
}
