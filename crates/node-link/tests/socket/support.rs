//! What the tests share: a publisher that can be killed, its shelf of envelopes, and ready-made records.

use event_model::{Host, Lane, Loss, Record, SourceId};
use node_link::{Held, ListenConfig, Listener, ReceiveError, Receiver};
use proto::{Envelope, decode_batch};
use stand_ins::Killable;
use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use stand_ins::{description, event, event_numbers};

pub const PATIENCE: Duration = Duration::from_mins(2);

/// Waits until `is_so`, and fails with what `shown` tells if it never is.
pub async fn until<S: std::fmt::Debug>(
    what: &str,
    is_so: impl Fn() -> bool,
    shown: impl Fn() -> S,
) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}; instead: {:?}", shown());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub struct Scratch {
    directory: tempfile::TempDir,
}

impl Scratch {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("publisher.sock")
    }
}

pub fn entity(number: u64) -> Record {
    Record::Host(Host { hostname: format!("host-{number}"), ..Host::default() })
}

/// Where a test's publisher keeps envelopes. It outlives the publisher, as a disk does.
pub struct Shelf {
    envelopes: Mutex<BTreeMap<(SourceId, Lane, u64), Envelope>>,
    arrivals: Mutex<Vec<Lane>>,
    open: [watch::Sender<bool>; Lane::ALL.len()],
    is_full: AtomicBool,
}

impl Shelf {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            envelopes: Mutex::default(),
            arrivals: Mutex::default(),
            open: std::array::from_fn(|_| watch::Sender::new(true)),
            is_full: AtomicBool::new(false),
        })
    }

    /// From now on it keeps nothing: each connection is welcomed, and ended at its first envelope.
    pub fn fill(&self) {
        self.is_full.store(true, Ordering::SeqCst);
    }

    /// From now on, envelopes of the lane do not become durable (until [`Shelf::open`]).
    pub fn close(&self, lane: Lane) {
        self.open[lane.index()].send_replace(false);
    }

    pub fn open(&self, lane: Lane) {
        self.open[lane.index()].send_replace(true);
    }

    /// How many envelopes of a lane came and are not durable, as long as somebody waits for that.
    pub fn waiting(&self, lane: Lane) -> usize {
        self.open[lane.index()].receiver_count()
    }

    fn put(&self, envelope: &Envelope) {
        let key = (envelope.source(), envelope.lane(), envelope.first_sequence());
        let before = self.envelopes.lock().unwrap().insert(key, envelope.clone());
        assert!(
            before.is_none_or(|before| before == *envelope),
            "batch {key:?} was sent again with other contents"
        );
    }

    /// All records of a lane in the order of their sequences, which must be without gap or overlap.
    pub fn records(&self, lane: Lane) -> Vec<Record> {
        let mut next = BTreeMap::new();
        let mut records = Vec::new();
        for ((source, its_lane, first), envelope) in self.envelopes.lock().unwrap().iter() {
            if *its_lane == lane {
                let expected = next.insert(*source, envelope.last_sequence() + 1).unwrap_or(1);
                assert_eq!(*first, expected, "the {lane} lane has a gap or an overlap");
                records.extend(decode_batch(envelope).unwrap());
            }
        }
        records
    }

    /// How many records of a lane arrived.
    pub fn count(&self, lane: Lane) -> u64 {
        let envelopes = self.envelopes.lock().unwrap();
        let of_lane = envelopes.values().filter(|envelope| envelope.lane() == lane);
        of_lane.map(|envelope| u64::from(envelope.count())).sum()
    }

    pub fn losses(&self) -> Vec<Loss> {
        let loss = |record| match record {
            Record::Loss(loss) => Some(loss),
            _ => None,
        };
        self.records(Lane::Alert).into_iter().filter_map(loss).collect()
    }

    /// The lanes of all envelopes that came, in their order, whether or not they became durable.
    pub fn arrivals(&self) -> Vec<Lane> {
        self.arrivals.lock().unwrap().clone()
    }
}

