//! From the spool to a receiver: takes envelopes, reads them, sends what they hold, and lets the position advance.

use super::answer::Answer;
use super::batch::{Batch, Whole};
use super::client::Client;
use super::log_record::{RecordId, log_records};
use super::resource::{Known, resource};
use super::trouble::Trouble;
use crate::config::{OtlpSection, ProxySection};
use crate::spool::{Outgoing, Outlet};
use event_model::{Lane, LossReason, Record, SourceDescription, SourceId};
use ocsf::{Entities, Source};
use proto::{BatchError, Envelope, decode_batch, plain_bytes};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Envelopes and bytes of payload that are taken from the spool in one go. No envelope is larger.
const ENVELOPES_AT_ONCE: usize = 64;
const BYTES_AT_ONCE: u64 = 1 << 20;

/// What comes within this time goes in one request.
const GATHER: Duration = Duration::from_millis(100);

/// Memory for entities, with which events are completed.
const ENTITIES_BYTES: usize = 8 << 20;

/// Sources whose descriptions are known: those of a node, and some that are gone.
const MOST_SOURCES: usize = 64;

/// Between so many records others have their turn.
const RECORDS_IN_A_ROW: usize = 64;

/// A request at which the receiver fails again and again is given up as one that it refused.
const MOST_FAILURES: u32 = 5;

/// Decoded, a batch takes a multiple of its bytes.
const DECODED_FACTOR: usize = 4;

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// There is a connection.
    Connected,
    /// The receiver took what was there.
    Delivered,
    /// There was nothing to send, or what there was is to be tried otherwise.
    Nothing,
}

/// How far into an envelope requests go.
#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    records: usize,
    /// Log records of the next record.
    told: usize,
}

pub(crate) struct Delivery {
    section: OtlpSection,
    proxy: ProxySection,
    node: String,
    outlet: Outlet,
    room: Arc<Semaphore>,
    client: Option<Client>,
    entities: Entities,
    sources: VecDeque<SourceDescription>,
    /// Envelopes go one by one, to find the one that is not taken.
    is_narrow: bool,
    /// How often in a row the receiver failed.
    failures: u32,
    batch: Batch,
}

impl Delivery {
    pub(crate) fn new(
        section: OtlpSection,
        proxy: ProxySection,
        node: String,
        outlet: Outlet,
        room: Arc<Semaphore>,
    ) -> Self {
        Self {
            section,
            proxy,
            node,
            outlet,
            room,
            client: None,
            entities: Entities::new(ENTITIES_BYTES),
            sources: VecDeque::new(),
            is_narrow: false,
            failures: 0,
            batch: Batch::default(),
        }
    }

    /// Connects, or sends what there is, or waits until there is something.
    pub(crate) async fn step(&mut self) -> Result<Step, Trouble> {
        if self.client.as_ref().is_none_or(Client::is_old) {
            self.connect().await?;
            return Ok(Step::Connected);
        }
        let maximum = if self.is_narrow { 1 } else { ENVELOPES_AT_ONCE };
        let taken = self.outlet.take(BYTES_AT_ONCE, 0, BYTES_AT_ONCE, maximum).await;
        let taken = taken.unwrap_or_default();
        if taken.is_empty() {
            self.outlet.spooled().notified().await;
            tokio::time::sleep(GATHER).await;
            return Ok(Step::Nothing);
        }
        match self.deliver(&taken).await {
            Ok(()) => {
                (self.is_narrow, self.failures) = (false, 0);
                Ok(Step::Delivered)
            }
            Err(trouble) => self.consider(trouble, &taken),
        }
    }

    /// Whether the receiver took a request over this connection.
    pub(crate) fn was_answered(&self) -> bool {
        self.client.as_ref().is_some_and(Client::was_answered)
    }

    /// After trouble: what was taken is taken again, over another connection.
    pub(crate) fn begin_anew(&mut self) {
        self.client = None;
        self.batch = Batch::default();
        self.outlet.rewind();
    }

