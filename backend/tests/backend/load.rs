//! How much the backend takes. Not a test of anything but its own figures: run it by hand, with
//! `DEFENDER_BACKEND` naming a release build.

use crate::publisher::Publisher;
use crate::records::container_id;
use crate::running::Backend;
use event_model::{
    Event, EventKind, ExitStatus, Lane, ProcessKey, ProcessRef, Record, SourceId, Timestamp,
};
use proto::wire;
use std::time::Instant;

const BATCH: u64 = 1000;

/// Forks, execs and exits as a busy node makes them.
fn events(first: u64, count: u64) -> Vec<Record> {
    let begin = Timestamp::now().0;
    (first..first + count)
        .map(|number| {
            let pid = u32::try_from(number / 3 % 4_000_000).unwrap();
            let key = ProcessKey { pid, start_time: number / 30 * 10_000_000 };
            let kind = match number % 3 {
                0 => EventKind::Fork { child: ProcessKey { pid: pid + 1, ..key } },
                1 => EventKind::Exec,
                _ => EventKind::Exit(ExitStatus::default()),
            };
            let process = ProcessRef { key, generation: 1 };
            let container = Some(container_id(
                char::from_digit(u32::try_from(number % 10).unwrap(), 16).unwrap(),
            ));
            Record::Event(Event {
                time: Timestamp(begin + number * 1000),
                process,
                container,
                kind,
            })
        })
        .collect()
}

fn encode(source: SourceId, total: u64) -> Vec<wire::Envelope> {
    let firsts = (1..=total).step_by(usize::try_from(BATCH).unwrap());
    firsts
        .map(|first| {
            proto::encode_batch(source, Lane::Telemetry, first, &events(first, BATCH))
                .unwrap()
                .into()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::cast_precision_loss)] // Figures for people.
#[ignore = "prints figures; run it by hand"]
async fn events_a_second() {
    let total: u64 =
        std::env::var("DEFENDER_EVENTS").map_or(300_000, |total| total.parse().unwrap());
    let backend = Backend::start_with(|config, _| config["log"]["level"] = "info".into()).await;
    let sources = [SourceId::generate(), SourceId::generate()];
    let envelopes = sources.map(|source| encode(source, total));
    let bytes: usize = envelopes.iter().flatten().map(|envelope| envelope.payload.len()).sum();
    let before = backend.cpu_seconds();
    let begin = Instant::now();
    let mut senders = Vec::new();
    for (number, envelopes) in envelopes.into_iter().enumerate() {
        let publisher = Publisher::connect(&backend, &format!("node-{number}")).await;
        senders.push(tokio::spawn(send_all(publisher, envelopes, total)));
    }
    for sender in senders {
        sender.await.unwrap();
    }
    let (wall, cpu) = (begin.elapsed().as_secs_f64(), backend.cpu_seconds() - before);
    let stored = 2.0 * total as f64;
    let size: u64 = std::fs::read_dir(backend.store())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    println!(
        "{stored} events, {} bytes each on the wire, {} in the store",
        bytes as u64 / (2 * total),
        size / (2 * total)
    );
    println!(
        "{:.0} events/s, {:.0} events a CPU second, {:.0} MiB resident",
        stored / wall,
        stored / cpu,
        backend.resident_mebibytes()
    );
    let begin = Instant::now();
    for query in [
        "",
        "&type=exit",
        "&container=111111111111",
        "&pid=4711",
        "&node=node-1",
        "&executable=curl",
    ] {
        let asked = Instant::now();
        let page = backend.get(&format!("/api/v1/events?limit=100{query}")).await;
        println!(
            "{:>7.1} ms for {} events of {query:?}",
            asked.elapsed().as_secs_f64() * 1e3,
            page["items"].as_array().unwrap().len()
        );
    }
    println!("queries took {:.1} s", begin.elapsed().as_secs_f64());
}

async fn send_all(mut publisher: Publisher, envelopes: Vec<wire::Envelope>, total: u64) {
    let mut credit = publisher.welcome.initial_credit_bytes;
    for envelope in envelopes {
        let bytes = envelope.payload.len() as u64;
        while credit < bytes {
            credit += publisher.credit().await;
        }
        credit -= bytes;
        publisher.send_raw(envelope).await;
    }
    publisher.acknowledged(Lane::Telemetry, total).await;
}
