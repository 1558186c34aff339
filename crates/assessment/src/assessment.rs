//! All that is assessed, behind one door.

use crate::exposure::{self, Exposure};
use crate::kind::Kind;
use crate::ledger::{MOST_FINDINGS, identified};
use crate::names::{Name, Names};
use crate::object::{Key, LabelNumbers, Refusal, Subject, read, text};
use crate::offences::{Examined, Examiner, OffenceList};
use crate::part::{Area, Part};
use crate::places::{Place, Places};
use crate::pod_security::{self, Namespace, Violations};
use crate::reports::{self, Reports};
use crate::rights::{Rights, RunningAccounts};
use crate::siblings::{MOST_TOLD, Siblings};
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

    fn put(&mut self, kind: Kind, subject: Subject, object: &Value) {
        match kind {
            Kind::Namespace => self.put_namespace(subject, object),
            Kind::Service => self.put_service(subject, object),
            Kind::Ingress => {
                self.examine(kind, Arc::new(subject.clone()), object, None);
                let key = subject.key;
                let route = exposure::ingress(subject, object, &mut self.names);
                self.note_exposure(|exposure| exposure.put_route(key, route));
            }
            Kind::Route => {
                let key = subject.key;
                let route = exposure::openshift_route(subject, object, &mut self.names);
                self.note_exposure(|exposure| exposure.put_route(key, route));
            }
            Kind::GatewayRoute => {
                let key = subject.key;
                let route = exposure::gateway_route(subject, object, &mut self.names);
                self.note_exposure(|exposure| exposure.put_route(key, route));
            }
            Kind::Gateway => self.note_exposure(|exposure| exposure.put_gateway(subject, object)),
            Kind::ReferenceGrant => {
                let is_other = self.exposure.put_grant(&subject, object, &mut self.names);
                self.note_exposure(|_| is_other);
            }
            Kind::EndpointSlice => {
                let is_other = self.exposure.put_endpoints(&subject, object, &mut self.names);
                self.note_exposure(|_| is_other);
            }
            Kind::Role | Kind::ClusterRole | Kind::RoleBinding | Kind::ClusterRoleBinding => {
                self.put_right(kind, subject, object);
            }
            Kind::Constraint => {
                let outcomes = reports::violations(&subject, object, &mut self.names);
                self.put_report(subject.key, outcomes);
            }
            Kind::PolicyReport => {
                let outcomes = reports::results(&subject, object, &mut self.names);
                self.put_report(subject.key, outcomes);
            }
            _ => self.put_workload(kind, subject, object),
        }
    }

    fn put_namespace(&mut self, subject: Subject, object: &Value) {
        let key = subject.key;
        let namespace = Namespace::new(subject, object, &mut self.names);
        if !self.has_room(self.namespaces.len(), self.namespaces.contains_key(&key)) {
            return;
        }
        let before = self.namespaces.insert(key, Box::new(namespace));
        let is_other = before.as_ref() != self.namespaces.get(&key);
        self.part_mut(Area::PodSecurity).touch(is_other);
    }

    fn put_service(&mut self, subject: Subject, object: &Value) {
        let subject = Arc::new(subject);
        let key = subject.key;
        let (names, labels) = (&mut self.names, &self.labels);
        let is_other = self.exposure.put_service(Arc::clone(&subject), object, names, labels);
        self.note_exposure(|_| is_other);
        if is_other.is_none() {
            return;
        }
        let selector = self.labels.of(&object["spec"]["selector"]);
        let touched = self.siblings.put(key, &subject.namespace, &selector);
        let beside = self.beside(key);
        self.examine(Kind::Service, subject, object, beside);
        self.tell_siblings(&touched);
    }

    /// Services whose siblings are others than before.
    fn tell_siblings(&mut self, touched: &[Key]) {
        for key in touched {
            let beside = self.beside(*key);
            let Some(subject) = self.exposure.service(*key) else { continue };
            let mut examined = match self.examined.get(key) {
                Some(examined) => Examined::clone(examined),
                None => Examined {
                    subject: Arc::clone(subject),
                    containers: [].into(),
                    offences: [None, None, None],
                },
            };
            examined.offences[2] = beside;
            self.note_examined(*key, Some(examined));
        }
    }

    /// The offence of having the same selector as others.
    fn beside(&mut self, key: Key) -> Option<OffenceList> {
        let namespace = &self.exposure.service(key)?.namespace;
        if self.settings.exempt_namespaces.contains(&**namespace) {
            return None;
        }
        let others = match self.siblings.of(key) {
            Some(others) => {
                let names = others.iter().filter_map(|other| self.exposure.service(*other));
                let mut names: Vec<_> = names.map(|subject| subject.name.to_string()).collect();
                names.sort();
                names
            }
            None => vec![format!("more than {MOST_TOLD} others")],
        };
        self.examiner.examine_beside(others, &mut self.names)
    }

    fn put_right(&mut self, kind: Kind, subject: Subject, object: &Value) {
        self.examine(kind, Arc::new(subject.clone()), object, None);
        let names = &mut self.names;
        let (is_other, left_out) = match kind {
            Kind::Role | Kind::ClusterRole => self.rights.put_role(subject, object, names),
            _ => self.rights.put_binding(subject, object, names),
        };
        self.problems.left_out += left_out;
        self.part_mut(Area::Rights).touch(is_other);
    }

    /// Of a service account nothing counts but that it exists.
    fn put_account(&mut self, object: &Value) {
        let metadata = &object["metadata"];
        let (uid, name) = (text(metadata, "uid"), text(metadata, "name"));
        if uid.is_empty() || name.is_empty() {
            return self.problems.malformed += 1;
        }
        let is_new = self.rights.put_account(Key::of(uid), text(metadata, "namespace"), name);
        self.part_mut(Area::Rights).touch(is_new);
    }

    fn put_report(&mut self, key: Key, outcomes: Vec<reports::Outcome>) {
        let (is_other, left_out) = self.reports.put(key, outcomes);
        self.problems.left_out += left_out;
        self.part_mut(Area::Reports).touch(is_other);
    }

    fn put_workload(&mut self, kind: Kind, subject: Subject, object: &Value) {
        let is_over = kind == Kind::Pod
            && ["Succeeded", "Failed"].contains(&text(&object["status"], "phase"));
        if is_over || workload::is_controlled(object) {
            return self.forget(kind, subject.key);
        }
        let key = subject.key;
        if !self.has_room(self.workloads.len(), self.workloads.contains_key(&key)) {
            return;
        }
        let subject = Arc::new(subject);
        let workload = Workload::new(subject, kind, object, &mut self.names, &self.labels);
        self.examine_workload(kind, &workload, object);
        let before = self.workloads.insert(key, Box::new(workload));
        let now = self.workloads.get(&key);
        let [is_placed, runs_as, answers] =
            differences(before.as_deref(), now.map(|workload| &**workload));
        self.part_mut(Area::PodSecurity).touch(is_placed);
        self.part_mut(Area::Rights).touch(runs_as);
        self.part_mut(Area::Exposure).touch(answers);
    }

    /// Of what is no workload.
    fn examine(
        &mut self,
        kind: Kind,
        subject: Arc<Subject>,
        object: &Value,
        beside: Option<OffenceList>,
    ) {
        let [rights, images] = self.offences(kind, &subject, object);
        let offences = [rights, images, beside];
        let key = subject.key;
        self.note_examined(key, Some(Examined { subject, containers: [].into(), offences }));
    }

    fn examine_workload(&mut self, kind: Kind, workload: &Workload, object: &Value) {
        let [rights, images] = self.offences(kind, &workload.subject, object);
        let subject = Arc::clone(&workload.subject);
        let key = subject.key;
        let containers = Arc::clone(&workload.containers);
        let offences = [rights, images, None];
        self.note_examined(key, Some(Examined { subject, containers, offences }));
    }

    /// None of an exempt namespace.
    fn offences(
        &mut self,
        kind: Kind,
        subject: &Subject,
        object: &Value,
    ) -> [Option<OffenceList>; 2] {
        if self.settings.exempt_namespaces.contains(&*subject.namespace) {
            return [None, None];
        }
        self.examiner.examine(kind, object, &mut self.names, &mut self.problems)
    }

    /// Keeps what was found of an object, and notes that it is to be told where it is other than before.
    fn note_examined(&mut self, key: Key, examined: Option<Examined>) {
        let examined = examined.filter(|examined| !examined.is_clean());
        let has_room = examined.is_none()
            || self.has_room(self.examined.len(), self.examined.contains_key(&key));
        if !has_room {
            return;
        }
        let before = match examined {
            Some(examined) => self.examined.insert(key, Box::new(examined)),
            None => self.examined.remove(&key),
        };
        let now = self.examined.get(&key);
        let Some(either) = before.as_ref().or(now).filter(|_| before.as_ref() != now) else {
            return;
        };
        let place = self.places.of(&either.subject);
        if !self.pending.contains_key(&place) {
            self.pending.insert(place, before);
        }
        if self.pending.get(&place).is_some_and(|told| told.as_ref() == now) {
            self.pending.remove(&place);
        }
    }

    fn note_exposure(&mut self, put: impl FnOnce(&mut Exposure) -> Option<bool>) {
        match put(&mut self.exposure) {
            Some(is_other) => self.part_mut(Area::Exposure).touch(is_other),
            None => self.problems.left_out += 1,
        }
    }

    fn has_room(&mut self, count: usize, is_known: bool) -> bool {
        let has_room = is_known || count < MOST_OBJECTS;
        if !has_room {
            self.problems.left_out += 1;
        }
        has_room
    }

    fn forget(&mut self, kind: Kind, key: Key) {
        if let Some(place) = self.subject(key).map(|subject| self.places.of(subject)) {
            self.places.leave(place, key);
        }
        match kind {
            Kind::Namespace => {
                let is_known = self.namespaces.remove(&key).is_some();
                self.part_mut(Area::PodSecurity).touch(is_known);
            }
            Kind::Role | Kind::ClusterRole | Kind::RoleBinding | Kind::ClusterRoleBinding => {
                self.note_examined(key, None);
                let is_known = self.rights.remove(key);
                self.part_mut(Area::Rights).touch(is_known);
            }
            Kind::Constraint | Kind::PolicyReport => {
                let is_known = self.reports.remove(key);
                self.part_mut(Area::Reports).touch(is_known);
            }
            Kind::Service
            | Kind::Ingress
            | Kind::Route
            | Kind::GatewayRoute
            | Kind::Gateway
            | Kind::ReferenceGrant
            | Kind::EndpointSlice => self.forget_exposed(key),
            Kind::ServiceAccount => {
                let is_known = self.rights.remove_account(key);
                self.part_mut(Area::Rights).touch(is_known);
            }
            _ => self.forget_workload(key),
        }
    }

    fn forget_exposed(&mut self, key: Key) {
        let touched = self.siblings.remove(key);
        self.note_examined(key, None);
        let is_known = self.exposure.remove(key);
        self.tell_siblings(&touched);
        self.part_mut(Area::Exposure).touch(is_known);
    }

    fn forget_workload(&mut self, key: Key) {
        self.note_examined(key, None);
        if self.workloads.remove(&key).is_some() {
            for area in [Area::PodSecurity, Area::Rights, Area::Exposure] {
                self.part_mut(area).touch(true);
            }
        }
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

/// Whether a workload is other than it was: in what Pod Security reads, in as whom it runs, in what answers for it.
fn differences(before: Option<&Workload>, now: Option<&Workload>) -> [bool; 3] {
    let (Some(before), Some(now)) = (before, now) else { return [true; 3] };
    let is_other_subject = before.subject != now.subject;
    [
        is_other_subject || before.violations != now.violations,
        is_other_subject || before.service_account != now.service_account,
        is_other_subject
            || before.labels != now.labels
            || before.containers != now.containers
            || before.trusts_everyone != now.trusts_everyone,
    ]
}
