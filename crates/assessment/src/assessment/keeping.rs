//! Each object to where its kind is kept, and out of it again.

use super::{Assessment, MOST_OBJECTS};
use crate::exposure::{self, Exposure};
use crate::kind::Kind;
use crate::object::{Key, Subject, text};
use crate::offences::{Examined, OffenceList};
use crate::part::Area;
use crate::pod_security::Namespace;
use crate::reports;
use crate::siblings::MOST_TOLD;
use crate::workload::{self, Workload};
use serde_json::Value;
use std::sync::Arc;

impl Assessment {
    /// Puts an object where its kind is kept, and examines it.
    pub(super) fn put(&mut self, kind: Kind, subject: Subject, object: &Value) {
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
    pub(super) fn put_account(&mut self, object: &Value) {
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

    pub(super) fn forget(&mut self, kind: Kind, key: Key) {
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