    async fn connect(&mut self) -> Result<(), Trouble> {
        self.client = None;
        self.client = Some(Client::connect(&self.section, &self.proxy).await?);
        tracing::info!(destination = self.section.name, "connected to an OTLP receiver");
        Ok(())
    }

    async fn deliver(&mut self, taken: &[Outgoing]) -> Result<(), Trouble> {
        for outgoing in taken {
            match Envelope::try_from(outgoing.envelope.clone()) {
                Ok(envelope) => self.deliver_one(&envelope).await?,
                Err(error) => self.give_up(outgoing, LossReason::Undecodable, &error),
            }
        }
        self.send().await
    }

    async fn deliver_one(&mut self, envelope: &Envelope) -> Result<(), Trouble> {
        let (lane, source) = (envelope.lane(), envelope.source());
        let whole = Whole {
            lane,
            source,
            first_sequence: envelope.first_sequence(),
            last_sequence: envelope.last_sequence(),
        };
        let mut reached = Reached::default();
        loop {
            match self.add_from(envelope, &mut reached).await {
                Ok(true) => break,
                Ok(false) => self.send().await?,
                Err(error) => {
                    tracing::error!(%error, %source, %lane, "an envelope can't be read; it is counted");
                    self.outlet.reject(lane, source, whole.first_sequence, LossReason::Undecodable);
                    return Ok(());
                }
            }
        }
        if self.section.lanes.contains(&lane) {
            self.batch.close(whole);
        } else {
            self.outlet.acknowledge(lane, source, whole.last_sequence);
        }
        Ok(())
    }

    /// Adds what an envelope holds, from where the last request ended on, until the next is full: false then. What was
    /// decoded is let go before that is sent, and decoded again for the rest: a receiver that does not answer keeps no
    /// room from the others.
    async fn add_from(
        &mut self,
        envelope: &Envelope,
        reached: &mut Reached,
    ) -> Result<bool, BatchError> {
        let (lane, source) = (envelope.lane(), envelope.source());
        let is_wanted = self.section.lanes.contains(&lane);
        let room = Arc::clone(&self.room);
        let _permit = make_room(&room, envelope).await;
        let records = decode_batch(envelope)?;
        let sequences = envelope.first_sequence()..;
        for (sequence, record) in sequences.zip(records).skip(reached.records) {
            if reached.records % RECORDS_IN_A_ROW == RECORDS_IN_A_ROW - 1 {
                tokio::task::yield_now().await;
            }
            self.entities.note(source, &record);
            self.note_description(&record);
            if is_wanted && !self.add(&record, RecordId { source, lane, sequence }, reached) {
                return Ok(false);
            }
            *reached = Reached { records: reached.records + 1, told: 0 };
        }
        Ok(true)
    }

    /// Adds a record's log records, of which an inventory has many; false where the request is full before the last.
    fn add(&mut self, record: &Record, id: RecordId, reached: &mut Reached) -> bool {
        for told in self.log_records(record, id).into_iter().skip(reached.told) {
            if self.batch.is_full() {
                return false;
            }
            let (entities, sources) = (&mut self.entities, &self.sources);
            let (node, configured) = (&self.node, &self.section.resource);
            self.batch.add(id.source, id.lane, told, || {
                let host = entities.host(id.source);
                let description = sources.iter().find(|it| it.id == id.source);
                resource(id.source, node, Known { description, host: host.as_deref() }, configured)
            });
            reached.told += 1;
        }
        true
    }

    fn log_records(&mut self, record: &Record, id: RecordId) -> Vec<Vec<u8>> {
        let version = env!("CARGO_PKG_VERSION");
        let cluster = self.section.resource.get("k8s.cluster.name").map(String::as_str);
        let source =
            Source { version, cluster, node: Some(self.node.as_str()), ..Source::default() };
        log_records(record, id, &mut self.entities, &source, self.section.body)
    }

    fn note_description(&mut self, record: &Record) {
        let Record::SensorStatus(status) = record else { return };
        self.sources.retain(|known| known.id != status.description.id);
        self.sources.push_back(status.description.clone());
        if self.sources.len() > MOST_SOURCES {
            self.sources.pop_front();
        }
    }

