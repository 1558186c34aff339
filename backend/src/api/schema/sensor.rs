use super::alert::Host;
use crate::store::SensorRecord;
use event_model::{ProbeState, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// A sensor speaks each half minute; after three times that it is held to be silent.
const SILENT_AFTER_NANOSECONDS: u64 = 90_000_000_000;
/// A loss counts against a sensor's state for so long.
const RECENT_NANOSECONDS: u64 = 600_000_000_000;

/// How a sensor is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SensorState {
    /// Nothing was heard of it for 90 seconds.
    Silent,
    /// It speaks, and says or shows that something does not work.
    Degraded,
    /// It sends records and has not yet said how it is.
    Unknown,
    /// All is well.
    Ok,
}

/// A program on a node, by its newest run.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Sensor {
    /// The cluster, as the publisher's certificate says.
    pub cluster: String,
    /// The node, as the publisher's certificate says.
    pub node: String,
    /// The program. Null: it has not said yet.
    #[schema(example = "collector-ds")]
    pub component: Option<String>,
    /// The program's version.
    pub version: Option<String>,
    /// How it is, in a word.
    pub state: SensorState,
    /// Why it is not ok.
    pub reasons: Vec<String>,
    /// The newest run.
    #[schema(value_type = String, format = "uuid")]
    pub source: Uuid,
    /// How many runs the backend remembers.
    pub runs: u32,
    /// When the program started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When this run was first heard of.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    /// When this run was last heard of.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
    /// When it last said how it is.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub observed_at: Option<Timestamp>,
    /// What does not work, in its own words.
    pub problems: Vec<String>,
    /// How each kind of event is seen.
    pub probes: Vec<Probe>,
    /// How many rules are loaded and enabled.
    pub rules_loaded: Option<u32>,
    /// Rules that can't match there.
    pub blind_rules: Vec<BlindRule>,
    /// Counters since its start.
    pub counters: BTreeMap<String, u64>,
    /// The host it runs on.
    pub host: Option<Host>,
    /// How far the newest run's streams are held.
    pub streams: Vec<Stream>,
    /// Sequences that never arrived, the newest first.
    pub gaps: Vec<Gap>,
    /// Records that were seen and lost on their way, by all runs.
    pub losses: Vec<Loss>,
    /// Alerts that it counted instead of sending them, by all runs.
    pub held_alerts: Vec<HeldAlerts>,
}

/// How a sensor sees one kind of event.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Probe {
    /// What it sees.
    #[schema(example = "exec")]
    pub probe: String,
    /// The kernel hook that serves it.
    #[schema(example = "tp_btf/sched_process_exec")]
    pub hook: String,
    /// `active`, `unsupported` or `failed`.
    pub state: &'static str,
    /// Why not, where it does not.
    pub reason: Option<String>,
}

/// A rule that can't match on a node, or matches some acts alone.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BlindRule {
    /// The rule's name.
    pub rule: String,
    /// What it would need, or does not see.
    pub reason: String,
}

/// How far a lane is held.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Stream {
    /// `alert`, `entity`, `inventory` or `telemetry`.
    pub lane: String,
    /// Everything up to this sequence is held, or known to be missing.
    pub position: u64,
    /// Records stored.
    pub records: u64,
    /// Records that came again and were not stored again.
    pub repeated: u64,
    /// Times that sequences were missing.
    pub gaps: u64,
    /// Sequences that never arrived.
    pub missing: u64,
}

/// Sequences that never arrived.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Gap {
    /// The lane.
    pub lane: String,
    /// The first.
    pub first_missing: u64,
    /// The last.
    pub last_missing: u64,
    /// When what follows arrived.
    #[schema(value_type = String, format = DateTime)]
    pub noticed_at: Timestamp,
}

/// Records that were seen and lost on their way.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Loss {
    /// The lane.
    pub lane: String,
    /// What kind of record.
    pub kind: String,
    /// Why, such as `ring_full`.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// When the first was lost.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// When the last was lost.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}

/// Alerts of a rule that a sensor counted instead of sending them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HeldAlerts {
    /// The rule's name.
    pub rule: String,
    /// `repeated`, `rate_limited` or `suppressed`.
    #[schema(example = "suppressed")]
    pub reason: String,
    /// The name of the suppression, where that is why.
    pub suppression: Option<String>,
    /// How many.
    pub count: u64,
    /// When the first of their acts happened.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// When the last of their acts happened.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}

