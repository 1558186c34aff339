//! Generates the wire types and services, without a protoc on the machine; and what `src/weight.rs` must know of
//! them, from the same definitions, so that no field can be forgotten there.

use protox::prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use std::error::Error;
use std::path::Path;

const DEFINITIONS: [&str; 6] = [
    "defender/v1/envelope.proto",
    "defender/v1/node.proto",
    "defender/v1/ingest.proto",
    "defender/v1/enrolment.proto",
    "defender/v1/record.proto",
    "defender/v1/capture.proto",
];

/// What is weighed before it is decoded: the payload of an envelope, and an entry of a capture.
const WEIGHED: [&str; 2] = ["defender.v1.RecordBatch", "defender.v1.CaptureEntry"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(DEFINITIONS, ["proto"])?;
    let pool = DescriptorPool::from_file_descriptor_set(descriptors.clone())?;
    let weighed = WEIGHED.map(|name| pool.get_message_by_name(name).ok_or(name));
    let weighed = weighed.into_iter().collect::<Result<_, _>>()?;
    let shapes = Path::new(&std::env::var("OUT_DIR")?).join("shapes.rs");
    std::fs::write(shapes, describe(weighed))?;
    tonic_prost_build::configure()
        .bytes(".defender.v1.Envelope.payload")
        .compile_fds(descriptors)?;
    Ok(())
}

/// A table of these messages, which are the first, and of all messages in them.
fn describe(mut messages: Vec<MessageDescriptor>) -> String {
    let mut shapes = Vec::new();
    while let Some(message) = messages.get(shapes.len()).cloned() {
        shapes.push(shape_of(&message, &mut messages));
    }
    format!("static SHAPES: [Shape; {}] = [\n{}\n];\n", shapes.len(), shapes.join("\n"))
}

fn shape_of(message: &MessageDescriptor, messages: &mut Vec<MessageDescriptor>) -> String {
    let mut fields = Vec::new();
    for field in message.fields() {
        if let Some(kind) = kind_of(&field, messages) {
            fields.push(format!("({}, Field::{kind})", field.number()));
        }
    }
    let (name, fields) = (message.name(), fields.join(", "));
    format!("Shape {{ bytes: size_of::<crate::wire::{name}>(), fields: &[{fields}] }},")
}

/// What a field adds to a message that is decoded; None where that is within the message itself.
fn kind_of(field: &FieldDescriptor, messages: &mut Vec<MessageDescriptor>) -> Option<String> {
    if field.is_map() {
        return Some("Map".into());
    }
    match field.kind() {
        Kind::Message(inner) => {
            let place = messages.iter().position(|message| *message == inner);
            let place = place.unwrap_or(messages.len());
            if place == messages.len() {
                messages.push(inner);
            }
            let name = if field.is_list() { "Messages" } else { "Message" };
            Some(format!("{name}({place})"))
        }
        Kind::String | Kind::Bytes => field.is_list().then(|| "Texts".into()),
        _ => field.is_list().then(|| "Numbers".into()),
    }
}
