use super::alert_query::{self, AlertCursor, AlertFilter, QueryError, StoredAlert};
use super::audit::{self, AuditCursor, AuditFilter, AuditRecord};
use super::database;
use super::error::{At, StoreError};
use super::event_query::{self, EventRecord};
use super::event_store::{EventCursor, EventFilter, EventReader};
use super::inventory::{self, InventoryCursor, InventoryFilter, InventoryRecord};
use super::page::Page;
use super::sensors::{self, SensorCursor, SensorFilter, SensorRecord};
use event_model::{Priority, Timestamp};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

/// Queries at a time: more would only take turns on the same processors and disk.
const MOST_QUERIES: usize = 4;
/// The longest that a query may take, its wait for a turn included.
const DEADLINE: Duration = Duration::from_secs(10);

/// Reads the store. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
    newest_alert: watch::Receiver<i64>,
}

struct Shared {
    path: PathBuf,
    events: Arc<dyn EventReader>,
    turns: Arc<Semaphore>,
    /// Connections that wait for the next query.
    idle: Mutex<Vec<Connection>>,
}

/// What retention took away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedRecord {
    /// What kind of record.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// When the last went.
    pub last_removed_at: Timestamp,
}

impl Reader {
    pub(crate) fn new(
        path: PathBuf,
        events: Arc<dyn EventReader>,
        newest_alert: watch::Receiver<i64>,
    ) -> Self {
        let turns = Arc::new(Semaphore::new(MOST_QUERIES));
        Self {
            shared: Arc::new(Shared { path, events, turns, idle: Mutex::default() }),
            newest_alert,
        }
    }

    /// Follows the number of the newest alert.
    pub fn newest_alert(&self) -> watch::Receiver<i64> {
        self.newest_alert.clone()
    }

    /// A page of alerts, the newest act first.
    pub async fn alerts(
        &self,
        filter: AlertFilter,
        after: Option<AlertCursor>,
        limit: usize,
    ) -> Result<Page<StoredAlert, AlertCursor>, StoreError> {
        self.query(move |state, _| alert_query::page(state, &filter, after.as_ref(), limit)).await
    }

    /// Alerts in order of arrival, from the one after `number`.
    pub async fn alerts_arrived_after(
        &self,
        filter: AlertFilter,
        number: i64,
        limit: usize,
    ) -> Result<Page<StoredAlert, AlertCursor>, StoreError> {
        self.query(move |state, _| alert_query::arrived_after(state, &filter, number, limit)).await
    }

    /// The alert of this id.
    pub async fn alert(&self, id: Uuid) -> Result<Option<StoredAlert>, StoreError> {
        self.query(move |state, _| alert_query::by_id(state, id)).await
    }

    /// How many alerts of each priority there were since a moment.
    pub async fn alert_counts(&self, since: Timestamp) -> Result<Vec<(Priority, u64)>, StoreError> {
        self.query(move |state, _| alert_query::counts(state, since)).await
    }

    /// A page of events, the newest first, given to `show` where the query runs.
    pub async fn events<T: Send + 'static>(
        &self,
        filter: EventFilter,
        after: Option<EventCursor>,
        limit: usize,
        show: impl FnOnce(Page<EventRecord, EventCursor>) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let events = Arc::clone(&self.shared.events);
        self.query(move |state, deadline| {
            let wanted = limit.saturating_add(1);
            let stored = events.page(&filter, after.as_ref(), wanted, deadline)?;
            event_query::join(state, stored, limit).map(show)
        })
        .await
    }

    /// A page of sensors.
    pub async fn sensors(
        &self,
        filter: SensorFilter,
        after: Option<SensorCursor>,
        limit: usize,
    ) -> Result<Page<SensorRecord, SensorCursor>, StoreError> {
        self.query(move |state, _| {
            sensors::page(state, &filter, after.as_ref(), limit, Timestamp::now())
        })
        .await
    }

    /// A page of the inventory.
    pub async fn inventory(
        &self,
        filter: InventoryFilter,
        after: Option<InventoryCursor>,
        limit: usize,
    ) -> Result<Page<InventoryRecord, InventoryCursor>, StoreError> {
        self.query(move |state, _| inventory::page(state, &filter, after.as_ref(), limit)).await
    }

    /// A page of requests to Kubernetes API servers, the newest first.
    pub async fn audit(
        &self,
        filter: AuditFilter,
        after: Option<AuditCursor>,
        limit: usize,
    ) -> Result<Page<AuditRecord, AuditCursor>, StoreError> {
        self.query(move |state, _| audit::page(state, &filter, after.as_ref(), limit)).await
    }

    /// What retention took away.
    pub async fn removed(&self) -> Result<Vec<RemovedRecord>, StoreError> {
        self.query(|state, _| {
            let rows = sensors::removed(state)?.into_iter();
            let record =
                |(kind, count, last_removed_at)| RemovedRecord { kind, count, last_removed_at };
            Ok(rows.map(record).collect())
        })
        .await
    }

    async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection, Instant) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let deadline = Instant::now() + DEADLINE;
        let turn = Arc::clone(&self.shared.turns).acquire_owned();
        let turn = tokio::time::timeout(DEADLINE, turn)
            .await
            .map_err(|_| StoreError::Slow)?
            .map_err(|_| StoreError::Stopped)?;
        let shared = Arc::clone(&self.shared);
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            shared.run(deadline, query)
        });
        work.await.map_err(|_| StoreError::Stopped)?
    }
}

impl Shared {
    fn run<T>(
        &self,
        deadline: Instant,
        query: impl FnOnce(&Connection, Instant) -> Result<T, QueryError>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = idle.map_or_else(|| database::open_for_reading(&self.path), Ok)?;
        database::bound(&mut connection, deadline).at(&self.path)?;
        match query(&connection, deadline) {
            Ok(answer) => {
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
                Ok(answer)
            }
            Err(QueryError::Database(error)) => Err(StoreError::of(&self.path, error)),
            Err(QueryError::Store(error)) => Err(error),
        }
    }
}
