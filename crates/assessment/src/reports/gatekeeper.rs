use super::{Outcome, message, object};
use crate::names::{Name, Names};
use crate::object::{Subject, items, text};
use event_model::{FindingSeverity, FindingSource};
use serde_json::Value;

/// The violations that the status of a constraint has (`constraints.gatekeeper.sh`).
///
/// <https://open-policy-agent.github.io/gatekeeper/website/docs/audit/>
pub(crate) fn violations(subject: &Subject, constraint: &Value, names: &mut Names) -> Vec<Outcome> {
    let violations = items(&constraint["status"], "violations");
    let policy = names.of(&format!("{}/{}", subject.kind, subject.name));
    let told_by = names.of(&subject.display());
    let mut outcomes = vec![];
    for (number, violation) in violations.iter().enumerate() {
        let mut object = object(violation, names);
        let (group, version) = (text(violation, "group"), text(violation, "version"));
        object[0] = match (group, version) {
            ("", version) => names.of(version),
            (group, version) => names.of(&format!("{group}/{version}")),
        };
        // One object can violate a constraint in several ways.
        let earlier = violations[..number].iter().rev().take(64);
        let same = earlier
            .filter(|one| {
                ["kind", "namespace", "name"].iter().all(|field| one[*field] == violation[*field])
            })
            .count();
        outcomes.push(Outcome {
            source: FindingSource::Gatekeeper,
            policy: Name::clone(&policy),
            severity: severity(text(violation, "enforcementAction")),
            object,
            part: if same == 0 {
                names.of("")
            } else {
                names.of(&format!("violation {}", same + 1))
            },
            message: message(text(violation, "message"), names),
            told_by: Name::clone(&told_by),
            tag: names.of(""),
        });
    }
    outcomes
}

/// What would be refused is worse than what is only warned of.
fn severity(action: &str) -> FindingSeverity {
    match action {
        "dryrun" | "warn" => FindingSeverity::Low,
        _ => FindingSeverity::Medium,
    }
}
