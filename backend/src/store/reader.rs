use super::alert_query::{self, AlertCursor, AlertFilter, QueryError, StoredAlert};
use super::audit::{self, AuditCursor, AuditFilter, AuditRecord};
use super::database;
use super::enrolment::{self, EnrolmentCursor, EnrolmentFilter, EnrolmentRecord, TokenRecord};
use super::error::{At, StoreError};
use super::event_query::{self, EventRecord};
use super::event_store::{EventCursor, EventFilter, EventReader};
use super::finding_query::{self, ClusterRecord, FindingCursor, FindingFilter, FindingRecord};
use super::inventory::{self, InventoryCursor, InventoryFilter, InventoryRecord};
use super::kubernetes::{
    self, ChangeCursor, ChangeFilter, ChangeRecord, ImageCursor, ImageFilter, ImageRecord,
    ObjectCursor, ObjectFilter, ObjectRecord,
};
use super::kubernetes_events::{
    self, KubernetesEventCursor, KubernetesEventFilter, KubernetesEventRecord,
};
use super::page::Page;
use super::sensors::{self, SensorCursor, SensorFilter, SensorRecord};
use event_model::{ObjectReference, Priority, Timestamp};
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

/// An object, and what is known around it.
#[derive(Clone, Debug)]
pub struct ObjectDetail {
    /// The object.
    pub record: ObjectRecord,
    /// What it belongs to, up to the root.
    pub owners: Vec<ObjectReference>,
    /// Its newest changes.
    pub changes: Vec<ChangeRecord>,
    /// Its findings and its root's, open and resolved, the worst first.
    pub findings: Vec<FindingRecord>,
}

/// Changes and findings that are told beside an object; their lists tell the others.
const MOST_BESIDE: usize = 100;

fn detail(
    state: &Connection,
    cluster: Option<&str>,
    uid: String,
) -> Result<Option<ObjectDetail>, QueryError> {
    let Some(record) = kubernetes::by_uid(state, cluster, &uid)? else { return Ok(None) };
    let owners = kubernetes::owners(state, &record.cluster, &uid)?;
    let of_object = ChangeFilter {
        cluster: Some(record.cluster.clone()),
        uid: Some(uid.clone()),
        ..ChangeFilter::default()
    };
    let changes = kubernetes::changes(state, &of_object, None, MOST_BESIDE)?.items;
    let mut findings = Vec::new();
    let owners_uids = owners.iter().map(|owner| owner.uid.clone());
    for uid in std::iter::once(uid).chain(owners_uids).filter(|uid| !uid.is_empty()) {
        let cluster = Some(record.cluster.clone());
        let filter = FindingFilter { cluster, uid: Some(uid), ..FindingFilter::default() };
        findings.extend(finding_query::page(state, &filter, None, MOST_BESIDE)?.items);
    }
    findings.truncate(MOST_BESIDE);
    Ok(Some(ObjectDetail { record, owners, changes, findings }))
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

    /// A page of objects of the Kubernetes API.
    pub async fn objects(
        &self,
        filter: ObjectFilter,
        after: Option<ObjectCursor>,
        limit: usize,
    ) -> Result<Page<ObjectRecord, ObjectCursor>, StoreError> {
        self.query(move |state, _| kubernetes::objects(state, &filter, after.as_ref(), limit)).await
    }

    /// The object of this uid, with what it belongs to, its changes and its findings.
    pub async fn object(
        &self,
        cluster: Option<String>,
        uid: String,
    ) -> Result<Option<ObjectDetail>, StoreError> {
        self.query(move |state, _| detail(state, cluster.as_deref(), uid)).await
    }

    /// A page of changes of objects, the latest observed first.
    pub async fn changes(
        &self,
        filter: ChangeFilter,
        after: Option<ChangeCursor>,
        limit: usize,
    ) -> Result<Page<ChangeRecord, ChangeCursor>, StoreError> {
        self.query(move |state, _| kubernetes::changes(state, &filter, after.as_ref(), limit)).await
    }

    /// A page of the images that pods have.
    pub async fn images_of_pods(
        &self,
        filter: ImageFilter,
        after: Option<ImageCursor>,
        limit: usize,
    ) -> Result<Page<ImageRecord, ImageCursor>, StoreError> {
        self.query(move |state, _| kubernetes::images(state, &filter, after.as_ref(), limit)).await
    }

    /// A page of what parts of Kubernetes noted, the newest first.
    pub async fn kubernetes_events(
        &self,
        filter: KubernetesEventFilter,
        after: Option<KubernetesEventCursor>,
        limit: usize,
    ) -> Result<Page<KubernetesEventRecord, KubernetesEventCursor>, StoreError> {
        self.query(move |state, _| kubernetes_events::page(state, &filter, after.as_ref(), limit))
            .await
    }

    /// A page of findings, the worst first.
    pub async fn findings(
        &self,
        filter: FindingFilter,
        after: Option<FindingCursor>,
        limit: usize,
    ) -> Result<Page<FindingRecord, FindingCursor>, StoreError> {
        self.query(move |state, _| finding_query::page(state, &filter, after.as_ref(), limit)).await
    }

    /// What clusters are.
    pub async fn clusters(&self) -> Result<Vec<ClusterRecord>, StoreError> {
        self.query(|state, _| finding_query::clusters(state)).await
    }

    /// A page of the certificates that were issued, the newest first.
    pub async fn enrolments(
        &self,
        filter: EnrolmentFilter,
        after: Option<EnrolmentCursor>,
        limit: usize,
    ) -> Result<Page<EnrolmentRecord, EnrolmentCursor>, StoreError> {
        self.query(move |state, _| enrolment::page(state, &filter, after, limit)).await
    }

    /// All bootstrap tokens.
    pub async fn bootstrap_tokens(&self) -> Result<Vec<TokenRecord>, StoreError> {
        self.query(|state, _| Ok(enrolment::tokens(state)?)).await
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
