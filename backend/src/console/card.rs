use super::visible::visible;
use super::{act, request};
use crate::alerts::CompleteAlert;
use crate::store::HeldCounts;
use event_model::{Alert, AlertSubject, Container, Priority, Process, Timestamp};
use serde::Serialize;

/// Ancestors that are shown; deeper trees are cut, and say so.
const DEEPEST: usize = 12;
/// Rows of a list that are shown.
pub(super) const MOST_ROWS: usize = 60;

/// An alert as the page shows it, in words. An empty text is not shown.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct AlertCard {
    pub(crate) id: String,
    /// In order of arrival.
    pub(crate) number: i64,
    /// Decides the colour.
    pub(crate) priority: &'static str,
    pub(crate) rule: String,
    pub(crate) message: String,
    /// What ran, or what was asked of the API server.
    pub(crate) command: String,
    /// Where: pod and container, the host, or the API server.
    pub(crate) place: String,
    pub(crate) image: String,
    pub(crate) node: String,
    pub(crate) time: Moment,
    /// What it stands for beside itself.
    pub(crate) more: String,
    /// How long detecting and arriving took.
    pub(crate) delay: String,
    /// From the root down to the process that acted.
    pub(crate) tree: Vec<TreeRow>,
    /// What was done, and to what.
    pub(crate) act: Vec<Fact>,
    /// Fields that the rule compared.
    pub(crate) evidence: Vec<Fact>,
    /// Container, pod and host.
    pub(crate) facts: Vec<Fact>,
    pub(crate) tags: Vec<Tag>,
    /// The container's name is not known yet: ask again soon.
    pub(crate) incomplete: bool,
}

/// A moment: the script shows it in the reader's own time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Moment {
    pub(crate) iso: String,
    pub(crate) utc: String,
}

/// A process in the tree.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct TreeRow {
    /// 0 for the topmost that is shown.
    pub(crate) depth: usize,
    pub(crate) name: String,
    pub(crate) pid: String,
    pub(crate) user: String,
    pub(crate) command: String,
    /// What is suspicious about its program, in words.
    pub(crate) note: String,
}

/// A name and a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Fact {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// A tag of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Tag {
    pub(crate) tag: String,
}

impl Moment {
    pub(crate) fn new(moment: Timestamp) -> Self {
        let nanoseconds = i128::from(moment.0);
        let utc = jiff::Timestamp::from_nanosecond(nanoseconds)
            .map_or_else(|_| moment.to_string(), |moment| moment.strftime("%F %T UTC").to_string());
        Self { iso: moment.to_string(), utc }
    }
}

impl Fact {
    pub(super) fn new(name: &str, value: impl AsRef<str>) -> Self {
        Self { name: name.to_owned(), value: visible(value.as_ref()) }
    }
}

impl AlertCard {
    /// A card with one empty row of everything, for the script to copy.
    pub(crate) fn blank() -> Self {
        Self {
            priority: Priority::Debug.name(),
            tree: vec![TreeRow::default()],
            act: vec![Fact::default()],
            evidence: vec![Fact::default()],
            facts: vec![Fact::default()],
            tags: vec![Tag::default()],
            ..Self::default()
        }
    }
}

impl From<CompleteAlert> for AlertCard {
    fn from(complete: CompleteAlert) -> Self {
        let CompleteAlert { number, received_at, publisher, alert, held } = complete;
        let container = alert.container();
        let (command, place, act) = match &alert.subject {
            AlertSubject::Act { event, process_chain, container } => {
                let place = container.as_ref().map_or_else(|| "on the host".to_owned(), place);
                let command = process_chain.first().map(command).unwrap_or_default();
                (command, place, act::facts(&event.kind))
            }
            AlertSubject::Audit(event) => {
                (request::summary(event), request::place(event), request::facts(event))
            }
        };
        Self {
            id: alert.id.to_string(),
            number,
            priority: alert.priority.name(),
            rule: visible(&alert.rule),
            message: visible(&alert.message),
            command,
            place,
            image: container
                .and_then(|container| container.image.as_deref())
                .map(visible)
                .unwrap_or_default(),
            node: visible(&publisher.to_string()),
            time: Moment::new(alert.time),
            more: more(held),
            delay: delay(&alert, received_at),
            tree: tree(alert.process_chain()),
            act,
            evidence: evidence(&alert),
            facts: facts(&alert, &publisher.to_string()),
            tags: alert.tags.iter().take(MOST_ROWS).map(|tag| Tag { tag: visible(tag) }).collect(),
            incomplete: container.is_some_and(|container| container.name.is_none()),
        }
    }
}

