//! One transaction: many batches written together.

use super::alerts::{self, Origin};
use super::audit;
use super::batch::{Batch, Stored};
use super::cluster;
use super::entities;
use super::error::{At, StoreError};
use super::event_store::EventStore;
use super::held_alerts;
use super::inventory;
use super::kubernetes;
use super::kubernetes_events;
use super::losses;
use super::positions::{Advance, Positions};
use super::sensors;
use super::sources::{self, SourceRow, Sources};
use event_model::{Event, EventKind, InventorySubject, Lane, Priority, Record, Timestamp};
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// What the writer writes to.
pub(crate) struct Databases {
    pub(crate) state: Connection,
    pub(crate) events: Box<dyn EventStore>,
    pub(crate) sources: Sources,
    pub(crate) positions: Positions,
    /// Entities that only events before this moment referred to are being removed.
    pub(crate) unreferenced_before: Option<Timestamp>,
}

/// What a group did, to be counted once it is durable.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// What became of each batch, in their order.
    pub(crate) batches: Vec<Stored>,
    pub(crate) alerts: Vec<Priority>,
    /// Alerts whose id was there already, and requests that were.
    pub(crate) repeated_alerts: u64,
    pub(crate) repeated_requests: u64,
    /// Lane, first and last of each gap.
    pub(crate) gaps: Vec<(Lane, u64, u64)>,
}

impl Databases {
    /// Stores batches: when this returns well, all of them are durable; when not, none is.
    pub(crate) fn store<'a>(
        &mut self,
        path: &Path,
        batches: impl Iterator<Item = &'a Batch> + Clone,
    ) -> Result<Tally, StoreError> {
        let result = self.write(path, batches);
        if result.is_err() {
            self.events.rollback();
            self.positions.rolled_back();
        } else {
            self.positions.committed();
        }
        result
    }

    fn write<'a>(
        &mut self,
        path: &Path,
        batches: impl Iterator<Item = &'a Batch> + Clone,
    ) -> Result<Tally, StoreError> {
        let rows = self.register(path, batches.clone())?;
        let Self { state, events, positions, .. } = self;
        let transaction =
            state.transaction_with_behavior(TransactionBehavior::Immediate).at(path)?;
        let mut tally = Tally::default();
        let mut group = Group {
            path,
            state: &transaction,
            events: events.as_mut(),
            positions,
            tally: &mut tally,
        };
        for (batch, source) in batches.zip(rows) {
            group.write(batch, source)?;
        }
        positions.write(&transaction).at(path)?;
        // Events first: should the machine stop between the two commits, the batches come again, and
        // events that are there already are not written twice.
        events.commit()?;
        transaction.commit().at(path)?;
        Ok(tally)
    }

    /// The sources of the batches; new ones are durable before anything is written under them.
    fn register<'a>(
        &mut self,
        path: &Path,
        batches: impl Iterator<Item = &'a Batch>,
    ) -> Result<Vec<SourceRow>, StoreError> {
        let mut rows = Vec::new();
        for batch in batches {
            let row = self
                .sources
                .register(&self.state, &batch.publisher, batch.source, batch.received_at, &rows)
                .at(path)?
                .ok_or_else(|| StoreError::TooManySources(batch.publisher.clone()))?;
            rows.push(row);
        }
        Ok(rows)
    }
}

struct Group<'a> {
    path: &'a Path,
    state: &'a Connection,
    events: &'a mut dyn EventStore,
    positions: &'a mut Positions,
    tally: &'a mut Tally,
}

impl Group<'_> {
    fn write(&mut self, batch: &Batch, source: SourceRow) -> Result<(), StoreError> {
        let stream = (source, batch.lane);
        let count = batch.records.len() as u64;
        let now = batch.received_at;
        let advance = self
            .positions
            .advance(self.state, stream, batch.first_sequence, count, now)
            .at(self.path)?;
        let mut new = 0;
        if let Advance::Fresh { skip, gap } = advance {
            self.tally.gaps.extend(gap.map(|(first, last)| (batch.lane, first, last)));
            let fresh = (batch.first_sequence..)
                .zip(&batch.records)
                .skip(usize::try_from(skip).unwrap_or(0));
            for (sequence, record) in fresh {
                self.write_record(batch, source, sequence, record)?;
            }
            new = count - skip;
        }
        sources::seen(self.state, source, now).at(self.path)?;
        let through = self.positions.through(self.state, stream).at(self.path)?;
        self.tally.batches.push(Stored { through, new });
        Ok(())
    }

    fn write_record(
        &mut self,
        batch: &Batch,
        source: SourceRow,
        sequence: u64,
        record: &Record,
    ) -> Result<(), StoreError> {
        let (state, publisher, now) = (self.state, &batch.publisher, batch.received_at);
        match record {
            Record::Event(event) => return self.write_event(source, sequence, event),
            Record::Alert(alert) => {
                let origin = Origin { publisher, source, sequence, received_at: now };
                alerts::insert(state, &origin, alert).map(|new| {
                    if new {
                        self.tally.alerts.push(alert.priority);
                    } else {
                        self.tally.repeated_alerts += 1;
                    }
                })
            }
            Record::HeldAlerts(held) => held_alerts::add(state, source, held),
            Record::Loss(loss) => losses::add(state, source, loss),
            Record::SensorStatus(status) => sensors::put_status(state, source, status),
            Record::Host(host) => entities::put_host(state, publisher, host, now),
            Record::Container(container) => {
                entities::put_container(state, publisher, container, now)
            }
            Record::Process(process) => entities::put_process(state, source, process, now),
            Record::KubernetesObject(object) => kubernetes::put(state, publisher, object, now),
            Record::Inventory(change) => match change.subject {
                InventorySubject::Cluster => cluster::put(state, publisher, change, now),
                _ => inventory::put(state, publisher, change, now),
            },
            Record::KubernetesCensus(census) => {
                kubernetes::put_census(state, publisher, census, now)
            }
            Record::Audit(event) => audit::insert(state, publisher, event)
                .map(|new| self.tally.repeated_requests += u64::from(!new)),
            Record::KubernetesEvent(event) => kubernetes_events::insert(state, publisher, event),
        }
        .at(self.path)
    }

    fn write_event(
        &mut self,
        source: SourceRow,
        sequence: u64,
        event: &Event,
    ) -> Result<(), StoreError> {
        if matches!(event.kind, EventKind::Exit(_)) {
            entities::end_process(self.state, source, event.process.key, event.time)
                .at(self.path)?;
        }
        self.events.append(source, sequence, event)
    }
}
