//! A collector that sends numbered events until it is killed, and says how many of them the publisher acknowledged.
//!
//! `numbered-collector SOCKET FIRST`: the events are numbered from FIRST on. For each acknowledgement a line with the
//! number of events that are acknowledged in all goes to standard output; a line `sent N` when standard input closes
//! and all of N events are.

use anyhow::{Context, Result};
use event_model::Lane;
use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};
use node_link::{Delivery, Outbox};
use pipeline::numbered::{collector_at, numbered};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const ACKNOWLEDGED: &str = "defender_link_records_acknowledged_total";

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let socket = arguments.next().context("SOCKET is missing")?;
    let first: u32 = arguments.next().context("FIRST is missing")?.parse()?;
    metrics::set_global_recorder(Teller::default()).ok().context("one recorder is enough")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (outbox, link) = runtime.block_on(async { collector_at(socket.as_ref()) });
    let shutdown = CancellationToken::new();
    let sender = {
        let shutdown = shutdown.clone();
        thread::spawn(move || send_numbers(&outbox, first, &shutdown))
    };
    runtime.block_on(link.run(shutdown))?;
    let sent = sender.join().ok().context("the sender failed")?;
    println!("sent {sent}");
    Ok(())
}

/// Sends until standard input ends, and waits until all is acknowledged: a link that is told to end waits for 5 seconds
/// alone.
fn send_numbers(outbox: &Outbox, first: u32, shutdown: &CancellationToken) -> u32 {
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        over.store(true, Ordering::Relaxed);
    });
    let mut number = first;
    while !is_over.load(Ordering::Relaxed) {
        outbox.send(numbered(number));
        number += 1;
        thread::sleep(Duration::from_millis(1));
    }
    let all = outbox.moment(&[Lane::Telemetry]);
    while outbox.delivery_between(&all, &all) == Delivery::Waiting {
        thread::sleep(Duration::from_millis(10));
    }
    shutdown.cancel();
    number - first
}

/// A recorder that tells of acknowledgements at once: what was told before the process is killed, holds.
#[derive(Default)]
struct Teller {
    acknowledged: Arc<Acknowledged>,
}

#[derive(Default)]
struct Acknowledged(AtomicU64);

impl CounterFn for Acknowledged {
    fn increment(&self, records: u64) {
        let all = self.0.fetch_add(records, Ordering::Relaxed) + records;
        // One short write: a pipe takes it whole or not at all.
        let _ = std::io::stdout().write_all(format!("{all}\n").as_bytes());
        let _ = std::io::stdout().flush();
    }

    fn absolute(&self, _: u64) {}
}

impl metrics::Recorder for Teller {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let is_of_events = key.labels().any(|label| label.value() == "telemetry");
        if key.name() == ACKNOWLEDGED && is_of_events {
            Counter::from_arc(Arc::clone(&self.acknowledged))
        } else {
            Counter::noop()
        }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
