//! What went over the network: `dns.*` and `net.*`.

use super::access::Value;
use event_model::{DnsEvent, Flow};
use std::borrow::Cow;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum DnsField {
    QuestionName,
    QuestionType,
    AnswerName,
    AnswerType,
    AnswerData,
    Response,
    Code,
    Server,
}

impl DnsField {
    /// Has any number of values.
    pub const fn is_list(self) -> bool {
        !matches!(self, Self::Response | Self::Code | Self::Server)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FlowField {
    Inbound,
    BytesSent,
    BytesReceived,
    Bytes,
    Duration,
}

/// The values of a field, in the order of the message.
pub(super) fn dns(event: &DnsEvent, field: DnsField) -> Vec<Value<'_>> {
    let questions = event.questions.iter();
    let answers = event.answers.iter();
    match field {
        DnsField::QuestionName => questions.map(|question| text(&question.name)).collect(),
        DnsField::QuestionType => questions.map(|question| text(&question.record_type)).collect(),
        DnsField::AnswerName => answers.map(|answer| text(&answer.name)).collect(),
        DnsField::AnswerType => answers.map(|answer| text(&answer.record_type)).collect(),
        DnsField::AnswerData => answers.map(|answer| text(&answer.data)).collect(),
        DnsField::Response => vec![Value::Boolean(event.response)],
        DnsField::Code if event.response => vec![Value::Number(event.code.into())],
        DnsField::Code => vec![],
        DnsField::Server => event
            .server
            .map(|server| Value::Address(server.ip().to_canonical()))
            .into_iter()
            .collect(),
    }
}

fn text(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

pub(super) fn flow(flow: &Flow, field: FlowField) -> Value<'static> {
    match field {
        FlowField::Inbound => Value::Boolean(flow.inbound),
        FlowField::BytesSent => Value::unsigned(flow.bytes_sent),
        FlowField::BytesReceived => Value::unsigned(flow.bytes_received),
        FlowField::Bytes => Value::unsigned(flow.bytes_sent.saturating_add(flow.bytes_received)),
        FlowField::Duration => Value::unsigned(flow.duration),
    }
}
