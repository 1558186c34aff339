//! All that is assessed, behind one door.

mod keeping;

use crate::exposure::{self, Exposure};
use crate::kind::Kind;
use crate::ledger::{MOST_FINDINGS, identified};
use crate::names::{Name, Names};
use crate::object::{Key, LabelNumbers, Refusal, Subject, read};
use crate::offences::{Examined, Examiner};
use crate::part::{Area, Part};
use crate::places::{Place, Places};
use crate::pod_security::{self, Namespace, Violations};
use crate::reports::Reports;
use crate::rights::{Rights, RunningAccounts};
use crate::siblings::Siblings;
use crate::workload::{self, Workload};
use crate::{AssessmentError, AssessmentSettings, CHECKS, Changes, Problems};
use event_model::{Finding, FindingSource};
use foldhash::{HashMap, HashMapExt};
use packed_map::PackedMap;
use posture::PolicyFile;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// Most changes that one call tells, but for those of the last object.
const MOST_CHANGES: usize = 1_024;
/// The same of what posture policies find, of which each object's is made by itself: so much is held at once.
const MOST_PENDING: usize = 256;
/// Most workloads, and bare pods, and most objects that offend.
const MOST_OBJECTS: usize = 50_000;

/// The state of an assessment. It belongs to one thread.
///
/// The time that a call takes is bounded but for [`Assessment::apply`] of an object that looks like none before: its policies are asked, which takes
/// a millisecond or so.
pub struct Assessment {
    settings: AssessmentSettings,
    names: Names,
    labels: LabelNumbers,
    examiner: Examiner,
    problems: Problems,
    /// Objects that offend against posture policies.
    examined: PackedMap<Key, Box<Examined>>,
    /// The names of those of whom other things are to be told, with what was told.
    pending: PackedMap<Place, Option<Box<Examined>>>,
    places: Places,
    siblings: Siblings,
    workloads: PackedMap<Key, Box<Workload>>,
    namespaces: PackedMap<Key, Box<Namespace>>,
    rights: Rights,
    exposure: Exposure,
    reports: Reports,
    parts: [Part; Area::ALL.len()],
}

