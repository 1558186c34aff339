//! Numbered events into a publisher's socket, at a steady rate: the load of the benchmarks.

use anyhow::{Result, ensure};
use clap::Parser;
use event_model::{
    Component, Event, EventKind, ProcessKey, ProcessRef, Record, SourceDescription, SourceId,
    Timestamp,
};
use node_link::{LinkConfig, Outbox, connect};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Events are sent in a burst each 5 ms: finer pauses cost more than the events.
const BURSTS_EACH_SECOND: u64 = 200;

/// Sends fork events with numbers for process ids, then waits until the publisher acknowledged them.
#[derive(Parser)]
struct Arguments {
    /// The publisher's socket.
    #[arg(long)]
    socket: PathBuf,
    /// Events a second.
    #[arg(long)]
    rate: u64,
    /// For how long.
    #[arg(long)]
    seconds: u64,
    /// How much may wait for the publisher, in MiB.
    #[arg(long, default_value_t = 256)]
    queue_mib: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let config =
        LinkConfig { socket: arguments.socket.clone(), queue_bytes: arguments.queue_mib << 20 };
    let (outbox, link) = connect(config, description());
    let mut connected = link.connected();
    let shutdown = CancellationToken::new();
    let link = tokio::spawn(link.run(shutdown.clone()));
    connected.wait_for(|connected| *connected).await?;
    let late = send(&outbox, &arguments).await?;
    shutdown.cancel();
    link.await??;
    ensure!(
        late < Duration::from_secs(1),
        "this machine was too busy: the load came {late:?} late"
    );
    Ok(())
}

fn description() -> SourceDescription {
    SourceDescription {
        id: SourceId::generate(),
        component: Component::CollectorDs,
        version: "load".into(),
        node: "load".into(),
        boot_id: Uuid::new_v4(),
    }
}

/// Sends at the rate that was asked for; says how late the last burst was.
async fn send(outbox: &Outbox, arguments: &Arguments) -> Result<Duration> {
    let begin = Instant::now();
    let mut number = 0;
    for burst in 1..=arguments.seconds * BURSTS_EACH_SECOND {
        let due = begin + Duration::from_millis(burst * 1000 / BURSTS_EACH_SECOND);
        tokio::time::sleep_until(due.into()).await;
        let through = u32::try_from(burst * arguments.rate / BURSTS_EACH_SECOND)?;
        (number + 1..=through).for_each(|number| outbox.send(numbered(number)));
        number = through;
    }
    Ok(begin.elapsed().saturating_sub(Duration::from_secs(arguments.seconds)))
}

fn numbered(number: u32) -> Record {
    let key = ProcessKey { pid: number, start_time: u64::from(number) * 10_000_000 };
    Record::Event(Event {
        time: Timestamp::now(),
        process: ProcessRef { key, generation: 1 },
        container: None,
        kind: EventKind::Fork { child: key },
    })
}