    /// Sends the request, and lets the position advance over the envelopes that are whole with it.
    async fn send(&mut self) -> Result<(), Trouble> {
        let batch = std::mem::take(&mut self.batch);
        let (records, lanes) = (batch.records(), batch.lanes());
        let (request, whole) = batch.finish();
        if records > 0 {
            let client = self.client.as_mut().ok_or_else(|| Trouble::Transport("closed".into()))?;
            let answer = client.export(&self.section, request).await?;
            self.count(records, lanes, &answer);
        }
        for it in whole {
            self.outlet.acknowledge(it.lane, it.source, it.last_sequence);
        }
        Ok(())
    }

    fn count(&self, records: u64, lanes: [u64; Lane::ALL.len()], answer: &Answer) {
        let name = self.section.name.as_str();
        for (lane, count) in Lane::ALL.into_iter().zip(lanes).filter(|(_, count)| *count > 0) {
            metrics::counter!("defender_otlp_log_records_delivered_total",
                "destination" => name.to_owned(), "lane" => lane.name())
            .increment(count);
        }
        let rejected = answer.rejected.min(records);
        self.lose(rejected, lanes);
        metrics::counter!("defender_otlp_log_records_rejected_total", "destination" => name.to_owned())
            .increment(rejected);
        if rejected > 0 || !answer.message.is_empty() {
            tracing::warn!(
                destination = name,
                rejected,
                message = answer.message,
                "the receiver took a request in part"
            );
        }
    }

    /// A receiver tells how many log records it will never take, and not which: they count as the least worthy of the
    /// request.
    fn lose(&self, rejected: u64, lanes: [u64; Lane::ALL.len()]) {
        let mut rest = rejected;
        for (lane, count) in Lane::ALL.into_iter().zip(lanes).rev() {
            let lost = rest.min(count);
            rest -= lost;
            if lost > 0 {
                self.outlet.lose(lane, lost, LossReason::Rejected);
            }
        }
    }

    /// Whether trouble is about what was sent. Then the envelope that is not taken is found, and counted as lost; all else
    /// waits for better times.
    fn consider(&mut self, trouble: Trouble, taken: &[Outgoing]) -> Result<Step, Trouble> {
        match trouble {
            Trouble::Refused { .. } => {}
            Trouble::Failed { .. } if self.failures >= MOST_FAILURES => {}
            Trouble::Failed { .. } => {
                self.failures += 1;
                return Err(trouble);
            }
            _ => return Err(trouble),
        }
        self.is_narrow = true;
        if let [outgoing] = taken {
            self.give_up(outgoing, LossReason::Rejected, &trouble);
            (self.is_narrow, self.failures) = (false, 0);
        }
        self.batch = Batch::default();
        self.outlet.rewind();
        Ok(Step::Nothing)
    }

    /// An envelope will never be taken: it is lost to this destination, and counted.
    fn give_up(&self, outgoing: &Outgoing, reason: LossReason, why: &dyn std::fmt::Display) {
        let envelope = &outgoing.envelope;
        let (first_sequence, records) = (envelope.first_sequence, envelope.count);
        tracing::error!(destination = self.section.name, records, first_sequence, %why,
            "an envelope will never be taken; it is lost to this destination and counted");
        let source = uuid::Uuid::from_slice(&envelope.source_id);
        if let (Ok(lane), Ok(source)) = (proto::lane_from_wire(envelope.lane), source) {
            self.outlet.reject(lane, SourceId(source), first_sequence, reason);
        }
    }
}

/// Waits for room for what an envelope holds once decoded. One that takes more than there is has all of it.
async fn make_room<'r>(room: &'r Semaphore, envelope: &Envelope) -> Option<SemaphorePermit<'r>> {
    let mebibytes = plain_bytes(envelope) * DECODED_FACTOR / (1 << 20) + 1;
    let asked = mebibytes.min(super::DECODED_MEBIBYTES);
    room.acquire_many(u32::try_from(asked).unwrap_or(u32::MAX)).await.ok()
}
