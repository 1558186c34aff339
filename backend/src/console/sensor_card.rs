use super::card::{Fact, MOST_ROWS, Moment};
use super::visible::visible;
use crate::api::schema::{Sensor, SensorState};
use serde::Serialize;

/// A sensor as the page shows it, in words. An empty text is not shown.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct SensorCard {
    /// Tells it from the others.
    pub(crate) key: String,
    /// Decides the colour.
    pub(crate) state: &'static str,
    pub(crate) component: String,
    pub(crate) node: String,
    pub(crate) version: String,
    pub(crate) last_seen: Moment,
    /// In a line: what it sees, and how many rules it has.
    pub(crate) coverage: String,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) probes: Vec<Fact>,
    pub(crate) blind_rules: Vec<Fact>,
    pub(crate) losses: Vec<Fact>,
    pub(crate) held: Vec<Fact>,
    pub(crate) streams: Vec<Fact>,
    pub(crate) facts: Vec<Fact>,
}

/// Why a sensor is not well.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Reason {
    pub(crate) reason: String,
}

/// All sensors, in a line and one by one.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct SensorCards {
    pub(crate) summary: String,
    /// The worst state among them; empty without any.
    pub(crate) worst: &'static str,
    /// Those that are not well first.
    pub(crate) cards: Vec<SensorCard>,
    /// How many are not shown.
    pub(crate) hidden: usize,
}

/// Sensors that the page shows.
const MOST_SHOWN: usize = 60;

impl SensorCard {
    /// A card with one empty row of everything, for the script to copy.
    pub(crate) fn blank() -> Self {
        let row = || vec![Fact::default()];
        Self {
            state: state_name(SensorState::Unknown),
            reasons: vec![Reason::default()],
            probes: row(),
            blind_rules: row(),
            losses: row(),
            held: row(),
            streams: row(),
            facts: row(),
            ..Self::default()
        }
    }
}

fn state_name(state: SensorState) -> &'static str {
    match state {
        SensorState::Silent => "silent",
        SensorState::Degraded => "degraded",
        SensorState::Unknown => "unknown",
        SensorState::Ok => "ok",
    }
}

impl SensorCards {
    pub(crate) fn new(mut sensors: Vec<Sensor>) -> Self {
        sensors.sort_by_key(|sensor| sensor.state);
        let count = |state| sensors.iter().filter(|sensor| sensor.state == state).count();
        let states =
            [SensorState::Silent, SensorState::Degraded, SensorState::Unknown, SensorState::Ok];
        let counts = states.map(|state| (state_name(state), count(state)));
        let parts = counts.iter().filter(|(_, count)| *count > 0);
        let summary = parts.map(|(state, count)| format!("{count} {state}")).collect::<Vec<_>>();
        Self {
            summary: summary.join(", "),
            worst: sensors.first().map_or("", |sensor| state_name(sensor.state)),
            hidden: sensors.len().saturating_sub(MOST_SHOWN),
            cards: sensors.into_iter().take(MOST_SHOWN).map(Into::into).collect(),
        }
    }
}

impl From<Sensor> for SensorCard {
    fn from(sensor: Sensor) -> Self {
        let component = sensor.component.as_deref().unwrap_or("unknown component");
        Self {
            key: format!("{}/{}/{component}", sensor.cluster, sensor.node),
            state: state_name(sensor.state),
            component: component.to_owned(),
            node: visible(&format!("{}/{}", sensor.cluster, sensor.node)),
            version: sensor.version.as_deref().map(visible).unwrap_or_default(),
            last_seen: Moment::new(sensor.last_seen),
            coverage: coverage(&sensor),
            reasons: sensor
                .reasons
                .iter()
                .take(MOST_ROWS)
                .map(|reason| Reason { reason: visible(reason) })
                .collect(),
            probes: probes(&sensor),
            blind_rules: blind_rules(&sensor),
            losses: losses(&sensor),
            held: held(&sensor),
            streams: streams(&sensor),
            facts: facts(&sensor),
        }
    }
}

fn fact(name: &str, value: impl AsRef<str>) -> Fact {
    Fact { name: visible(name), value: visible(value.as_ref()) }
}

fn coverage(sensor: &Sensor) -> String {
    let mut parts = Vec::new();
    if !sensor.probes.is_empty() {
        let active = sensor.probes.iter().filter(|probe| probe.state == "active").count();
        parts.push(format!("{active} of {} probes active", sensor.probes.len()));
    }
    if let Some(rules) = sensor.rules_loaded.filter(|rules| *rules > 0) {
        parts.push(format!("{rules} rules"));
    }
    if !sensor.blind_rules.is_empty() {
        parts.push(format!("{} blind", sensor.blind_rules.len()));
    }
    parts.join(" · ")
}

fn probes(sensor: &Sensor) -> Vec<Fact> {
    let row = |probe: &crate::api::schema::Probe| {
        let reason =
            probe.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        fact(&probe.probe, format!("{} by {}{reason}", probe.state, probe.hook))
    };
    sensor.probes.iter().take(MOST_ROWS).map(row).collect()
}

fn blind_rules(sensor: &Sensor) -> Vec<Fact> {
    sensor
        .blind_rules
        .iter()
        .take(MOST_ROWS)
        .map(|blind| fact(&blind.rule, &blind.reason))
        .collect()
}

fn losses(sensor: &Sensor) -> Vec<Fact> {
    let lost = sensor.losses.iter().take(MOST_ROWS).map(|loss| {
        let until = Moment::new(loss.until).utc;
        fact(
            &format!("{} ({})", loss.kind, loss.lane),
            format!("{} lost, {}, last {until}", loss.count, loss.reason),
        )
    });
    let gaps = sensor.gaps.iter().map(|gap| {
        let missing = gap.last_missing - gap.first_missing + 1;
        let noticed = Moment::new(gap.noticed_at).utc;
        fact(
            &format!("sequences ({})", gap.lane),
            format!("{missing} never arrived, noticed {noticed}"),
        )
    });
    lost.chain(gaps).collect()
}

fn held(sensor: &Sensor) -> Vec<Fact> {
    let row = |held: &crate::api::schema::HeldAlerts| {
        let why = match &held.suppression {
            Some(name) => format!("suppressed by {name}"),
            None => held.reason.replace('_', " "),
        };
        let until = Moment::new(held.until).utc;
        fact(&held.rule, format!("{} {why}, last {until}", held.count))
    };
    sensor.held_alerts.iter().take(MOST_ROWS).map(row).collect()
}

fn streams(sensor: &Sensor) -> Vec<Fact> {
    let row = |stream: &crate::api::schema::Stream| {
        let repeated = match stream.repeated {
            0 => String::new(),
            repeated => format!(", {repeated} came again"),
        };
        fact(
            &stream.lane,
            format!("{} records, held up to {}{repeated}", stream.records, stream.position),
        )
    };
    sensor.streams.iter().map(row).collect()
}

fn facts(sensor: &Sensor) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(started) = sensor.started_at {
        facts.push(fact("Started", Moment::new(started).utc));
    }
    if sensor.runs > 1 {
        facts.push(fact("Runs remembered", sensor.runs.to_string()));
    }
    if let Some(host) = &sensor.host {
        facts.push(fact("Kernel", &host.kernel));
        facts.push(fact("System", &host.operating_system));
    }
    facts.extend(
        sensor.counters.iter().take(MOST_ROWS).map(|(name, count)| fact(name, count.to_string())),
    );
    facts
}