impl Assessment {
    /// Policies as they stand in files; None for those that are built in.
    ///
    /// # Errors
    /// A policy can't be used, or something is set that nothing has.
    pub fn new(
        settings: &AssessmentSettings,
        policies: Option<&[PolicyFile<'_>]>,
    ) -> Result<Self, AssessmentError> {
        let known = |name: &String| CHECKS.iter().any(|check| check.name == name);
        if let Some(unknown) = settings.disabled_checks.iter().find(|name| !known(name)) {
            return Err(AssessmentError::UnknownCheck(unknown.clone()));
        }
        Ok(Self {
            examiner: Examiner::new(&settings.policies, policies)?,
            settings: settings.clone(),
            names: Names::default(),
            labels: LabelNumbers::default(),
            problems: Problems::default(),
            examined: PackedMap::default(),
            pending: PackedMap::default(),
            places: Places::default(),
            siblings: Siblings::default(),
            workloads: PackedMap::default(),
            namespaces: PackedMap::default(),
            rights: Rights::default(),
            exposure: Exposure::default(),
            reports: Reports::default(),
            parts: Default::default(),
        })
    }

    /// Whether anything is concluded from objects of this kind.
    pub fn wants(&self, api_version: &str, kind: &str) -> bool {
        Kind::of(api_version, kind).is_some()
    }

    /// An object that came or changed, as JSON. Its `apiVersion` and `kind` may be absent from it.
    pub fn apply(&mut self, api_version: &str, kind: &str, object: &[u8]) {
        let Some(of_kind) = Kind::of(api_version, kind) else { return };
        if self.passes_by(of_kind, object) {
            return;
        }
        let mut object = match read(object) {
            Ok(object) => object,
            Err(Refusal::Malformed) => return self.problems.malformed += 1,
            Err(Refusal::TooLarge) => return self.problems.left_out += 1,
        };
        if of_kind == Kind::ServiceAccount {
            return self.put_account(&object);
        }
        object["apiVersion"] = json!(api_version);
        object["kind"] = json!(kind);
        match Subject::of(api_version, kind, &object, &mut self.names) {
            Some(subject) => self.place(of_kind, subject, &object),
            None => self.problems.malformed += 1,
        }
    }

    /// An object that is gone.
    pub fn remove(&mut self, api_version: &str, kind: &str, uid: &str) {
        if let Some(kind) = Kind::of(api_version, kind) {
            self.forget(kind, Key::of(uid));
        }
    }

    /// What is new, other or gone since the last call, as far as one call tells it.
    pub fn settle(&mut self, now: Instant) -> Changes {
        let mut changes = Changes::default();
        self.settle_pending(&mut changes);
        for area in Area::ALL {
            if changes.len() >= MOST_CHANGES {
                changes.more = true;
                break;
            }
            if self.part(area).is_due(now) {
                self.run(area, now, &mut changes);
            }
        }
        changes.more |= !self.pending.is_empty();
        changes
    }

    /// Tells all findings, each as soon as it is made: together they would take more memory than all else.
    pub fn tell_all(&self, tell: &mut dyn FnMut(Finding)) {
        let policies = self.examiner.policies();
        for examined in self.examined.values() {
            examined.findings(policies).into_iter().for_each(&mut *tell);
        }
        for area in Area::ALL {
            let mut room = MOST_FINDINGS;
            self.tell(area, &mut |finding| {
                if room > 0 {
                    room -= 1;
                    tell(finding);
                }
            });
        }
    }

    /// What could not be assessed until now.
    pub fn problems(&self) -> Problems {
        self.problems
    }

    /// Objects that need not be read: of which something else tells all there is to tell.
    fn passes_by(&mut self, kind: Kind, object: &[u8]) -> bool {
        match kind {
            _ if kind.is_workload() => match workload::controlled_uid(object) {
                Some(uid) => {
                    // It may have been without a controller before.
                    self.forget(kind, Key::of(uid));
                    true
                }
                None => false,
            },
            Kind::EndpointSlice => exposure::is_of_selector(object),
            _ => false,
        }
    }

    /// Puts an object in the place of the one that had its name before.
    fn place(&mut self, kind: Kind, subject: Subject, object: &Value) {
        let (key, place) = (subject.key, self.places.of(&subject));
        if let Some(former) = self.places.holder(place).filter(|former| *former != key) {
            self.forget(kind, former);
        }
        // No server gives a uid to two names; should one do so, the last counts.
        if self.subject(key).is_some_and(|known| self.places.of(known) != place) {
            self.forget(kind, key);
        }
        self.put(kind, subject, object);
        if self.subject(key).is_some() {
            self.places.take(place, key);
        } else {
            self.places.leave(place, key);
        }
    }

    /// Who this is, of all that can have findings of their own.
    fn subject(&self, key: Key) -> Option<&Subject> {
        let examined = self.examined.get(&key).map(|examined| &*examined.subject);
        examined
            .or_else(|| self.workloads.get(&key).map(|workload| &*workload.subject))
            .or_else(|| self.namespaces.get(&key).map(|namespace| &namespace.subject))
            .or_else(|| self.exposure.subject(key))
            .or_else(|| self.rights.subject(key))
    }

    fn settle_pending(&mut self, changes: &mut Changes) {
        while changes.len() < MOST_PENDING {
            let Some(place) = self.pending.first_key() else { break };
            let before = self.pending.remove(&place).flatten();
            let policies = self.examiner.policies();
            let findings = |examined: &Examined| -> BTreeMap<Uuid, Finding> {
                examined.findings(policies).into_iter().map(identified).collect()
            };
            let before = before.as_deref().map(findings).unwrap_or_default();
            let now = self.places.holder(place).and_then(|key| self.examined.get(&key));
            let now = now.map(|examined| findings(examined)).unwrap_or_default();
            changes.removed.extend(before.keys().filter(|id| !now.contains_key(*id)));
            let is_other = |(id, finding): &(Uuid, Finding)| before.get(id) != Some(finding);
            changes.changed.extend(now.into_iter().filter(is_other).map(|(_, finding)| finding));
        }
    }

    fn run(&mut self, area: Area, now: Instant, changes: &mut Changes) {
        let mut ledger = std::mem::take(&mut self.part_mut(area).ledger);
        let mut round = ledger.begin(changes, MOST_CHANGES);
        self.tell(area, &mut |finding| round.put(finding));
        self.problems.left_out += round.finish();
        let (told_all, objects) = (!changes.more, self.objects(area));
        let part = self.part_mut(area);
        part.ledger = ledger;
        part.ran(now, objects, told_all);
    }

    /// How many objects a round of a part looks at.
    fn objects(&self, area: Area) -> usize {
        match area {
            Area::PodSecurity => self.workloads.len() + self.namespaces.len(),
            Area::Rights => self.rights.len() + self.workloads.len(),
            Area::Exposure => self.exposure.len() + self.workloads.len(),
            Area::Reports => self.reports.len(),
        }
    }

    fn tell(&self, area: Area, put: &mut dyn FnMut(Finding)) {
        let settings = &self.settings;
        let mut put_enabled = |finding: Finding| {
            let is_ours = matches!(
                finding.source,
                FindingSource::PodSecurity | FindingSource::Rbac | FindingSource::Exposure
            );
            if !(is_ours && settings.disabled_checks.contains(&finding.policy)) {
                put(finding);
            }
        };
        let is_exempt = |namespace: &str| settings.exempt_namespaces.contains(namespace);
        match area {
            Area::PodSecurity => self.tell_pod_security(&is_exempt, &mut put_enabled),
            Area::Rights => {
                let accounts = self.workloads.values().map(|workload| {
                    (
                        Name::clone(&workload.subject.namespace),
                        Name::clone(&workload.service_account),
                    )
                });
                let running: RunningAccounts = accounts.collect();
                let (subjects, namespaces) =
                    (&settings.exempt_subjects, &settings.exempt_namespaces);
                self.rights.findings(&running, subjects, namespaces, &mut put_enabled);
            }
            Area::Exposure => {
                let workloads: Vec<_> =
                    self.workloads.values().map(|workload| &**workload).collect();
                let has_kubeflow =
                    workloads.iter().any(|workload| &*workload.subject.namespace == "kubeflow");
                self.exposure.findings(&workloads, has_kubeflow, &is_exempt, &mut put_enabled);
            }
            Area::Reports => self.reports.findings(&is_exempt, &mut put_enabled),
        }
    }

    fn tell_pod_security(&self, is_exempt: &dyn Fn(&str) -> bool, put: &mut dyn FnMut(Finding)) {
        let mut workloads: HashMap<&str, Vec<(Arc<Subject>, Violations)>> = HashMap::new();
        for workload in self.workloads.values() {
            let here = workloads.entry(&workload.subject.namespace).or_default();
            here.push((Arc::clone(&workload.subject), workload.violations));
        }
        for namespace in self.namespaces.values() {
            let name = &*namespace.subject.name;
            if !is_exempt(name) {
                let here = workloads.get(name).map_or(&[][..], Vec::as_slice);
                pod_security::findings(namespace, here).into_iter().for_each(&mut *put);
            }
        }
    }

    fn part(&self, area: Area) -> &Part {
        &self.parts[area as usize]
    }

    fn part_mut(&mut self, area: Area) -> &mut Part {
        &mut self.parts[area as usize]
    }
}
