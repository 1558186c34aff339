use crate::network::Connection;
use crate::object::Object;
use crate::{container, file, network, process, request, user};
use event_model::{
    Alert, AlertSubject, AuditEvent, DnsEvent, Event, EventKind, FileEvent, NetworkEvent,
    SystemEvent,
};
use serde_json::{Map, Value};

/// What was done, by whom, and to what: one piece of evidence, and for each further name of a query one more.
pub fn evidences(alert: &Alert) -> Vec<Value> {
    match &alert.subject {
        AlertSubject::Act { event, .. } => of_act(alert, event),
        AlertSubject::Audit(event) => vec![of_request(alert, event).into()],
    }
}

/// Who acted. None where nothing is known of that.
pub fn actor(alert: &Alert) -> Option<Object> {
    Some(user(alert)?.with_some("process", process::acting(alert)))
}

/// Whom that was for: beside the process, evidence need not say it all again.
fn user(alert: &Alert) -> Option<Object> {
    let user = match alert.audit() {
        Some(event) => user::is_known(&event.user).then(|| user::of_request(&event.user)),
        None => alert.process_chain().first().map(user::of_process),
    };
    user.map(|user| Object::new().with("user", user))
}

fn of_act(alert: &Alert, event: &Event) -> Vec<Value> {
    let evidence = base(alert, event.kind.name());
    match &event.kind {
        EventKind::Exec | EventKind::Fork { .. } | EventKind::Exit(_) => vec![evidence.into()],
        EventKind::File(file) => vec![of_file(evidence, file).into()],
        EventKind::Network(network) => vec![of_network(evidence, network).into()],
        EventKind::Dns(dns) => of_query(evidence, dns),
        EventKind::System(system) => vec![of_system(alert, evidence, system).into()],
    }
}

/// The part that all evidence has.
fn base(alert: &Alert, act: &str) -> Object {
    let known = alert.container().map(container::container);
    let of_event = alert.event().and_then(|event| event.container.as_ref());
    let container = known.or_else(|| of_event.map(container::id_alone));
    Object::new()
        .with("name", act)
        .with_some("actor", user(alert))
        .with_some("process", process::acting(alert))
        .with_some("container", container)
        .with("data", data(alert, act))
}

/// The act's name, and what the rule saw.
fn data(alert: &Alert, act: &str) -> Object {
    let fields = alert.matched_fields.iter();
    let fields: Map<String, Value> =
        fields.map(|matched| (matched.field.clone(), matched.value.as_str().into())).collect();
    Object::new().with("act", act).with("matched_fields", fields)
}

fn of_file(evidence: Object, event: &FileEvent) -> Object {
    evidence.with_some("file", file::of_event(event))
}

fn of_network(evidence: Object, event: &NetworkEvent) -> Object {
    let socket = event.path.as_deref().and_then(|path| file::of_path(path, (5, "Local Socket")));
    of_connection(evidence, network::connection(event)).with_some("file", socket)
}

fn of_connection(evidence: Object, connection: Connection) -> Object {
    evidence
        .with("connection_info", connection.info)
        .with_some("src_endpoint", connection.source)
        .with_some("dst_endpoint", connection.destination)
}

fn of_query(evidence: Object, event: &DnsEvent) -> Vec<Value> {
    let query = |place: usize| {
        let question = event.questions.get(place).filter(|question| !question.name.is_empty())?;
        let query = Object::new()
            .with("hostname", question.name.as_str())
            .with("type", question.record_type.as_str())
            .with("packet_uid", event.id)
            .with_choice("opcode", (0, "Query"));
        Some(query)
    };
    let first = of_connection(evidence, network::of_query(event)).with_some("query", query(0));
    let others = (1..event.questions.len()).filter_map(query);
    let others = others.map(|query| Object::new().with("name", "dns").with("query", query));
    std::iter::once(first).chain(others).map(Value::from).collect()
}

fn of_system(alert: &Alert, evidence: Object, event: &SystemEvent) -> Object {
    let arguments = event.arguments.iter();
    let arguments: Map<String, Value> =
        arguments.map(|argument| (argument.name.clone(), argument.value.as_str().into())).collect();
    let data = data(alert, event.act.name())
        .with("arguments", arguments)
        .with_some("target_process", event.target.map(|target| target.key.to_string()))
        .with_some("result", event.result);
    evidence.with("data", data)
}

fn of_request(alert: &Alert, event: &AuditEvent) -> Object {
    base(alert, &event.verb)
        .with("api", request::api(event))
        .with("http_request", request::http(event))
        .with_some("src_endpoint", request::source(event))
}
