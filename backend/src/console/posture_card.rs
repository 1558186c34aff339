use super::card::{Fact, MOST_ROWS, Moment};
use super::visible::visible;
use crate::api::schema::{Cluster, Finding};
use serde::Serialize;

/// Findings that the page shows: the worst.
pub(super) const MOST_FINDINGS: usize = 30;

/// What clusters are, and what should not be so in them.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct PostureCards {
    pub(crate) clusters: Vec<ClusterCard>,
    /// The worst first.
    pub(crate) findings: Vec<FindingCard>,
    /// How many open findings are not shown.
    pub(crate) hidden: u64,
}

/// A cluster as the page shows it, in words. An empty text is not shown.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ClusterCard {
    /// Tells it from the others.
    pub(crate) key: String,
    /// Decides the colour.
    pub(crate) state: &'static str,
    pub(crate) name: String,
    /// In a line: version, distribution, nodes.
    pub(crate) coverage: String,
    /// How many findings are open.
    pub(crate) open: String,
    pub(crate) last_seen: Moment,
    pub(crate) facts: Vec<Fact>,
}

/// An open finding as the page shows it, in words. An empty text is not shown.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct FindingCard {
    /// Tells it from the others.
    pub(crate) key: String,
    /// Decides the colour.
    pub(crate) state: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) title: String,
    /// Which object, where.
    pub(crate) place: String,
    pub(crate) message: String,
    pub(crate) first_seen: Moment,
    pub(crate) evidence: Vec<Line>,
    pub(crate) facts: Vec<Fact>,
}

/// A line of evidence.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Line {
    pub(crate) line: String,
}

impl ClusterCard {
    /// A card with one empty row of everything, for the script to copy.
    pub(crate) fn blank() -> Self {
        Self { state: "ok", facts: vec![Fact::default()], ..Self::default() }
    }
}

impl FindingCard {
    /// A card with one empty row of everything, for the script to copy.
    pub(crate) fn blank() -> Self {
        let (evidence, facts) = (vec![Line::default()], vec![Fact::default()]);
        Self { state: "unknown", evidence, facts, ..Self::default() }
    }
}

/// The colour of a severity: those of sensors' states.
fn state(severity: &str) -> &'static str {
    match severity {
        "critical" | "high" => "silent",
        "medium" => "degraded",
        _ => "unknown",
    }
}

impl PostureCards {
    pub(crate) fn new(clusters: Vec<Cluster>, findings: Vec<Finding>) -> Self {
        let open: u64 = clusters.iter().flat_map(|cluster| cluster.open_findings.values()).sum();
        Self {
            hidden: open.saturating_sub(findings.len() as u64),
            clusters: clusters.into_iter().map(Into::into).collect(),
            findings: findings.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Cluster> for ClusterCard {
    fn from(cluster: Cluster) -> Self {
        let nodes = (cluster.nodes > 0).then(|| format!("{} nodes", cluster.nodes));
        let parts = [Some(cluster.version.clone()), Some(cluster.distribution.clone()), nodes];
        let parts: Vec<_> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        let worst = ["critical", "high", "medium", "low"]
            .into_iter()
            .find(|severity| cluster.open_findings.contains_key(severity));
        let told =
            [("Uid", Some(cluster.uid)), ("Cloud", cluster.cloud), ("Told by", cluster.told_by)];
        let known = told.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let mut facts: Vec<Fact> = known
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| Fact::new(name, value))
            .collect();
        let counts = cluster.open_findings.iter();
        facts.extend(counts.map(|(severity, count)| Fact::new(severity, count.to_string())));
        let open: u64 = cluster.open_findings.values().sum();
        Self {
            key: format!("cluster {}", cluster.cluster),
            state: worst.map_or("ok", state),
            name: visible(&cluster.cluster),
            coverage: visible(&parts.join(" · ")),
            open: match open {
                0 => "no findings".to_owned(),
                1 => "1 finding".to_owned(),
                open => format!("{open} findings"),
            },
            last_seen: Moment::new(cluster.last_seen),
            facts,
        }
    }
}

impl From<Finding> for FindingCard {
    fn from(finding: Finding) -> Self {
        let object = &finding.object;
        let namespace =
            object.namespace.as_deref().map(|it| format!("{it} › ")).unwrap_or_default();
        let place = format!("{} › {namespace}{} {}", finding.cluster, object.kind, object.name);
        let told = [
            ("Policy", finding.policy.clone()),
            ("Found by", finding.source.replace('_', " ")),
            ("Part", finding.part.clone()),
            ("Tags", finding.tags.join(", ")),
        ];
        let facts = told.into_iter().filter(|(_, value)| !value.is_empty());
        let evidence = finding.evidence.iter().take(MOST_ROWS);
        Self {
            key: format!("finding {}/{}", finding.cluster, finding.id),
            state: state(finding.severity),
            severity: finding.severity,
            title: visible(if finding.title.is_empty() { &finding.policy } else { &finding.title }),
            place: visible(&place),
            message: visible(&finding.message),
            first_seen: Moment::new(finding.first_seen),
            evidence: evidence.map(|line| Line { line: visible(line) }).collect(),
            facts: facts.map(|(name, value)| Fact::new(name, value)).collect(),
        }
    }
}
