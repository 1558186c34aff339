//! A collector: the real link, and records that are numbered.

use crate::waiting::PATIENCE;
use event_model::{
    ContainerId, Event, EventKind, Lane, Loss, LossReason, ProcessRef, Record, SensorStatus,
    Timestamp,
};
use node_link::{LinkConfig, LinkError, Outbox, connect};
use stand_ins::description;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use stand_ins::{event, event_numbers};

const ROOMY: u64 = 256 << 20;

pub struct Collector {
    pub outbox: Outbox,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), LinkError>>,
}

impl Collector {
    pub fn start(socket: PathBuf) -> Self {
        let (outbox, link) = connect(LinkConfig { socket, queue_bytes: ROOMY }, description());
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(link.run(shutdown.clone()));
        Self { outbox, shutdown, task }
    }

    /// Ends once the publisher has everything: a link that is told to end waits for 5 seconds alone.
    pub async fn finish(self) {
        let all = self.outbox.moment(&Lane::ALL);
        let delivered = tokio::time::timeout(PATIENCE, self.outbox.delivered(&all, &all)).await;
        delivered.expect("the publisher never had everything");
        self.shutdown.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.task).await.expect("the link never ended");
        ended.unwrap().unwrap();
    }
}

/// A numbered event that no compressor makes small.
pub fn bulky_event(number: u64) -> Record {
    let random: String = (0..8).map(|_| Uuid::new_v4().simple().to_string()).collect();
    Record::Event(Event {
        time: Timestamp(number),
        process: ProcessRef::default(),
        container: Some(ContainerId(Arc::from(random))),
        kind: EventKind::Exec,
    })
}

/// Travels in the alert lane, and is no smaller than 64 KiB.
pub fn bulky_status() -> Record {
    let problem: String = (0..4096).map(|_| Uuid::new_v4().simple().to_string()).collect();
    Record::SensorStatus(Box::new(SensorStatus {
        description: description(),
        started_at: Timestamp(1),
        observed_at: Timestamp(2),
        problems: vec![problem],
        probes: Vec::new(),
        rules_loaded: 0,
        blind_rules: Vec::new(),
        counters: BTreeMap::new(),
    }))
}

/// Travels in the alert lane.
pub fn report_of_loss(count: u64) -> Record {
    Record::Loss(Loss {
        lane: Lane::Telemetry,
        kind: "exec".into(),
        reason: LossReason::RingFull,
        count,
        since: Timestamp(1),
        until: Timestamp(2),
    })
}