fn command(process: &Process) -> String {
    let line = process.command_line();
    let line = if line.is_empty() { process.executable.path.clone() } else { line };
    let cut = if process.arguments_truncated { " …" } else { "" };
    visible(&line) + cut
}

fn place(container: &Container) -> String {
    let short = container.id.short();
    let name = container.name.as_deref().unwrap_or(short);
    let pod = container.pod.as_ref().and_then(|pod| {
        let name = pod.name.as_deref()?;
        Some(format!("{}/{name}", pod.namespace.as_deref().unwrap_or("?")))
    });
    match pod {
        Some(pod) => visible(&format!("{pod} › {name}")),
        None => visible(&format!("container {name}")),
    }
}

/// Alerts that were counted instead of sent.
fn more(held: HeldCounts) -> String {
    let HeldCounts { repeated, rate_limited, until } = held;
    let alike = (repeated > 0).then(|| format!("{repeated} more alike"));
    let others =
        (rate_limited > 0).then(|| format!("{rate_limited} others of this rule, not shown"));
    let parts: Vec<String> = alike.into_iter().chain(others).collect();
    let Some(until) = until.filter(|_| !parts.is_empty()) else { return String::new() };
    format!("and {} until {}", parts.join(" and "), Moment::new(until).utc)
}

fn delay(alert: &Alert, received_at: Timestamp) -> String {
    let detected = alert.detected_at.milliseconds_since(alert.time);
    let arrived = received_at.milliseconds_since(alert.time);
    format!("detected after {}, here after {}", milliseconds(detected), milliseconds(arrived))
}

fn milliseconds(milliseconds: f64) -> String {
    if milliseconds < 1000.0 {
        format!("{milliseconds:.1} ms")
    } else {
        format!("{:.1} s", milliseconds / 1000.0)
    }
}

fn tree(chain: &[Process]) -> Vec<TreeRow> {
    let shown = chain.iter().take(DEEPEST).rev();
    shown.enumerate().map(|(depth, process)| tree_row(depth, process)).collect()
}

fn tree_row(depth: usize, process: &Process) -> TreeRow {
    let credentials = &process.credentials;
    let user = process.user_name.clone().unwrap_or_else(|| format!("uid {}", credentials.uid));
    let raised = if credentials.euid == credentials.uid { "" } else { " (effective: other)" };
    TreeRow {
        depth,
        name: visible(&process.name),
        pid: process.reference.key.pid.to_string(),
        user: visible(&user) + raised,
        command: command(process),
        note: note(process),
    }
}

fn note(process: &Process) -> String {
    let executable = &process.executable;
    let notes = [
        (executable.memfd, "runs from memory"),
        (executable.upper_layer, "not of the image"),
        (executable.unlinked, "file deleted"),
        (executable.mode & 0o4000 != 0, "set-user-id"),
    ];
    let said: Vec<_> = notes.into_iter().filter(|(is, _)| *is).map(|(_, note)| note).collect();
    said.join(", ")
}

fn evidence(alert: &Alert) -> Vec<Fact> {
    let fields = alert.matched_fields.iter().take(MOST_ROWS);
    fields.map(|matched| Fact::new(&visible(&matched.field), &matched.value)).collect()
}

fn facts(alert: &Alert, node: &str) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |name: &str, value: Option<&str>| {
        facts.extend(value.filter(|value| !value.is_empty()).map(|value| Fact::new(name, value)));
    };
    if let Some(container) = alert.container() {
        let pod = container.pod.as_ref();
        add("Namespace", pod.and_then(|pod| pod.namespace.as_deref()));
        add("Pod", pod.and_then(|pod| pod.name.as_deref()));
        add("Pod uid", pod.map(|pod| pod.uid.as_str()));
        add("Service account", pod.and_then(|pod| pod.service_account.as_deref()));
        add("Container", container.name.as_deref());
        add("Container id", Some(&container.id.0));
        add("Image", container.image.as_deref());
        add("Digest", container.image_digest.as_deref());
        add("Runtime", container.runtime.as_deref());
        add("Privileged", container.privileged.map(|yes| if yes { "yes" } else { "no" }));
    }
    if let Some(process) = alert.process_chain().first() {
        add("Executable", Some(&process.executable.path));
        add("Working directory", Some(&process.working_directory));
        add("Terminal", process.terminal.as_deref());
    }
    add("Node", Some(node));
    add("Host", Some(&alert.host.hostname));
    add("Kernel", Some(&alert.host.kernel));
    add("System", Some(&alert.host.operating_system));
    facts
}