impl Receiver for Shelf {
    fn accept(&self, envelope: Envelope) -> impl Future<Output = Result<(), ReceiveError>> + Send {
        self.arrivals.lock().unwrap().push(envelope.lane());
        let mut open = self.open[envelope.lane().index()].subscribe();
        let is_full = self.is_full.load(Ordering::SeqCst);
        async move {
            if is_full {
                return Err(ReceiveError::Ending);
            }
            open.wait_for(|open| *open).await.map_err(|_| ReceiveError::Ending)?;
            self.put(&envelope);
            Ok(())
        }
    }

    fn held(&self, source: SourceId) -> Vec<Held> {
        let mut through = BTreeMap::new();
        for ((its_source, lane, first), envelope) in self.envelopes.lock().unwrap().iter() {
            let reached = through.entry(*lane).or_insert(0);
            if *its_source == source && *first == *reached + 1 {
                *reached = envelope.last_sequence();
            }
        }
        let held = |(lane, through_sequence)| Held { lane, through_sequence };
        through.into_iter().map(held).collect()
    }
}

/// A publisher that can be killed.
pub struct Publisher(Killable);

impl Publisher {
    pub fn start(config: ListenConfig, shelf: Arc<Shelf>) -> Self {
        count_metrics();
        let _ = std::fs::remove_file(&config.socket);
        let (server, ()) = Killable::start(|ready| async move {
            let listener = Listener::bind(config).await.unwrap();
            ready.send(()).unwrap();
            listener.serve(shelf, CancellationToken::new()).await.unwrap();
        });
        Self(server)
    }

    /// Ends it without a word to its collectors.
    pub fn kill(self) {
        drop(self.0);
    }
}

pub fn listen_on(socket: PathBuf) -> ListenConfig {
    let uid = nix::unistd::geteuid().as_raw();
    ListenConfig { socket, allowed_uids: vec![uid], ..ListenConfig::default() }
}

/// Counters of this process, by name and labels such as `name{reason="uid"}`.
struct Counters(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

static COUNTERS: OnceLock<&'static Counters> = OnceLock::new();

pub fn count_metrics() {
    COUNTERS.get_or_init(|| {
        let counters: &'static Counters = Box::leak(Box::new(Counters(Mutex::default())));
        let _ = metrics::set_global_recorder(counters);
        counters
    });
}

pub fn counted(name: &str) -> u64 {
    let counters = COUNTERS.get().expect("count_metrics was called").0.lock().unwrap();
    counters.get(name).map_or(0, |counter| counter.load(Ordering::Relaxed))
}

pub fn all_counted() -> Vec<String> {
    COUNTERS.get().map_or(Vec::new(), |it| it.0.lock().unwrap().keys().cloned().collect())
}

impl metrics::Recorder for Counters {
    fn describe_counter(
        &self,
        _: metrics::KeyName,
        _: Option<metrics::Unit>,
        _: metrics::SharedString,
    ) {
    }
    fn describe_gauge(
        &self,
        _: metrics::KeyName,
        _: Option<metrics::Unit>,
        _: metrics::SharedString,
    ) {
    }
    fn describe_histogram(
        &self,
        _: metrics::KeyName,
        _: Option<metrics::Unit>,
        _: metrics::SharedString,
    ) {
    }

    fn register_counter(&self, key: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Counter {
        let labels: Vec<_> =
            key.labels().map(|label| format!("{}=\"{}\"", label.key(), label.value())).collect();
        let name = format!("{}{{{}}}", key.name(), labels.join(","));
        let counter = Arc::clone(self.0.lock().unwrap().entry(name).or_default());
        metrics::Counter::from_arc(counter)
    }

    fn register_gauge(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
        metrics::Gauge::noop()
    }

    fn register_histogram(
        &self,
        _: &metrics::Key,
        _: &metrics::Metadata<'_>,
    ) -> metrics::Histogram {
        metrics::Histogram::noop()
    }
}
