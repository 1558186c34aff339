use super::RunningAccounts;
use super::exemption::Exemption;
use super::graph::{Graph, Step};
use super::power::Power;
use crate::checks::{self, Check};
use event_model::{Finding, FindingSeverity};
use foldhash::HashMap;
use std::collections::BTreeMap;

/// Longest way that is told; a longer one is told as far.
const LONGEST_WAY: usize = 16;
/// Most bindings that are named as evidence.
const MOST_NAMED: usize = 12;

/// Powers of which a finding is made by themselves, with its check and what to do.
const TOLD: [(Check, &[Power], &str); 3] = [
    (checks::WILDCARD, &[Power::Wildcard], "name the verbs and resources that are needed"),
    (
        checks::SECRETS,
        &[Power::ReadSecrets],
        "name the secrets that are needed by resourceNames, and leave list and watch out",
    ),
    (
        checks::EXEC,
        &[Power::Exec, Power::PortForward],
        "leave pods/exec, pods/attach, pods/portforward and pods/ephemeralcontainers out",
    ),
];

/// Tells what holders can come by, and what they hold.
pub(crate) fn tell(
    graph: &Graph<'_>,
    running: &RunningAccounts,
    exemption: &Exemption<'_>,
    put: &mut dyn FnMut(Finding),
) {
    let steps = graph.steps(running);
    for (place, holder) in (0..).zip(&graph.holders) {
        let Some(step) = steps.get(&place) else { continue };
        // Of members nothing is said that is not said of their group.
        if matches!(step, Step::Grant { .. }) && !exemption.is_of(holder) {
            put(of_way(graph, &steps, place));
        }
    }
    let mut held: BTreeMap<(u32, usize), Held> = BTreeMap::new();
    for (number, grant) in (0..).zip(&graph.grants) {
        for (check, (_, powers, _)) in TOLD.iter().enumerate() {
            if powers.iter().any(|power| grant.powers.has(*power)) {
                note(graph, number, check, &mut held);
            }
        }
    }
    for ((place, check), held) in held {
        let is_admin = steps.get(&place).is_some_and(is_all_rights);
        if !is_admin && !exemption.is_of(graph.holder(place)) {
            put(of_held(graph, place, &TOLD[check], &held));
        }
    }
}

const fn is_all_rights(step: &Step) -> bool {
    matches!(step, Step::Grant { power: Power::All, next: None, .. })
}

/// The bindings by which a holder has powers.
#[derive(Default)]
struct Held {
    in_cluster: bool,
    bindings: usize,
    /// The first of them.
    grants: Vec<u32>,
}

fn note(graph: &Graph<'_>, number: u32, check: usize, held: &mut BTreeMap<(u32, usize), Held>) {
    let grant = graph.grant(number);
    for holder in &grant.binding.holders {
        let Some(place) = graph.place(holder) else { continue };
        let held = held.entry((place, check)).or_default();
        held.in_cluster |= grant.is_in_cluster();
        held.bindings += 1;
        if held.grants.len() < MOST_NAMED {
            held.grants.push(number);
        }
    }
}

/// Why a holder has some of these powers, in one line.
fn reason(graph: &Graph<'_>, holder: u32, grant: u32, powers: &[Power]) -> String {
    let (holder, grant) = (graph.holder(holder), graph.grant(grant));
    let told = powers.iter().filter(|power| grant.powers.has(**power)).map(|power| power.told());
    let told: Vec<_> = told.collect();
    let (binding, role) = (grant.binding.subject.display(), grant.role.subject.display());
    format!("{} → {binding} → {role}: {}", holder.display(), told.join(", "))
}

fn of_held(
    graph: &Graph<'_>,
    place: u32,
    (check, powers, advice): &(Check, &[Power], &str),
    held: &Held,
) -> Finding {
    let holder = graph.holder(place);
    let scope = if held.in_cluster { "in the whole cluster" } else { "in some namespaces" };
    let told: Vec<_> = powers.iter().map(|power| power.told()).collect();
    let message = format!("holds rights to {} {scope}; {advice}", told.join(" or to "));
    let named = held.grants.iter().map(|grant| reason(graph, place, *grant, powers));
    let mut evidence: Vec<_> = named.collect();
    if held.bindings > evidence.len() {
        evidence.push(format!("and {} more", held.bindings - evidence.len()));
    }
    let message = with_absence(graph, place, message);
    let mut finding = check.finding(holder.reference(), message, evidence);
    if held.in_cluster {
        finding.severity = FindingSeverity::High;
    }
    finding
}

fn of_way(graph: &Graph<'_>, steps: &HashMap<u32, Step>, place: u32) -> Finding {
    let holder = graph.holder(place);
    let (way, count) = way(graph, steps, place);
    if steps.get(&place).is_some_and(is_all_rights) {
        let message = "has all rights in the cluster; bind a role with the rights that are needed";
        let message = with_absence(graph, place, message.to_owned());
        return checks::CLUSTER_ADMIN.finding(holder.reference(), message, way);
    }
    let steps = if count == 1 { "one step".to_owned() } else { format!("{count} steps") };
    let message = format!(
        "can come by all rights in the cluster in {steps}; take away the right that the first line names, or the rights at its end"
    );
    let message = with_absence(graph, place, message);
    checks::WAY_TO_CLUSTER_ADMIN.finding(holder.reference(), message, way)
}

/// What is said of a holder, and that it does not exist where it does not.
fn with_absence(graph: &Graph<'_>, place: u32, message: String) -> String {
    if graph.is_missing(place) {
        return format!("does not exist, and who makes it {message}; or delete the binding");
    }
    message
}

/// The way's lines, and how many steps it has.
fn way(graph: &Graph<'_>, steps: &HashMap<u32, Step>, from: u32) -> (Vec<String>, usize) {
    let (mut lines, mut count, mut here) = (vec![], 0, Some(from));
    while let Some(place) = here {
        let Some(step) = steps.get(&place) else { break };
        count += 1;
        if count > LONGEST_WAY {
            here = next(step);
            continue;
        }
        let holder = graph.holder(place).display();
        lines.push(match step {
            Step::Grant { grant, power, next } => {
                let grant = graph.grant(*grant);
                let (binding, role) =
                    (grant.binding.subject.display(), grant.role.subject.display());
                let end = if next.is_some() { "" } else { " → cluster-admin" };
                format!("{holder} → {binding} → {role}: {}{end}", power.told())
            }
            Step::Member { group } => {
                format!("{holder} → a member of {}", graph.holder(*group).display())
            }
        });
        here = next(step);
    }
    if count > lines.len() {
        lines.push(format!("and {} more steps", count - lines.len()));
    }
    (lines, count)
}

const fn next(step: &Step) -> Option<u32> {
    match step {
        Step::Grant { next, .. } => *next,
        Step::Member { group } => Some(*group),
    }
}