impl Sensor {
    /// A sensor as it is at the moment `now`.
    pub(crate) fn new(record: SensorRecord, now: Timestamp) -> Self {
        let (state, reasons) = judge(&record, now);
        let status = record.status;
        let mut sensor = Self {
            cluster: record.publisher.cluster.to_string(),
            node: record.publisher.node.to_string(),
            component: record.component,
            version: record.version,
            state,
            reasons,
            source: record.source,
            runs: record.runs,
            started_at: None,
            first_seen: record.first_seen,
            last_seen: record.last_seen,
            observed_at: None,
            problems: Vec::new(),
            probes: Vec::new(),
            rules_loaded: None,
            blind_rules: Vec::new(),
            counters: BTreeMap::new(),
            host: record.host.map(Into::into),
            streams: record.streams.into_iter().map(Into::into).collect(),
            gaps: record.gaps.into_iter().map(Into::into).collect(),
            losses: record.losses.into_iter().map(Into::into).collect(),
            held_alerts: record.held_alerts.into_iter().map(Into::into).collect(),
        };
        if let Some(status) = status {
            sensor.add_status(status);
        }
        sensor
    }

    fn add_status(&mut self, status: event_model::SensorStatus) {
        let probe = |probe: event_model::ProbeCoverage| Probe {
            probe: probe.probe,
            hook: probe.hook,
            state: probe.state.name(),
            reason: probe.reason,
        };
        let blind =
            |blind: event_model::BlindRule| BlindRule { rule: blind.rule, reason: blind.reason };
        self.started_at = Some(status.started_at);
        self.observed_at = Some(status.observed_at);
        self.problems = status.problems;
        self.probes = status.probes.into_iter().map(probe).collect();
        self.rules_loaded = Some(status.rules_loaded);
        self.blind_rules = status.blind_rules.into_iter().map(blind).collect();
        self.counters = status.counters;
    }
}

fn judge(record: &SensorRecord, now: Timestamp) -> (SensorState, Vec<String>) {
    let mut reasons = Vec::new();
    let silence = now.0.saturating_sub(record.last_seen.0);
    let silent = silence > SILENT_AFTER_NANOSECONDS;
    if silent {
        reasons.push(format!("silent for {}", span(silence)));
    }
    let Some(status) = &record.status else {
        let state = if silent { SensorState::Silent } else { SensorState::Unknown };
        return (state, reasons);
    };
    reasons.extend(status.problems.iter().cloned());
    let failed = status.probes.iter().filter(|probe| probe.state == ProbeState::Failed);
    reasons.extend(failed.map(|probe| format!("the probe for {} failed", probe.probe)));
    reasons.extend(recent_losses(record, now));
    let state = match (silent, reasons.is_empty()) {
        (true, _) => SensorState::Silent,
        (false, false) => SensorState::Degraded,
        (false, true) => SensorState::Ok,
    };
    (state, reasons)
}

fn recent_losses(record: &SensorRecord, now: Timestamp) -> impl Iterator<Item = String> {
    let recent = move |until: Timestamp| now.0.saturating_sub(until.0) < RECENT_NANOSECONDS;
    let losses = record.losses.iter().filter(move |loss| recent(loss.until)).map(|loss| {
        format!("records of kind {} were lost in the last ten minutes ({})", loss.kind, loss.reason)
    });
    let gaps = record.gaps.iter().filter(move |gap| recent(gap.noticed_at)).map(|gap| {
        let missing = gap.last_missing - gap.first_missing + 1;
        format!("{missing} sequences of the {} lane never arrived", gap.lane)
    });
    losses.chain(gaps)
}

/// A length of time for people: its two largest units at most.
pub(crate) fn span(nanoseconds: u64) -> String {
    let seconds = nanoseconds / 1_000_000_000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

impl From<crate::store::StreamRecord> for Stream {
    fn from(record: crate::store::StreamRecord) -> Self {
        let crate::store::StreamRecord { lane, position, records, repeated, gaps, missing } =
            record;
        Self { lane, position, records, repeated, gaps, missing }
    }
}

impl From<crate::store::GapRecord> for Gap {
    fn from(record: crate::store::GapRecord) -> Self {
        let crate::store::GapRecord { lane, first_missing, last_missing, noticed_at } = record;
        Self { lane, first_missing, last_missing, noticed_at }
    }
}

impl From<crate::store::LossRecord> for Loss {
    fn from(record: crate::store::LossRecord) -> Self {
        let crate::store::LossRecord { lane, kind, reason, count, since, until } = record;
        Self { lane, kind, reason, count, since, until }
    }
}

impl From<crate::store::HeldRecord> for HeldAlerts {
    fn from(record: crate::store::HeldRecord) -> Self {
        let crate::store::HeldRecord { rule, reason, suppression, count, since, until } = record;
        Self { rule, reason, suppression, count, since, until }
    }
}
