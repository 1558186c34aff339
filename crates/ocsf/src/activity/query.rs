use crate::class::{Activity, DNS_ACTIVITY};
use crate::network;
use crate::object::{Choice, Object};
use crate::scene::Scene;
use event_model::{DnsAnswer, DnsEvent, DnsQuestion};
use serde_json::Value;

const QUERY: Activity<'static> = (1, "Query");
const RESPONSE: Activity<'static> = (2, "Response");

/// Response codes as the schema names them (RFC 1035, 4.1.1, and the registry of later ones).
const CODES: [&str; 12] = [
    "NoError",
    "FormError",
    "ServError",
    "NXDomain",
    "NotImp",
    "Refused",
    "YXDomain",
    "YXRRSet",
    "NXRRSet",
    "NotAuth",
    "NotZone",
    "DSOTYPENI",
];

pub fn of_query(scene: &Scene<'_>, query: &DnsEvent) -> Value {
    let connection = network::of_query(query);
    let has_end = connection.source.is_some() || connection.destination.is_some();
    let activity = if query.response { RESPONSE } else { QUERY };
    let mut questions = query.questions.iter().filter(|question| !question.name.is_empty());
    let event = scene
        .begin(DNS_ACTIVITY, activity)
        .with("actor", scene.actor())
        .with("connection_info", connection.info)
        .with_some("src_endpoint", connection.source.or_else(|| (!has_end).then(|| scene.here())))
        .with_some("dst_endpoint", connection.destination)
        .with_some("query", questions.next().map(|question| question_of(question, query.id)))
        .with("answers", answers(query));
    let event = if query.response { event.with_choice("rcode", code(query.code)) } else { event };
    let others: Vec<Value> =
        questions.map(|question| question_of(question, query.id).into()).collect();
    let unmapped = Object::new()
        .with("other_queries", others)
        .with_some("partial", query.partial.then_some(true));
    scene.finish(event, unmapped)
}

fn question_of(question: &DnsQuestion, id: u16) -> Object {
    Object::new()
        .with("hostname", question.name.as_str())
        .with("type", question.record_type.as_str())
        .with("packet_uid", id)
        .with_choice("opcode", (0, "Query"))
}

fn answers(query: &DnsEvent) -> Vec<Value> {
    let of_answer = |answer: &DnsAnswer| {
        Object::new()
            .with("rdata", answer.data.as_str())
            .with("type", answer.record_type.as_str())
            .with("ttl", i32::try_from(answer.ttl).unwrap_or(i32::MAX))
            .with("packet_uid", query.id)
            .into()
    };
    query.answers.iter().filter(|answer| !answer.data.is_empty()).map(of_answer).collect()
}

fn code(code: u16) -> Choice {
    match CODES.get(usize::from(code)) {
        Some(name) => (code.into(), name),
        None => (99, "Other"),
    }
}
