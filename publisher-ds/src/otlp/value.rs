//! OTLP's values on the wire, from JSON.
//!
//! An event of OCSF is many messages deep, and a protobuf message stands behind its length: an encoder that begins at the
//! beginning measures each level anew for each level above it. This one begins at the end, so each length is known when
//! its turn comes, and nothing is measured twice.

use serde_json::Value;

/// How a field's value is laid out, in the low bits of its key.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const DELIMITED: u64 = 2;

/// A message that is written from its end to its beginning.
#[derive(Default)]
pub(crate) struct Backwards(Vec<u8>);

impl Backwards {
    /// The message, the right way round.
    pub(crate) fn finish(self) -> Vec<u8> {
        let mut bytes = self.0;
        bytes.reverse();
        bytes
    }

    /// A number of a field; none where it is 0, as proto3 has it.
    pub(crate) fn number(&mut self, field: u64, value: u64) {
        if value != 0 {
            self.varint(value);
            self.key(field, VARINT);
        }
    }

    /// A number of eight bytes.
    pub(crate) fn fixed64(&mut self, field: u64, value: u64) {
        self.0.extend(value.to_be_bytes());
        self.key(field, FIXED64);
    }

    /// A text.
    pub(crate) fn text(&mut self, field: u64, text: &str) {
        self.0.extend(text.bytes().rev());
        self.varint(text.len() as u64);
        self.key(field, DELIMITED);
    }

    /// A message within this one; `write` writes its fields, the last first.
    pub(crate) fn message(&mut self, field: u64, write: impl FnOnce(&mut Self)) {
        let before = self.0.len();
        write(self);
        self.varint((self.0.len() - before) as u64);
        self.key(field, DELIMITED);
    }

    /// A `KeyValue` (opentelemetry/proto/common/v1/common.proto).
    pub(crate) fn key_value(&mut self, field: u64, key: &str, value: &Value) {
        self.message(field, |it| {
            it.message(2, |it| it.any_value(value));
            it.text(1, key);
        });
    }

    /// The fields of an `AnyValue`. Null is one without any.
    pub(crate) fn any_value(&mut self, value: &Value) {
        match value {
            Value::Null => {}
            Value::String(text) => self.text(1, text),
            Value::Bool(is_so) => {
                self.varint(u64::from(*is_so));
                self.key(2, VARINT);
            }
            Value::Number(number) => self.any_number(number),
            Value::Array(items) => self.message(5, |it| {
                for item in items.iter().rev() {
                    it.message(1, |it| it.any_value(item));
                }
            }),
            Value::Object(members) => self.message(6, |it| {
                for (key, value) in members.iter().rev() {
                    it.key_value(1, key, value);
                }
            }),
        }
    }

    /// Beyond what has a sign, the digits are kept rather than the kind.
    fn any_number(&mut self, number: &serde_json::Number) {
        if let Some(whole) = number.as_i64() {
            self.varint(whole.cast_unsigned());
            self.key(3, VARINT);
        } else if let Some(fraction) = number.as_f64().filter(|_| number.is_f64()) {
            self.fixed64(4, fraction.to_bits());
        } else {
            self.text(1, &number.to_string());
        }
    }

    fn key(&mut self, field: u64, layout: u64) {
        self.varint(field << 3 | layout);
    }

    /// Seven bits a byte, the lowest first; all but the last have the highest bit set.
    fn varint(&mut self, mut value: u64) {
        let before = self.0.len();
        loop {
            let low = (value & 0x7f) as u8;
            value >>= 7;
            self.0.push(if value == 0 { low } else { low | 0x80 });
            if value == 0 {
                break;
            }
        }
        self.0[before..].reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Wire;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
    use proptest::prelude::*;
    use prost::Message;
    use serde_json::json;

    /// What a value should be, by OpenTelemetry's own types.
    fn expected(value: &Value) -> AnyValue {
        let value = match value {
            Value::Null => None,
            Value::Bool(is_so) => Some(Wire::BoolValue(*is_so)),
            Value::Number(number) => Some(match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Wire::IntValue(whole),
                (None, Some(fraction)) if number.is_f64() => Wire::DoubleValue(fraction),
                _ => Wire::StringValue(number.to_string()),
            }),
            Value::String(text) => Some(Wire::StringValue(text.clone())),
            Value::Array(items) => {
                Some(Wire::ArrayValue(ArrayValue { values: items.iter().map(expected).collect() }))
            }
            Value::Object(members) => {
                let member = |(key, value): (&String, &Value)| KeyValue {
                    key: key.clone(),
                    value: Some(expected(value)),
                    ..KeyValue::default()
                };
                let values = members.iter().map(member).collect();
                Some(Wire::KvlistValue(KeyValueList { values }))
            }
        };
        AnyValue { value }
    }

    fn read(value: &Value) -> AnyValue {
        let mut written = Backwards::default();
        written.any_value(value);
        AnyValue::decode(&written.finish()[..]).unwrap()
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,200}".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map(".{0,8}", inner, 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_by_opentelemetrys_own_types(value in any_json()) {
            prop_assert_eq!(read(&value), expected(&value));
        }
    }

    #[test]
    fn each_kind_of_value_keeps_it() {
        for value in [
            json!(null),
            json!(false),
            json!(0),
            json!(-1),
            json!(i64::MAX),
            json!(u64::MAX),
            json!(1.5),
            json!(""),
            json!("ä"),
            json!([]),
            json!({}),
            json!({"a": [1, {"b": "c".repeat(300)}], "d": null}),
        ] {
            assert_eq!(read(&value), expected(&value), "{value}");
        }
    }
}
