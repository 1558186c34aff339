//! What a payload takes in memory once decoded, found before it is: two bytes on the wire make a process or a
//! matched field of hundreds in memory.

use crate::BatchError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost::{DecodeError, bytes::Buf};

/// The most that the messages of a batch and the entries of their repeated fields may take once decoded, text not
/// counted: 64 MiB. A sender of ours makes a batch of about one.
pub const MAXIMUM_DECODED_BYTES: usize = 64 << 20;

/// What an entry of a hash map takes: two texts, and the map's own share with what it keeps free.
const MAP_ENTRY_BYTES: usize = 128;

/// What is told of a message by its definition.
struct Shape {
    /// Its size in memory, with the messages that stand in it once.
    bytes: usize,
    /// Those of its fields that can hold more than that, by number.
    fields: &'static [(u32, Field)],
}

/// A field, and the place in [`SHAPES`] of the message that it holds.
enum Field {
    Message(usize),
    Messages(usize),
    Texts,
    /// Packed, as every sender of this version writes them.
    Numbers,
    Map,
}

include!(concat!(env!("OUT_DIR"), "/shapes.rs"));

/// Refuses a payload that would take more than [`MAXIMUM_DECODED_BYTES`].
pub(crate) fn check(plain: &[u8]) -> Result<(), BatchError> {
    check_as(&SHAPES[0], plain)
}

/// Refuses an entry of a capture that would.
pub(crate) fn check_entry(plain: &[u8]) -> Result<(), BatchError> {
    check_as(&SHAPES[1], plain)
}

fn check_as(root: &'static Shape, plain: &[u8]) -> Result<(), BatchError> {
    let (mut rest, mut bytes, mut place) = (plain, 0, 0);
    while let Some((field, content)) = next_field(root, &mut rest)? {
        weigh(field, content, &mut bytes)?;
        if bytes > MAXIMUM_DECODED_BYTES {
            return Err(BatchError::Heavy { place });
        }
        place += 1;
    }
    Ok(())
}

/// Adds what a field takes beyond the message that it stands in. Stops where that is too much already.
fn weigh(field: &Field, content: &[u8], bytes: &mut usize) -> Result<(), DecodeError> {
    *bytes += match field {
        Field::Message(_) => 0,
        Field::Messages(place) => SHAPES[*place].bytes,
        Field::Texts => size_of::<String>(),
        Field::Numbers => content.len() * size_of::<u64>(),
        Field::Map => MAP_ENTRY_BYTES,
    };
    let (Field::Message(place) | Field::Messages(place)) = field else { return Ok(()) };
    let mut rest = content;
    while *bytes <= MAXIMUM_DECODED_BYTES
        && let Some((field, content)) = next_field(&SHAPES[*place], &mut rest)?
    {
        weigh(field, content, bytes)?;
    }
    Ok(())
}

/// The next field of a message that can hold more than the message's own size.
fn next_field<'a>(
    shape: &Shape,
    rest: &mut &'a [u8],
) -> Result<Option<(&'static Field, &'a [u8])>, DecodeError> {
    while rest.has_remaining() {
        let (number, wire_type) = decode_key(rest)?;
        let known = shape.fields.iter().find(|(its_number, _)| *its_number == number);
        match known {
            Some((_, field)) if wire_type == WireType::LengthDelimited => {
                return Ok(Some((field, content(number, rest)?)));
            }
            _ => skip_field(wire_type, number, rest, DecodeContext::default())?,
        }
    }
    Ok(None)
}

/// The content of a field of which the key was read.
fn content<'a>(number: u32, rest: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let mut behind = *rest;
    let length = decode_varint(&mut behind)?;
    // Prost's own words, where the length is more than there is.
    skip_field(WireType::LengthDelimited, number, rest, DecodeContext::default())?;
    Ok(&behind[..usize::try_from(length).unwrap_or(usize::MAX).min(behind.len())])
}
