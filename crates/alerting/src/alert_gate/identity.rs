use super::Subject;
use super::telling::TellingFields;
use detection::Match;
use event_model::{
    AuditEvent, Event, EventKind, MatchedField, NetworkAct, NetworkEvent, Process, Timestamp,
};
use foldhash::fast::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};

/// A match, as far as alerts are told apart by it.
pub struct Finding<'a> {
    pub rule: &'a str,
    /// When the act happened, or the request was noted.
    pub time: Timestamp,
    pub matched_fields: &'a [MatchedField],
    pub what: What<'a>,
}

/// What was done.
pub enum What<'a> {
    Act { event: &'a Event, process: &'a Process },
    Request(&'a AuditEvent),
}

impl<'a> Finding<'a> {
    /// Of a match. `subject` is what matched.
    pub fn of(matched: &'a Match<'_>, subject: Subject<'a>) -> Self {
        let (time, what) = match subject {
            Subject::Act(act) => {
                (act.event.time, What::Act { event: act.event, process: act.process })
            }
            Subject::Request(act) => (act.event.stage_at, What::Request(act.event)),
        };
        Self { rule: matched.rule().name(), time, matched_fields: matched.matched_fields(), what }
    }
}

/// What tells alerts apart. Two hashes, not texts: an alert's evidence may be long.
pub struct Identity {
    /// The rule, and where: the container; on the host the program; of a request the user.
    pub place: u64,
    /// That, and all that a person would tell two alerts apart by, but for times and numbers of processes.
    pub act: u64,
}

/// Finds identities. They are compared with those of the same finder alone.
pub struct Identities {
    hashes: RandomState,
    telling: TellingFields,
}

impl Identities {
    pub fn new() -> Self {
        Self { hashes: RandomState::default(), telling: TellingFields::new() }
    }

    pub fn of(&self, finding: &Finding<'_>) -> Identity {
        let mut place = self.hashes.build_hasher();
        finding.rule.hash(&mut place);
        hash_place(&finding.what, &mut place);
        let place = place.finish();
        let mut act = self.hashes.build_hasher();
        place.hash(&mut act);
        match finding.what {
            What::Act { event, process } => {
                hash_actor(process, &mut act);
                hash_act(&event.kind, &mut act);
            }
            What::Request(request) => hash_request(request, &mut act),
        }
        let telling = |matched: &&MatchedField| self.telling.contains(&matched.field);
        for matched in finding.matched_fields.iter().filter(telling) {
            (&matched.field, &matched.value).hash(&mut act);
        }
        Identity { place, act: act.finish() }
    }
}

fn hash_place(what: &What<'_>, hasher: &mut impl Hasher) {
    match what {
        What::Request(request) => request.user.name.hash(hasher),
        What::Act { event: Event { container: Some(id), .. }, .. } => id.0.hash(hasher),
        What::Act { process, .. } => process.executable.path.hash(hasher),
    }
}

fn hash_actor(process: &Process, hasher: &mut impl Hasher) {
    process.executable.path.hash(hasher);
    process.executable.invoked_as.hash(hasher);
    process.arguments.hash(hasher);
    (process.credentials.uid, process.credentials.euid).hash(hasher);
}

fn hash_act(kind: &EventKind, hasher: &mut impl Hasher) {
    kind.name().hash(hasher);
    match kind {
        EventKind::Exec | EventKind::Fork { .. } | EventKind::Exit(_) => {}
        EventKind::File(file) => {
            (&file.path, &file.host_path, &file.other_path, file.error).hash(hasher);
            (file.mode, file.owner, file.group).hash(hasher);
        }
        EventKind::Network(network) => hash_network(network, hasher),
        EventKind::Dns(dns) => {
            for question in &dns.questions {
                (&question.name, &question.record_type).hash(hasher);
            }
        }
        EventKind::System(system) => {
            let varies = |name: &str| matches!(name, "addr" | "length" | "count");
            for argument in system.arguments.iter().filter(|argument| !varies(&argument.name)) {
                (&argument.name, &argument.value).hash(hasher);
            }
        }
    }
}

/// The kernel chooses a port for the end that asks: that one tells nothing.
fn hash_network(network: &NetworkEvent, hasher: &mut impl Hasher) {
    let is_inbound = match network.act {
        NetworkAct::Accept => true,
        NetworkAct::Close => network.flow.is_some_and(|flow| flow.inbound),
        _ => false,
    };
    let waits = matches!(network.act, NetworkAct::Bind | NetworkAct::Listen);
    (network.family, network.protocol, network.socket_type, &network.path).hash(hasher);
    network.remote.map(|end| end.ip()).hash(hasher);
    if is_inbound || waits {
        network.local.hash(hasher);
    } else {
        network.remote.map(|end| end.port()).hash(hasher);
    }
}

fn hash_request(request: &AuditEvent, hasher: &mut impl Hasher) {
    (&request.verb, request.response_code, &request.source_ips).hash(hasher);
    match &request.object {
        Some(object) => {
            (&object.resource, &object.subresource, &object.namespace).hash(hasher);
            object.name.as_ref().or(request.response_name.as_ref()).hash(hasher);
        }
        None => request.request_uri.hash(hasher),
    }
}
