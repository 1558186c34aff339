use super::binding::{Holder, HolderKind};
use super::exemption::Exemption;
use super::graph::{Grant, Graph};
use crate::checks::{self, WORST};
use event_model::{Finding, FindingSeverity};

/// The roles that everyone has as installed.
const DEFAULT_ROLES: [&str; 5] = [
    "system:basic-user",
    "system:discovery",
    "system:openshift:public-info-viewer",
    "system:public-info-viewer",
    "system:service-account-issuer-discovery",
];

/// Tells the bindings of everyone to more than the default rights.
pub(crate) fn tell(graph: &Graph<'_>, exemption: &Exemption<'_>, put: &mut dyn FnMut(Finding)) {
    for grant in &graph.grants {
        let role = &grant.role.subject;
        let is_default = role.namespace.is_empty() && DEFAULT_ROLES.contains(&&*role.name);
        if is_default || exemption.namespaces.contains(&*grant.binding.subject.namespace) {
            continue;
        }
        for holder in &grant.binding.holders {
            if let Some(severity) = severity(holder, grant) {
                put(finding(holder, grant, severity));
            }
        }
    }
}

/// None where the holder is not everyone, or nothing is granted.
fn severity(holder: &Holder, grant: &Grant<'_>) -> Option<FindingSeverity> {
    if !grant.role.grants && grant.powers.is_empty() {
        return None;
    }
    match (holder.kind, &*holder.name) {
        (HolderKind::User, "system:anonymous") | (HolderKind::Group, "system:unauthenticated") => {
            Some(WORST)
        }
        (HolderKind::Group, "system:authenticated" | "system:serviceaccounts") => {
            Some(if grant.powers.is_empty() { FindingSeverity::Low } else { FindingSeverity::High })
        }
        _ => None,
    }
}

fn finding(holder: &Holder, grant: &Grant<'_>, severity: FindingSeverity) -> Finding {
    let (binding, role) = (&grant.binding.subject, grant.role.subject.display());
    let powers: Vec<_> = grant.powers.iter().map(super::power::Power::told).collect();
    let powers = if powers.is_empty() { "other rights".to_owned() } else { powers.join(", ") };
    let evidence = vec![format!("{} → {} → {role}: {powers}", holder.display(), binding.display())];
    let message = format!(
        "gives {role} to {}; remove that subject from the binding, and name those who need it",
        holder.display()
    );
    let mut finding = checks::ANONYMOUS.finding(binding.reference(), message, evidence);
    finding.severity = severity;
    finding.part = holder.name.to_string();
    finding
}
