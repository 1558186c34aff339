use crate::names::Name;
use crate::object::Subject;
use event_model::{Finding, FindingSeverity, FindingSource};
use posture::{Policy, PolicySet, Severity};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The policy's place where the policies could not be asked.
pub(crate) const NONE: u16 = u16::MAX;
/// The name of the finding that a policy could not be asked.
const UNANSWERED: &str = "policy-unanswered";

/// Stand-ins in the texts of offences for what tells objects alike apart. They are of Unicode's private use area, which no name
/// of Kubernetes has.
pub(crate) mod stand_in {
    /// Followed by the container's number.
    pub(crate) const CONTAINER: char = '\u{e000}';
    /// Followed by the number of the container whose image it is.
    pub(crate) const IMAGE: char = '\u{e002}';
    /// Followed by the volume's number.
    pub(crate) const VOLUME: char = '\u{e003}';
    /// The end of each number.
    pub(crate) const END: char = '\u{e001}';
    /// The object's name.
    pub(crate) const OBJECT: char = '\u{e004}';
    /// The object's namespace.
    pub(crate) const NAMESPACE: char = '\u{e005}';

    pub(crate) fn numbered(what: char, number: usize) -> String {
        format!("{what}{number}{END}")
    }
}

/// That one of an object's parts offends against a policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Offence {
    /// By its place.
    pub(crate) policy: u16,
    /// Which of the policy's validations, by its place.
    pub(crate) validation: u16,
    /// `NAME`, or `NAME (EVIDENCE)`, with stand-ins.
    pub(crate) told: Name,
}

/// The offences of an object, shared by all that offend alike.
pub(crate) type OffenceList = Arc<[Offence]>;

/// A container of an object, by what stands in its offences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) name: Name,
    pub(crate) image: Name,
}

/// An object with what was found of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Examined {
    pub(crate) subject: Arc<Subject>,
    pub(crate) containers: Arc<[Container]>,
    /// Of the object itself without its images, of its images, and beside others.
    pub(crate) offences: [Option<OffenceList>; 3],
}

impl Examined {
    pub(crate) fn is_clean(&self) -> bool {
        self.offences.iter().flatten().all(|list| list.is_empty())
    }

    /// As findings: one for each policy and part, whatever of its validations it fails.
    pub(crate) fn findings(&self, policies: &PolicySet) -> Vec<Finding> {
        let mut by_part: BTreeMap<(u16, String), Finding> = BTreeMap::new();
        for offence in self.offences.iter().flatten().flat_map(|list| list.iter()) {
            let told = self.told(&offence.told);
            let policy = policies.policies().nth(usize::from(offence.policy));
            let Some(policy) = policy else {
                let finding = self.unanswered(&told);
                by_part.insert((NONE, told), finding);
                continue;
            };
            let Some(validation) = policy.validations.get(usize::from(offence.validation)) else {
                continue;
            };
            let (name, evidence) =
                match told.strip_suffix(')').and_then(|told| told.split_once(" (")) {
                    Some((name, evidence)) => (name, Some(evidence)),
                    None => (&*told, None),
                };
            let part = part(&validation.of, name);
            let finding = by_part
                .entry((offence.policy, part.clone()))
                .or_insert_with(|| self.finding(policy, part));
            let message = format!("{} {told}: {}", validation.of, validation.message);
            add(finding, &message, evidence);
        }
        by_part.into_values().collect()
    }

    fn finding(&self, policy: &Policy, part: String) -> Finding {
        Finding {
            source: FindingSource::Posture,
            policy: policy.name.clone(),
            title: policy.title.clone(),
            severity: severity(policy.severity),
            object: self.subject.reference(),
            part,
            message: String::new(),
            evidence: vec![],
            tags: policy.tags.clone(),
        }
    }

    /// What could not be asked is no pass.
    fn unanswered(&self, reason: &str) -> Finding {
        Finding {
            source: FindingSource::Posture,
            policy: UNANSWERED.to_owned(),
            title: "Policies that could not be asked".to_owned(),
            severity: FindingSeverity::Low,
            object: self.subject.reference(),
            part: reason.split_once(':').map_or("", |(policy, _)| policy).to_owned(),
            message: format!(
                "{reason}; make the object smaller, or look at it by hand: it may be anything"
            ),
            evidence: vec![],
            tags: vec![],
        }
    }

    /// The text with what its stand-ins stand for.
    fn told(&self, text: &str) -> String {
        let mut told = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(['\u{e000}', '\u{e002}', '\u{e004}', '\u{e005}']) {
            told.push_str(&rest[..at]);
            let mut after = rest[at..].chars();
            let what = after.next();
            rest = after.as_str();
            match what {
                Some(stand_in::OBJECT) => told.push_str(&self.subject.name),
                Some(stand_in::NAMESPACE) => told.push_str(&self.subject.namespace),
                what => {
                    let Some((number, after)) = rest.split_once(stand_in::END) else { continue };
                    rest = after;
                    let container = number.parse().ok().and_then(|n: usize| self.containers.get(n));
                    told.push_str(match (what, container) {
                        (Some(stand_in::IMAGE), Some(container)) => &container.image,
                        (_, Some(container)) => &container.name,
                        (_, None) => "",
                    });
                }
            }
        }
        told + rest
    }
}

fn part(of: &str, name: &str) -> String {
    match of {
        "object" => String::new(),
        "container" => name.to_owned(),
        of => format!("{of} {name}"),
    }
}

fn add(finding: &mut Finding, message: &str, evidence: Option<&str>) {
    if !finding.message.contains(message) {
        if !finding.message.is_empty() {
            finding.message.push_str("; ");
        }
        finding.message.push_str(message);
    }
    if let Some(evidence) = evidence
        && !finding.evidence.iter().any(|known| known == evidence)
    {
        finding.evidence.push(evidence.to_owned());
    }
}

const fn severity(severity: Severity) -> FindingSeverity {
    match severity {
        Severity::Low => FindingSeverity::Low,
        Severity::Medium => FindingSeverity::Medium,
        Severity::High => FindingSeverity::High,
    }
}
